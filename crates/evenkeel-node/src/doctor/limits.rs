//! How many files this process may have open, against how many the log has.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::Finding;

const CHECK: &str = "open files";
/// Connections, write-ahead files and what the runtime needs.
const BESIDE: u64 = 1_280;

pub(super) fn check(data: &Path) -> Finding {
    judge(getrlimit(Resource::Nofile).current, segment_files(data))
}

/// Files of segments: two for each, in a folder for each partition.
fn segment_files(data: &Path) -> u64 {
    let folders = std::fs::read_dir(data.join("topics")).into_iter().flatten().flatten();
    folders.map(|f| std::fs::read_dir(f.path()).map_or(0, |files| files.count() as u64)).sum()
}

pub(super) fn judge(limit: Option<u64>, files: u64) -> Finding {
    let wanted = files + BESIDE;
    match limit {
        None => Finding::good(CHECK, "no limit"),
        Some(limit) if limit >= wanted => Finding::good(CHECK, format!("{limit} allowed, {wanted} may be needed")),
        Some(limit) => Finding::warning(
            CHECK,
            format!("{limit} allowed, and {wanted} may be needed ({files} files of segments)"),
            format!("raise it: `ulimit -n {0}`, or `LimitNOFILE={0}` in the unit", wanted.next_power_of_two()),
        ),
    }
}
