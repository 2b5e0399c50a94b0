//! The search behind the end finds what reading in order finds, and costs no more than the file.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::groups;
use crate::disk::File;
use crate::recovery::chain::Reader;
use crate::safeguard::Guards;
use crate::wal::files::WalFile;
use crate::wal::header::{FileHeader, GROUP_BYTES, GroupHeader, Kind};
use crate::wal::{BLOCK, FIRST_GROUP, padded};

/// A file in memory that counts what is read from it.
struct Counted {
    bytes: Vec<u8>,
    read: AtomicU64,
}

impl File for Counted {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        let at = usize::try_from(at).expect("a small file");
        into.copy_from_slice(&self.bytes[at..at + into.len()]);
        self.read.fetch_add(into.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        unreachable!("only read")
    }

    fn write_durable(&self, _: &[u8], _: u64) -> io::Result<()> {
        unreachable!("only read")
    }

    fn flush(&self) -> io::Result<()> {
        unreachable!("only read")
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn set_size(&self, _: u64) -> io::Result<()> {
        unreachable!("only read")
    }
}

const SIZE: u64 = 2 << 20;

fn header() -> FileHeader {
    FileHeader { number: 1, size: SIZE, nonce: [7; 16] }
}

/// Puts a group with that payload at `at`, and gives back where it ends.
fn put(bytes: &mut [u8], at: u64, lsn: u64, payload: &[u8]) -> u64 {
    let length = u32::try_from(payload.len()).expect("small");
    let group = GroupHeader {
        kind: Kind::Data,
        crc: 0,
        lsn,
        previous: 0,
        length,
        durable: lsn - 1,
        generation: 1,
        at_us: 0,
        entries: 0,
    };
    let place = usize::try_from(at).expect("small");
    bytes[place + GROUP_BYTES..place + GROUP_BYTES + payload.len()].copy_from_slice(payload);
    group.seal(&mut bytes[place..], header().seed(at, Guards::default()));
    at + padded((GROUP_BYTES + payload.len()) as u64)
}

fn file(bytes: Vec<u8>) -> (WalFile, Arc<Counted>) {
    let counted = Arc::new(Counted { bytes, read: AtomicU64::new(0) });
    (WalFile { header: header(), file: counted.clone() }, counted)
}

#[test]
fn whole_groups_of_every_length_are_found_and_broken_ones_are_not() {
    let mut bytes = vec![0; usize::try_from(SIZE).expect("small")];
    let lengths = [0, 1, 4031, 4032, 4033, 8127, 8128, 8129, 20_000, 300_000];
    let (mut at, mut places) = (FIRST_GROUP, Vec::new());
    for (lsn, length) in (1..).zip(lengths) {
        places.push((at, lsn));
        let payload: Vec<u8> =
            (0..length).map(|i: u32| (i * 31 + u32::try_from(lsn).expect("small")).to_le_bytes()[0]).collect();
        at = put(&mut bytes, at, lsn, &payload);
    }
    for broken in [None, Some(4), Some(8), Some(9)] {
        let mut bytes = bytes.clone();
        if let Some(index) = broken {
            let (at, _): (u64, u64) = places[index];
            bytes[usize::try_from(at).expect("small") + GROUP_BYTES + lengths[index] as usize - 1] ^= 1;
        }
        let (file, _) = file(bytes);
        let found: Vec<_> =
            groups(&file, Guards::default(), FIRST_GROUP).expect("read").iter().map(|(at, h)| (*at, h.lsn)).collect();
        let mut expected = places.clone();
        broken.map(|index| expected.remove(index));
        assert_eq!(found, expected);
        let mut reader = Reader::new(file, Guards::default());
        assert!(found.iter().all(|(at, _)| reader.group(*at).expect("read").is_some()));
    }
}

#[test]
fn blocks_that_claim_to_begin_long_groups_cost_no_more_than_two_blocks_each() {
    let mut bytes = vec![0x5a; usize::try_from(SIZE).expect("small")];
    let mut at = FIRST_GROUP;
    while at < SIZE {
        let room = usize::try_from(SIZE - at).expect("small") - GROUP_BYTES;
        let length = u32::try_from(room).expect("small");
        let claim = GroupHeader {
            kind: Kind::Data,
            crc: 1,
            lsn: 9,
            previous: 0,
            length,
            durable: 8,
            generation: 1,
            at_us: 0,
            entries: 0,
        };
        let place = usize::try_from(at).expect("small");
        let mut head = vec![0; GROUP_BYTES + room];
        claim.seal(&mut head, 3);
        bytes[place..place + GROUP_BYTES].copy_from_slice(&head[..GROUP_BYTES]);
        at += BLOCK;
    }
    let (file, counted) = file(bytes);
    assert!(groups(&file, Guards::default(), FIRST_GROUP).expect("read").is_empty());
    let read = counted.read.load(Ordering::Relaxed);
    assert!(read <= 3 * SIZE, "{read} bytes were read of {SIZE}");
}
