//! `cargo xtask check`: README's test command. Cargo alone, no servers.

use std::path::Path;

use crate::run::cargo;
use crate::{skipped, tidy};

/// fmt, clippy with warnings denied, tests, docs, tidy; the cheapest first.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    skipped::forget(root);
    cargo(root, &["fmt", "--all", "--check"], &[])?;
    tidy::tidy(root)?;
    cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], &[])?;
    cargo(root, &["test", "--workspace", "--locked"], &[])?;
    cargo(root, &["doc", "--workspace", "--no-deps", "--locked"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    skipped::tell(root);
    println!("── check: all green");
    Ok(())
}
