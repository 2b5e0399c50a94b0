//! `cargo xtask bench …`: programs that a user can run too (`bench/`).

use std::path::Path;

use crate::run::cargo;

/// Runs a bench by name, in a release build.
pub(crate) fn bench(root: &Path, words: &[&str]) -> Result<(), String> {
    let Some((name, rest)) = words.split_first() else {
        return Err(
            "name a bench: `cargo xtask bench chain`, `delivery`, `log`, `watch`, `transports` or `trials`".to_owned()
        );
    };
    // What the log and the brokers are compared with is compiled for these benches alone.
    let features: &[&str] = match *name {
        "log" => &["--features", "peers"],
        "transports" => &["--features", "brokers"],
        _ => &[],
    };
    let mut line = vec!["run", "--release", "--locked", "--package", "evenkeel-bench"];
    line.extend(features);
    line.extend(["--", *name]);
    line.extend(rest);
    cargo(root, &line, &[])
}
