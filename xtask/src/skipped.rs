//! What tests did not run for want of something: they say so in `target/skipped.txt`.

use std::io::Write;
use std::path::{Path, PathBuf};

fn list(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("skipped.txt")
}

/// Begins a new list.
pub(crate) fn forget(root: &Path) {
    let _ = std::fs::remove_file(list(root));
}

/// Adds a line to the list.
pub(crate) fn say(root: &Path, line: &str) {
    let list = list(root);
    let _ = list.parent().map(std::fs::create_dir_all);
    let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
    let _ = file.and_then(|mut file| writeln!(file, "{line}"));
}

/// Prints the list.
pub(crate) fn tell(root: &Path) {
    if let Ok(lines) = std::fs::read_to_string(list(root)) {
        println!("── skipped, for want of something (EVENKEEL_REQUIRE makes each a failure):\n{lines}");
    }
}
