//! `cargo xtask soak`: what takes too long for every commit. Its results go to `docs/proofs.md`.

use std::path::Path;

use crate::run::cargo;

/// Events that are counted again, by a program that shares no code.
const RECOUNTED: &str = "10000000";

/// Many seeds of the simulations and many kills of the real node.
pub(crate) fn soak(root: &Path, words: &[&str]) -> Result<(), String> {
    let (seeds, kills) = match words {
        [] => ("10000", "200"),
        [seeds, kills] => (*seeds, *kills),
        _ => return Err("soak takes nothing, or SEEDS and KILLS".to_owned()),
    };
    let env = [("EVENKEEL_SEEDS", seeds), ("EVENKEEL_KILLS", kills), ("EVENKEEL_RECOUNT", RECOUNTED)];
    cargo(root, &["test", "--release", "--workspace", "--locked", "--", "--nocapture"], &env)?;
    let lossy =
        ["run", "--release", "--locked", "--manifest-path", "crates/evenkeel-log/lossy/Cargo.toml", "--", kills];
    cargo(root, &lossy, &env)
}
