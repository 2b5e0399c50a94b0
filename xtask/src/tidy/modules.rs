//! Every module opens with what it does: its first line is `//!`.

use super::tree::Tree;

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    tree.rust
        .iter()
        .filter(|s| !s.is_test() && !s.text.starts_with("//!") && !s.text.starts_with("#!["))
        .map(|s| format!("{}:1: open the module with `//!`: what it does, what it does not, its invariants", s.path))
        .collect()
}
