//! The folder itself: whether it is there, and who has it.

use std::path::Path;

use super::Finding;

const CHECK: &str = "data folder";

pub(super) fn check(data: &Path) -> Finding {
    let shown = data.display();
    if !data.exists() {
        return Finding::good(CHECK, format!("`{shown}` is not there yet: the first start makes it"));
    }
    if !data.is_dir() {
        return Finding::bad(CHECK, format!("`{shown}` is no folder"), "name another one with `--data` or `data:`");
    }
    Finding::good(
        CHECK,
        held(data)
            .map_or_else(|| format!("`{shown}`, which no node has open"), |pid| format!("`{shown}`, open by {pid}")),
    )
}

/// Who has it, if anybody does. Asked of the system and not by taking the lock, which a node that
/// starts at this very moment would find taken.
fn held(data: &Path) -> Option<String> {
    let lock = std::fs::metadata(data.join("lock")).ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    holder(&locks, std::os::unix::fs::MetadataExt::ino(&lock)).map(|pid| format!("process {pid}"))
}

/// `1: FLOCK  ADVISORY  WRITE 4242 fe:00:1234567 0 EOF`
pub(super) fn holder(locks: &str, inode: u64) -> Option<u32> {
    let inode = inode.to_string();
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().filter(|w| *w != "->").collect();
        let file = words.get(5)?.rsplit(':').next()?;
        (words.get(1) == Some(&"FLOCK") && file == inode).then(|| words[4].parse().ok())?
    })
}
