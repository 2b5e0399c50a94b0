//! A file of identities that were seen: its checksums are repaired, so that the bytes get past them.
//! Whatever they are, opening and asking end, and what is found is what was asked for.
#![no_main]

use std::sync::Arc;

use evenkeel_fuzz::{Tally, seed};
use evenkeel_log::Disk;
use evenkeel_log::seen::{Series, Sighting};
use evenkeel_log::sim::SimDisk;
use evenkeel_model::Timestamp;
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

const FOLDER: &str = "seen";
const FILE: &str = "seen/0000000000000000-0000000000000009.seen";
const PAGE: usize = 4096;

fn mark(n: u8) -> [u8; 16] {
    let mut mark = [n.wrapping_mul(0x9d); 16];
    mark[8] = n;
    mark
}

fn open(disk: &SimDisk) -> Option<Series> {
    Series::open(Arc::new(disk.clone()), FOLDER.to_owned(), 3).ok()
}

fn sample() -> Vec<u8> {
    let disk = SimDisk::new(1);
    let marks = (0..9).map(|n| Sighting::new(mark(n), Timestamp::from_millis(1_769_848_200_000)));
    open(&disk).and_then(|series| series.seal(0..9, marks.collect()).ok());
    let file = disk.open(FILE, false).expect("it was sealed");
    let mut bytes = vec![0; file.size().expect("it is there") as usize];
    file.read_at(&mut bytes, 0).expect("it is there");
    squeezed(&bytes)
}

/// Without the zeros that fill the pages up: the fuzzer need not learn them.
fn squeezed(bytes: &[u8]) -> Vec<u8> {
    [&bytes[..72], &bytes[PAGE..PAGE + 9 * 23], &bytes[2 * PAGE..]].concat()
}

/// The file again, whole, with checksums that fit.
fn repaired(input: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = input.split_at_checked(72)?;
    let (page, table) = rest.split_at(rest.len().min(9 * 23));
    let mut bytes = vec![0; 2 * PAGE];
    bytes[..72].copy_from_slice(header);
    bytes[..8].copy_from_slice(b"EVKSEEN\n");
    bytes[8..12].copy_from_slice(&[1, 0, 3, 0]);
    bytes[16..32].copy_from_slice(&[0_u64.to_le_bytes(), 9_u64.to_le_bytes()].concat());
    bytes[64..68].copy_from_slice(&crc32c::crc32c(table).to_le_bytes());
    bytes[12..16].fill(0);
    let crc = crc32c::crc32c(&bytes[..72]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    bytes[PAGE..PAGE + page.len()].copy_from_slice(page);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&0_u64.to_le_bytes()), &bytes[PAGE..2 * PAGE - 4]);
    bytes[2 * PAGE - 4..].copy_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(table);
    Some(bytes)
}

fuzz_target!(
    init: seed(&[sample()]),
    |input: &[u8]| {
        let Some(bytes) = repaired(input) else { return };
        let disk = SimDisk::new(1);
        disk.create_folder(FOLDER).expect("a fresh disk");
        let file = disk.open(FILE, true).expect("a fresh disk");
        file.write_at(&bytes, 0).expect("a fresh disk");
        let series = open(&disk).expect("a damaged file is no error");
        TALLY.count(series.memory().segments == 1);
        for n in 0..12 {
            if let Ok(Some(found)) = series.find(&mark(n)) {
                assert_eq!(found.mark, mark(n));
            }
        }
        let _ = series.find_all(&[mark(1), mark(200)]);
        let _ = series.tidy(Timestamp::EPOCH);
    }
);
