//! A folder of the machine: direct writes and their fallback give the same bytes.

use super::RealDisk;
use crate::disk::Disk;
use crate::wal::block::Aligned;

#[test]
fn the_process_may_have_a_number_of_files_open_that_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let most = RealDisk::new(folder.path()).files_max();
    assert!(most >= 64, "{most}");
}

#[test]
fn a_durable_write_lands_whether_it_is_aligned_or_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = RealDisk::new(folder.path());
    let file = disk.open("f", true).expect("made");
    let mut block = Aligned::new();
    block.put(&[1; 5000]);
    block.pad();
    assert_eq!(block.bytes().len(), 8192);
    file.write_durable(block.bytes(), 4096).expect("aligned");
    file.write_durable(&block.bytes()[1..4], 2).expect("unaligned memory, length and place");
    file.write_at(&[3; 10], 8000).expect("through the cache");
    file.flush().expect("flushed");
    let mut bytes = vec![9; 12288];
    file.read_at(&mut bytes, 0).expect("read");
    let mut expected = vec![0; 12288];
    expected[4096..9096].fill(1);
    expected[2..5].fill(1);
    expected[8000..8010].fill(3);
    assert!(bytes == expected);
    assert_eq!(file.size().expect("a size"), 12288);
    let beyond = file.read_at(&mut [0; 2], 12287).expect_err("one byte is there");
    assert_eq!(beyond.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn names_come_and_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = RealDisk::new(folder.path());
    assert_eq!(disk.list("no/such").expect("listed"), Vec::<String>::new());
    disk.create_folder("a/b").expect("made");
    drop(disk.open("a/b/one", true).expect("made"));
    disk.rename("a/b/one", "a/b/two").expect("renamed");
    disk.sync_folder("a/b").expect("synced");
    assert_eq!(disk.list("a/b").expect("listed"), ["two"]);
    assert!(disk.remove_folder("a/b").is_err(), "a folder went with what was in it");
    disk.remove("a/b/two").expect("removed");
    assert!(disk.open("a/b/two", false).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound));
    disk.remove_folder("a/b").expect("removed");
    assert_eq!(disk.list("a").expect("listed"), Vec::<String>::new());
}

#[test]
fn a_folder_tells_how_much_room_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(RealDisk::new(folder.path()).free().expect("told").is_some_and(|bytes| bytes > 0));
    assert!(RealDisk::new(folder.path().join("gone")).free().is_err());
}
