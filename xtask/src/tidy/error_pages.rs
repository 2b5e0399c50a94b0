//! Every error code that users see has a page in `docs/errors/`, and every page a code.
//!
//! The codes are the string constants of `crates/evenkeel-node/src/error/codes.rs`.

use std::collections::BTreeSet;
use std::fs;

use super::tree::Tree;

const CODES: &str = "crates/evenkeel-node/src/error/codes.rs";

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    let Some(source) = tree.rust.iter().find(|s| s.path == CODES) else {
        return vec![format!("{CODES}: missing; it holds the error codes")];
    };
    let codes: BTreeSet<String> = source
        .text
        .lines()
        .filter(|l| l.contains("pub const ") || l.contains("pub(crate) const "))
        .filter_map(|l| l.split('"').nth(1))
        .map(str::to_owned)
        .collect();
    let pages: BTreeSet<String> = fs::read_dir(tree.root.join("docs/errors"))
        .map(|entries| {
            entries
                .flatten()
                .filter_map(|e| e.file_name().to_string_lossy().strip_suffix(".md").map(str::to_owned))
                .collect()
        })
        .unwrap_or_default();
    let missing = codes.difference(&pages).map(|c| format!("docs/errors/{c}.md: the code `{c}` has no page"));
    let orphans = pages.difference(&codes).map(|p| format!("docs/errors/{p}.md: no error has this code"));
    missing.chain(orphans).collect()
}
