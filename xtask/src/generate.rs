//! `cargo xtask generate`: writes anew what is generated from constants of the code.
//!
//! The generator is a test, which only the crate that has the constants can be: told to, it writes before it compares.

use std::path::Path;

use crate::run::cargo;

/// The test that compares, told to write first.
pub(crate) fn generate(root: &Path) -> Result<(), String> {
    let words = ["test", "--quiet", "--locked", "--package", "evenkeel-node", "--lib", "generated"];
    cargo(root, &words, &[("EVENKEEL_GENERATE", "1")])
}
