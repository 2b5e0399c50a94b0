//! Running other programs, loudly.

use std::path::Path;
use std::process::Command;

/// Runs `cargo` with these words in `root`; an exit code other than 0 is an error.
pub(crate) fn cargo(root: &Path, words: &[&str], env: &[(&str, &str)]) -> Result<(), String> {
    let line = format!("cargo {}", words.join(" "));
    println!("── {line}");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(cargo)
        .args(words)
        .envs(env.iter().copied())
        .current_dir(root)
        .status()
        .map_err(|e| format!("`{line}` did not start: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` said no ({status})")) }
}
