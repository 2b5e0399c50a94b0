//! The root of the project holds what a newcomer should see, and nothing else.

use std::fs;

use super::tree::Tree;

const ALLOWED: &[&str] = &[
    ".cargo",
    ".ci",
    ".git",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "bench",
    "clippy.toml",
    "crates",
    "docs",
    "evenkeel-data",
    "examples",
    "fuzz",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "target",
    "xtask",
];

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    let Ok(entries) = fs::read_dir(&tree.root) else { return Vec::new() };
    entries
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| !ALLOWED.contains(&name.as_str()))
        .map(|name| format!("{name}: the root has no room for it (xtask/src/tidy/roots.rs lists what it has)"))
        .collect()
}
