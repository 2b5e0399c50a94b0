//! A folder of the machine: direct writes and their fallback give the same bytes.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use super::RealDisk;
use crate::disk::{Disk, File};
use crate::wal::block::Aligned;

/// A file that counts its flushes, and may not flush.
#[derive(Default)]
struct Flushed {
    times: AtomicU32,
    fails: bool,
}

impl File for Flushed {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        unreachable!("only flushed")
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        unreachable!("only flushed")
    }

    fn write_durable(&self, _: &[u8], _: u64) -> io::Result<()> {
        unreachable!("only flushed")
    }

    fn flush(&self) -> io::Result<()> {
        self.times.fetch_add(1, Ordering::Relaxed);
        if self.fails { Err(io::Error::other("the device has had enough")) } else { Ok(()) }
    }

    fn size(&self) -> io::Result<u64> {
        unreachable!("only flushed")
    }

    fn set_size(&self, _: u64) -> io::Result<()> {
        unreachable!("only flushed")
    }
}

/// Flushes so many files together, of which one may fail.
fn flush(count: usize, fails: Option<usize>) -> (io::Result<()>, Vec<u32>) {
    let files: Vec<Flushed> = (0..count).map(|n| Flushed { fails: fails == Some(n), ..Flushed::default() }).collect();
    let all: Vec<&dyn File> = files.iter().map(|file| file as &dyn File).collect();
    let done = RealDisk::new("nowhere").flush_files(&all);
    (done, files.iter().map(|file| file.times.load(Ordering::Relaxed)).collect())
}

#[test]
fn files_that_are_flushed_together_are_each_flushed_once() {
    for count in [0, 1, 2, 3, 4, 5, 7, 8, 9, 33] {
        let (done, times) = flush(count, None);
        assert!(done.is_ok() && times == vec![1; count], "{count}: {times:?}");
    }
}

#[test]
fn one_file_that_cannot_be_flushed_fails_the_flush_of_all_of_them() {
    for count in [1, 2, 5, 9] {
        for fails in 0..count {
            assert!(flush(count, Some(fails)).0.is_err(), "file {fails} of {count} failed without a word");
        }
    }
}

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

#[test]
fn a_long_run_lands_wherever_it_begins_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = RealDisk::new(folder.path());
    let file = disk.open("f", true).expect("made");
    let mut expected = Vec::new();
    // Parts of many lengths, runs of 64 KiB to 3 MiB, with ends anywhere in a block, and short ones between.
    for (number, length) in
        [100_000, 65_536, 70_001, 3_000_000, 1_048_576, 5, 200_000, 1_044_480].into_iter().enumerate()
    {
        let bytes: Vec<u8> = (0..length).map(|n| (n * 7 + number) as u8).collect();
        let parts: Vec<&[u8]> = bytes.chunks(1000 + 37 * number).collect();
        file.write_parts_at(&parts, expected.len() as u64).expect("written");
        expected.extend_from_slice(&bytes);
        if number == 3 {
            file.flush().expect("flushed");
        }
    }
    file.flush().expect("flushed");
    let mut found = vec![0; expected.len()];
    file.read_at(&mut found, 0).expect("read");
    assert!(found == expected);
    assert_eq!(file.size().expect("a size"), expected.len() as u64);
}
