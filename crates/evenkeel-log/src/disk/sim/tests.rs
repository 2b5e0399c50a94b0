//! The simulated disk itself: what it may lose and what it must not.

use super::{Fault, SimDisk};
use crate::Disk;

#[test]
fn power_loss_takes_unflushed_writes_and_unsynced_names_and_nothing_else() {
    let (mut lost, mut names, mut torn) = (0, 0, 0);
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let kept = disk.open("kept", true).expect("made");
        kept.write_at(&[1; 2048], 0).expect("written");
        kept.flush().expect("flushed");
        disk.sync_folder("").expect("synced");
        kept.write_at(&[2; 2048], 0).expect("written");
        let unsynced = disk.open("unsynced", true).expect("made");
        unsynced.write_durable(&[3; 512], 0).expect("written");
        disk.cut_power();
        assert!(kept.write_at(&[4], 0).is_err(), "a file that was open before is dead");
        let bytes = disk.bytes("kept").expect("a synced name stays");
        assert!(bytes.len() == 2048 && bytes.iter().all(|b| *b == 1 || *b == 2));
        lost += usize::from(bytes.contains(&1));
        torn += usize::from(bytes.contains(&1) && bytes.contains(&2));
        names += usize::from(disk.bytes("unsynced").is_none());
    }
    assert!(lost > 20 && names > 20 && torn > 20, "lost {lost}, names {names}, torn {torn} of 100");
}

#[test]
fn what_was_made_durable_stays_and_a_kill_takes_nothing() {
    let disk = SimDisk::new(1);
    let file = disk.open("a", true).expect("made");
    disk.sync_folder("").expect("synced");
    file.write_durable(&[7; 100], 0).expect("written");
    disk.cut_power();
    assert_eq!(disk.bytes("a"), Some(vec![7; 100]));
    let file = disk.open("a", false).expect("there");
    file.write_at(&[8; 100], 0).expect("written");
    disk.kill();
    assert_eq!(disk.bytes("a"), Some(vec![8; 100]));
}

#[test]
fn the_same_seed_loses_the_same() {
    let run = |seed| {
        let disk = SimDisk::new(seed);
        let file = disk.open("a", true).expect("made");
        disk.sync_folder("").expect("synced");
        file.write_at(&[9; 64 << 10], 0).expect("written");
        disk.cut_power();
        disk.bytes("a")
    };
    assert_eq!(run(5), run(5));
    assert!((0..20).any(|seed| run(seed) != run(5)));
}

#[test]
fn it_fails_when_told_and_fills_up() {
    let disk = SimDisk::new(1);
    let file = disk.open("a", true).expect("made");
    disk.inject(Fault::Flush, 1);
    file.flush().expect("the first goes well");
    assert!(file.flush().is_err());
    file.flush().expect("once is enough");
    disk.set_capacity(Some(1000));
    let full = file.write_at(&[0; 1001], 0).expect_err("it is full");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(disk.used(), 1000, "a full disk takes what fits");
    file.write_at(&[0; 1000], 0).expect("it fits");
    disk.fail_in(0);
    assert!(file.write_at(&[0; 10], 0).is_err() && disk.is_off());
}

#[test]
fn a_dead_process_changes_nothing_any_more() {
    let disk = SimDisk::new(1);
    let process = disk.clone();
    let lock = process.lock().expect("the folder is free");
    process.create_folder("wal").expect("made");
    disk.cut_power();
    assert!(process.open("a", true).is_err() && process.create_folder("b").is_err() && process.list("").is_err());
    let next = disk.clone();
    let _held = next.lock().expect("the folder is free");
    drop(lock);
    assert!(disk.lock().is_err(), "the dead process's guard freed the lock of the living");
    next.open("a", true).expect("the next process goes on");
}

#[test]
fn short_reads_and_writes_stop_in_the_middle_and_say_so() {
    let (mut written, mut read) = (0, 0);
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let file = disk.open("a", true).expect("made");
        disk.inject(Fault::ShortWrite, 0);
        assert!(file.write_durable(&[7; 1000], 0).is_err());
        written += usize::from((1..1000).contains(&disk.bytes("a").map_or(0, |b| b.len())));
        file.write_at(&[7; 1000], 0).expect("once is enough");
        let mut into = [0; 1000];
        disk.inject(Fault::ShortRead, 0);
        assert!(file.read_at(&mut into, 0).is_err());
        read += usize::from(into[0] == 7 && into[999] == 0);
    }
    assert!(written > 10 && read > 10, "{written} writes and {read} reads of 20 were cut");
}

#[test]
fn a_lost_file_does_not_come_back_with_the_power() {
    let disk = SimDisk::new(1);
    let file = disk.open("a", true).expect("made");
    disk.sync_folder("").expect("synced");
    file.write_durable(&[1; 10], 0).expect("written");
    disk.lose("a");
    assert_eq!(disk.bytes("a"), None);
    disk.cut_power();
    assert_eq!(disk.bytes("a"), None);
}

#[test]
fn only_an_empty_folder_goes() {
    let disk = SimDisk::new(1);
    disk.create_folder("a/b").expect("made");
    drop(disk.open("a/b/c", true).expect("made"));
    assert!(disk.remove_folder("a/b").is_err());
    disk.remove("a/b/c").expect("removed");
    disk.remove_folder("a/b").expect("removed");
    assert_eq!(disk.list("a").expect("listed"), Vec::<String>::new());
}

#[test]
fn it_tells_how_much_room_there_is() {
    let disk = SimDisk::new(1);
    assert_eq!(disk.free().expect("told"), None);
    disk.open("a", true).expect("made").write_at(&[1; 300], 0).expect("written");
    disk.set_capacity(Some(1000));
    assert_eq!(disk.free().expect("told"), Some(700));
    disk.set_capacity(Some(100));
    assert_eq!(disk.free().expect("told"), Some(0));
}
