//! `cargo xtask check`: README's test command. Cargo alone, no servers.

use std::path::Path;

use crate::run::cargo;
use crate::{native, skipped, tidy};

/// fmt, clippy with warnings denied, tests, docs, tidy; the cheapest first.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    skipped::forget(root);
    cargo(root, &["fmt", "--all", "--check"], &[])?;
    tidy::tidy(root)?;
    let left_out = native::left_out(root)?;
    let workspace = |first: &[&'static str], last: &[&'static str]| {
        [first, &["--workspace", "--locked"], &left_out[..], last].concat()
    };
    cargo(root, &workspace(&["clippy", "--all-targets"], &["--", "-D", "warnings"]), &[])?;
    cargo(root, &workspace(&["test"], &[]), &[])?;
    cargo(root, &workspace(&["doc", "--no-deps"], &[]), &[("RUSTDOCFLAGS", "-D warnings")])?;
    skipped::tell(root);
    println!("── check: all green");
    Ok(())
}
