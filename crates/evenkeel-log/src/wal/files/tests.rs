//! Pauses while the next file is made: when there are any, counted, not timed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Files;
use crate::Options;
use crate::disk::Disk;
use crate::sim::SimDisk;
use crate::wal::pace::PIECE;

/// Files of eight pieces each.
fn files() -> Files {
    let size = 8 * PIECE as u64;
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    disk.create_folder("wal").expect("a folder");
    let options = Options { wal_first_file_bytes: size, wal_file_bytes: size, ..Options::default() };
    Files::new(disk, options, Arc::default(), BTreeMap::new())
}

#[test]
fn the_next_file_is_made_with_pauses_while_there_is_time() {
    let files = files();
    files.used(0, 1);
    files.prepare().expect("made");
    assert_eq!(files.pace.pauses(), 7, "behind each piece but the last");
}

#[test]
fn it_is_made_without_any_when_most_of_the_present_one_is_used() {
    let files = files();
    files.used(0, 1);
    files.used(9, 10);
    files.prepare().expect("made");
    assert_eq!(files.pace.pauses(), 0);
}

#[test]
fn whoever_needs_it_now_waits_for_no_pause() {
    let files = files();
    files.used(0, 1);
    files.next(0).expect("made");
    assert_eq!(files.pace.pauses(), 0);
}

#[test]
fn nobody_who_closes_the_log_waits_for_pauses() {
    let files = files();
    files.used(0, 1);
    files.hurry();
    files.prepare().expect("made");
    assert_eq!(files.pace.pauses(), 0);
}
