//! A happening is one struct, from which its log line and its count derive: lines that an operator reads are told by
//! it, never written by a macro in passing. Lines of `debug` and `trace` are for whoever looks for a fault.

use super::tree::Tree;

const MACROS: [&str; 3] = ["tracing::info!", "tracing::warn!", "tracing::error!"];

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for source in tree.rust.iter().filter(|s| !s.is_test() && s.path.starts_with("crates/")) {
        for (number, line) in source.production_lines().iter().enumerate() {
            if MACROS.iter().any(|name| line.contains(name)) {
                found.push(format!(
                    "{}:{}: declare a happening in the crate's happenings.rs, and tell it",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    found
}
