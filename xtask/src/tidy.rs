//! `cargo xtask tidy`: the rules of CONTRIBUTING.md that a program can hold.
//!
//! Each rule is one file and says what it found as `path:line: what, and what to do instead`.
//! It reads text only: what needs a compiler is clippy's.

mod tree;
mod lengths;
mod modules;
mod names;
mod edges;
mod roots;
mod unfinished;
mod operator_names;
mod happenings;
mod error_pages;

use std::path::Path;

use tree::Tree;

/// Runs every rule; prints all that was found, then says no if there was anything.
pub(crate) fn tidy(root: &Path) -> Result<(), String> {
    println!("── tidy");
    let tree = Tree::read(root)?;
    let rules: [fn(&Tree) -> Vec<String>; 9] = [
        lengths::rule,
        modules::rule,
        names::rule,
        edges::rule,
        roots::rule,
        unfinished::rule,
        operator_names::rule,
        happenings::rule,
        error_pages::rule,
    ];
    let found: Vec<String> = rules.iter().flat_map(|rule| rule(&tree)).collect();
    for line in &found {
        eprintln!("{line}");
    }
    if found.is_empty() { Ok(()) } else { Err(format!("tidy found {} things", found.len())) }
}
