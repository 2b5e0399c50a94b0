//! Which file system holds the folder, and with which options it is mounted. What is doubtful about a kind
//! of file system is the log's to say, and said in its words; here is what to do about it.

use std::path::Path;

use evenkeel_log::{Disk, RealDisk, Warning};

use super::Finding;

const CHECK: &str = "file system";

/// A mount, as `/proc/self/mountinfo` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where it is mounted.
    pub(super) at: String,
    /// Its type: `ext4`, `tmpfs`, `fuse.sshfs`.
    pub(super) kind: String,
    /// Options of the mount and of the file system, with commas.
    pub(super) options: String,
}

pub(super) fn check(place: &Path) -> Vec<Finding> {
    let doubt = RealDisk::new(place).warning();
    match std::fs::read_to_string("/proc/self/mountinfo").ok().and_then(|text| mount_of(&text, place)) {
        Some(mount) => judge(&mount, doubt.as_ref()),
        None if doubt.is_some() => doubt.iter().map(|doubt| doubtful(doubt, "")).collect(),
        None => vec![Finding::warning(
            CHECK,
            format!("it is not known which file system holds `{}`", place.display()),
            "docs/semantics.md says what is promised on which file system",
        )],
    }
}

/// The mount with the longest path above `place`; of two at one path the later one hides the first.
pub(super) fn mount_of(mountinfo: &str, place: &Path) -> Option<Mount> {
    let mounts = mountinfo.lines().filter_map(mount).filter(|m| place.starts_with(&m.at));
    mounts.max_by_key(|m| m.at.len())
}

/// `36 35 98:0 /root /at rw,noatime master:1 - ext4 /dev/sda rw,data=ordered`
fn mount(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut of_mount = mount.split(' ').skip(4);
    let (at, own) = (of_mount.next()?, of_mount.next()?);
    let mut of_system = file_system.split(' ');
    let (kind, options) = (of_system.next()?, of_system.nth(1).unwrap_or_default());
    Some(Mount { at: unescaped(at), kind: kind.to_owned(), options: format!("{own},{options}") })
}

/// Blanks in paths stand as octal escapes.
fn unescaped(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

pub(super) fn judge(mount: &Mount, doubt: Option<&Warning>) -> Vec<Finding> {
    let Mount { at, kind, options } = mount;
    let said = format!("{kind}, mounted at `{at}`");
    let mut found = vec![match (doubt, kind.as_str()) {
        (Some(doubt), _) => doubtful(doubt, &format!(" ({said})")),
        (None, "ext2" | "ext3" | "ext4" | "xfs" | "btrfs" | "zfs" | "f2fs" | "bcachefs") => Finding::good(CHECK, said),
        _ => Finding::warning(
            CHECK,
            format!("{said}: nothing is known of it here"),
            "docs/semantics.md says what is promised on which file system",
        ),
    }];
    found.extend(careless(options).map(|option| {
        Finding::bad(
            "mount options",
            format!("`{at}` is mounted with `{option}`: flushes do not reach the device"),
            format!("mount it without `{option}`, unless the device's cache survives a power cut"),
        )
    }));
    found
}

/// What the log warns of, as a finding.
fn doubtful(doubt: &Warning, beside: &str) -> Finding {
    let found = format!("{doubt}{beside}");
    match doubt {
        Warning::Memory { .. } => Finding::bad(
            CHECK,
            found,
            "put the data folder on a disk; on this one an acknowledged event survives the process, never the machine",
        ),
        Warning::Container { .. } => Finding::warning(CHECK, found, "mount a volume and put the data folder there"),
        Warning::Elsewhere { .. } | Warning::TooQuick { .. } => Finding::warning(
            CHECK,
            found,
            "put the data folder on a local disk, or know what is promised there (docs/semantics.md)",
        ),
    }
}

/// The option that takes the meaning out of flushes.
fn careless(options: &str) -> Option<&str> {
    options.split(',').find(|o| matches!(*o, "nobarrier" | "barrier=0" | "eatmydata" | "nolog" | "norecovery"))
}
