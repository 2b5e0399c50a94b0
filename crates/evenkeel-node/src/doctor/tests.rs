//! What each check says of a machine that is well, and of one that is not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_log::{Log, Options, RealDisk, Warning};
use evenkeel_model::{SystemClock, Timestamp};

use super::file_system::{Mount, judge as judge_mount, mount_of};
use super::flush::{Probe, judge as judge_flush};
use super::space::{Free, judge as judge_space};
use super::{Finding, Level, clock, examine, folder, limits};

const MOUNTS: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=1g
40 27 0:44 / /mnt/the\\040data rw,relatime shared:3 - nfs4 server:/x rw,hard
41 27 0:45 / /mnt/fast rw,nobarrier - xfs /dev/sdb rw";

fn kind(place: &str) -> String {
    mount_of(MOUNTS, Path::new(place)).unwrap().kind
}

fn levels(found: &[Finding]) -> Vec<Level> {
    found.iter().map(|f| f.level).collect()
}

#[test]
fn the_mount_of_a_folder_is_the_longest_path_above_it() {
    assert_eq!(kind("/srv/evenkeel"), "ext4");
    assert_eq!(kind("/dev/shm/x"), "tmpfs");
    assert_eq!(kind("/dev/shmx"), "ext4", "a name that only begins alike is elsewhere");
    assert_eq!(kind("/mnt/the data/x"), "nfs4");
}

#[test]
fn memory_is_bad_a_network_is_a_warning_and_a_mount_without_barriers_is_bad() {
    let mount = |kind: &str| Mount { at: "/".into(), kind: kind.into(), options: "rw".into() };
    let memory = Warning::Memory { file_system: "tmpfs" };
    let elsewhere = Warning::Elsewhere { file_system: "NFS" };
    let container = Warning::Container { file_system: "overlayfs" };
    for (kind, doubt, level) in [
        ("ext4", None, Level::Good),
        ("xfs", None, Level::Good),
        ("tmpfs", Some(&memory), Level::Bad),
        ("overlay", Some(&container), Level::Warning),
        ("nfs4", Some(&elsewhere), Level::Warning),
        ("newfs", None, Level::Warning),
    ] {
        let found = judge_mount(&mount(kind), doubt);
        assert_eq!(levels(&found), [level], "{kind}");
        assert_eq!(found[0].fix.is_some(), level != Level::Good, "{kind}: whatever is wrong has a fix");
    }
    let careless = mount_of(MOUNTS, Path::new("/mnt/fast/x")).unwrap();
    assert_eq!(levels(&judge_mount(&careless, None)), [Level::Good, Level::Bad]);
}

#[test]
fn what_the_log_warns_of_the_doctor_says_in_the_same_words() {
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() {
        return;
    }
    let folder = tempfile::tempdir_in(memory).unwrap();
    let log =
        Log::open(Arc::new(RealDisk::new(folder.path())), Options::default(), Arc::new(SystemClock::new())).unwrap();
    let found = examine(folder.path(), &SystemClock::new());
    let warnings = log.warnings();
    assert!(!warnings.is_empty(), "memory is nothing to count on");
    for warning in warnings.iter().filter(|w| !matches!(w, Warning::TooQuick { .. })) {
        let said = found.iter().find(|f| f.found.contains(&warning.to_string()));
        assert!(said.is_some_and(|f| f.level > Level::Good && f.fix.is_some()), "{warning}: {found:?}");
    }
}

#[test]
fn a_write_that_is_faster_than_any_medium_is_a_lie() {
    let probe = |us| Probe { direct: true, median: Duration::from_micros(us), slowest: Duration::from_micros(us) };
    assert_eq!(levels(&judge_flush(&probe(60))), [Level::Good, Level::Good]);
    assert_eq!(levels(&judge_flush(&probe(2))), [Level::Bad, Level::Good]);
    assert_eq!(levels(&judge_flush(&probe(30_000))), [Level::Warning, Level::Good]);
    let buffered = Probe { direct: false, ..probe(60) };
    assert_eq!(levels(&judge_flush(&buffered)), [Level::Good, Level::Warning]);
}

#[test]
fn room_for_bytes_names_and_files_is_judged() {
    let free = |bytes, names| judge_space(Free { bytes, total: 1 << 40, names }).level;
    assert_eq!(free(80 << 30, Some(1_000_000)), Level::Good);
    assert_eq!(free(80 << 30, None), Level::Good);
    assert_eq!(free(80 << 30, Some(12)), Level::Warning);
    assert_eq!(free(1 << 30, None), Level::Warning);
    assert_eq!(free(1 << 20, None), Level::Bad);
    assert_eq!(limits::judge(Some(1 << 20), 2_000).level, Level::Good);
    let few = limits::judge(Some(1_024), 2_000);
    assert_eq!(few.level, Level::Warning);
    assert!(few.fix.unwrap().contains("ulimit -n 4096"));
}

#[test]
fn a_clock_before_what_the_folder_holds_is_noticed() {
    let now = Timestamp::from_millis(1_795_000_000_000);
    assert_eq!(clock::judge(now, None).level, Level::Good);
    assert_eq!(clock::judge(now, Some(now + Duration::from_secs(1))).level, Level::Good);
    let behind = clock::judge(now, Some(now + Duration::from_secs(7_200)));
    assert!(behind.level == Level::Warning && behind.found.contains("2h later"), "{behind:?}");
    assert_eq!(clock::judge(Timestamp::from_millis(1_000), None).level, Level::Bad);
}

#[test]
fn an_examination_leaves_nothing_behind_and_makes_no_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let found = examine(&folder.path().join("data"), &SystemClock::new());
    let checks: Vec<&str> = found.iter().map(|f| f.check).collect();
    for check in ["data folder", "file system", "flush", "direct I/O", "space", "open files", "clock"] {
        assert!(checks.contains(&check), "{check} in {checks:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn who_has_the_folder_is_asked_of_the_system() {
    let locks = "1: POSIX  ADVISORY  WRITE 7 fe:00:99 0 EOF\n2: FLOCK  ADVISORY  WRITE 4242 fe:00:99 0 EOF\n";
    assert_eq!(folder::holder(locks, 99), Some(4242));
    assert_eq!(folder::holder(locks, 9), None);
}
