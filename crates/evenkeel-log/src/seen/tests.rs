use std::collections::HashMap;
use std::sync::Arc;

use evenkeel_model::Timestamp;

use super::table::{Builder, Table};
use super::*;
use crate::disk::Disk;
use crate::sim::SimDisk;

const FOLDER: &str = "seen/test";

/// Spread as a hash would spread them.
fn mark(n: u64) -> [u8; 16] {
    let mix = |mut x: u64| {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let mut mark = [0; 16];
    mark[..8].copy_from_slice(&mix(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes());
    mark[8..].copy_from_slice(&mix(n + 7).to_be_bytes());
    mark
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(seconds).unwrap() * 1000)
}

fn seen(n: u64, seconds: u64) -> Sighting {
    let mut sighting = Sighting::new(mark(n), at(seconds));
    sighting.value[..8].copy_from_slice(&n.to_le_bytes());
    sighting
}

fn open(disk: &SimDisk) -> Series {
    Series::open(Arc::new(disk.clone()), FOLDER.into(), 8).unwrap()
}

fn gaps(series: &Series, from: u64, to: u64) -> Vec<(u64, u64)> {
    series.gaps(from..to).into_iter().map(|gap| (gap.start, gap.end)).collect()
}

fn files(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.list(FOLDER).unwrap();
    names.sort();
    names
}

/// Everything that a plain map says, the series says, and nothing else.
fn agrees(series: &Series, model: &HashMap<u64, u64>, strangers: std::ops::Range<u64>) {
    for (n, seconds) in model {
        assert_eq!(series.find(&mark(*n)).unwrap(), Some(seen(*n, *seconds)), "{n}");
    }
    for n in strangers.clone() {
        assert_eq!(series.find(&mark(n)).unwrap(), None, "{n} was never seen");
    }
    let asked: Vec<u64> = model.keys().copied().chain(strangers).collect();
    let marks: Vec<[u8; 16]> = asked.iter().map(|n| mark(*n)).collect();
    let expected: Vec<_> = asked.iter().map(|n| model.get(n).map(|seconds| seen(*n, *seconds))).collect();
    assert_eq!(series.find_all(&marks).unwrap(), expected, "many at once are told the same");
}

#[test]
fn what_was_sealed_is_found_and_nothing_else_over_restarts_and_merges() {
    let disk = SimDisk::new(1);
    let (mut series, mut model) = (open(&disk), HashMap::new());
    for round in 0..20_u64 {
        // Some of each round were seen in the round before.
        let marks = (round * 900..round * 900 + 1000).map(|n| seen(n, 100 + round));
        marks.clone().for_each(|s| {
            let n = u64::from_le_bytes(*s.value.first_chunk().unwrap());
            model.insert(n, 100 + round);
        });
        series.seal(round * 10..round * 10 + 10, marks.collect()).unwrap();
        series.tidy(at(0)).unwrap();
        if round % 3 == 0 {
            series = open(&disk);
        }
    }
    assert_eq!(series.memory().segments, 6, "twice eight became one");
    assert_eq!(gaps(&series, 0, 200), []);
    agrees(&series, &model, 1_000_000..1_020_000);
    agrees(&open(&disk), &model, 0..0);
    assert_eq!(files(&disk).len(), 6, "what was merged is gone");
}

#[test]
fn a_table_names_the_entry_of_each_mark_and_a_stranger_in_one_of_thousands() {
    let mut marks: Vec<_> = (0..200_000).map(mark).collect();
    marks.sort_unstable();
    let mut builder = Builder::new(marks.len());
    marks.iter().for_each(|m| builder.push(m));
    let table = builder.finish();
    for (number, mark) in marks.iter().enumerate() {
        assert!(table.candidates(mark).any(|c| c == number));
    }
    let strangers = (1_000_000..1_200_000).filter(|n| table.candidates(&mark(*n)).next().is_some()).count();
    assert!((10..60).contains(&strangers), "{strangers} of 200,000 would be read for; 24 are expected");
    assert!(table.bytes() * 8 <= marks.len() * 20 + 64, "20 bits for each mark");
    assert_eq!(Table::decode(&table.encode(), table.buckets()), Some(table));
}

#[test]
fn the_newer_of_two_sightings_counts_within_a_segment_and_over_segments() {
    let disk = SimDisk::new(1);
    let series = open(&disk);
    series.seal(0..1, vec![seen(1, 5), seen(1, 9), seen(1, 7), seen(2, 3)]).unwrap();
    assert_eq!(series.find(&mark(1)).unwrap().map(|s| s.at), Some(at(9)));
    series.seal(1..2, vec![seen(2, 4)]).unwrap();
    assert_eq!(series.find(&mark(2)).unwrap().map(|s| s.at), Some(at(4)));
}

#[test]
fn what_is_older_than_the_window_is_forgotten_with_its_file() {
    let disk = SimDisk::new(1);
    let series = open(&disk);
    for n in 0..3 {
        series.seal(n..n + 1, vec![seen(n, 10 * n)]).unwrap();
    }
    series.tidy(at(10)).unwrap();
    let known: Vec<bool> = (0..3).map(|n| series.find(&mark(n)).unwrap().is_some()).collect();
    assert_eq!((known, files(&disk).len(), gaps(&series, 0, 3)), (vec![false, true, true], 2, vec![(0, 1)]));
}

#[test]
fn gaps_are_what_no_segment_was_made_of() {
    let series = open(&SimDisk::new(1));
    assert_eq!(gaps(&series, 3, 9), [(3, 9)]);
    series.seal(4..5, vec![]).unwrap();
    series.seal(7..20, vec![seen(1, 1)]).unwrap();
    assert_eq!(gaps(&series, 3, 9), [(3, 4), (5, 7)]);
    assert_eq!(gaps(&series, 7, 20), []);
    series.drop_range(&(4..5));
    assert_eq!(gaps(&series, 3, 9), [(3, 7)]);
}

#[test]
fn a_crash_while_sealing_or_merging_leaves_what_was_whole_before() {
    for seed in 0..24 {
        let disk = SimDisk::new(seed);
        let series = open(&disk);
        for n in 0..7 {
            series.seal(n..n + 1, (n * 300..n * 300 + 300).map(|n| seen(n, 1)).collect()).unwrap();
        }
        disk.fail_in(seed % 30);
        let sealed = series.seal(7..8, (2100..2400).map(|n| seen(n, 1)).collect()).is_ok();
        let _ = sealed.then(|| series.tidy(at(0)));
        disk.cut_power();
        let series = open(&disk);
        let durable = if sealed { 8 } else { 7 };
        assert_eq!(gaps(&series, 0, durable), [], "seed {seed}");
        for n in 0..2400 {
            let known = series.find(&mark(n)).unwrap();
            assert!(known == Some(seen(n, 1)) || (n >= 2100 && known.is_none()), "seed {seed}: {n}");
        }
        assert!(!files(&disk).iter().any(|name| name.ends_with(".new")), "seed {seed}");
    }
}

#[test]
fn no_changed_byte_is_believed() {
    let disk = SimDisk::new(1);
    open(&disk).seal(0..9, (0..500).map(|n| seen(n, 1)).collect()).unwrap();
    let path = format!("{FOLDER}/{}", files(&disk)[0]);
    let file = disk.open(&path, false).unwrap();
    let size = file.size().unwrap();
    let mut whole = vec![0; usize::try_from(size).unwrap()];
    file.read_at(&mut whole, 0).unwrap();
    let mut refused = (0, 0);
    for place in (0..whole.len()).step_by(61) {
        // A segment that cannot be opened is taken away: it is written anew for each try.
        let mut changed = whole.clone();
        changed[place] ^= 1 << (place % 8);
        disk.open(&path, true).unwrap().write_at(&changed, 0).unwrap();
        let series = open(&disk);
        if series.memory().segments == 0 {
            refused.0 += 1;
            assert_eq!(gaps(&series, 0, 9), [(0, 9)]);
            continue;
        }
        for n in (0..520).step_by(9) {
            match series.find(&mark(n)) {
                Ok(found) => assert_eq!(found, (n < 500).then(|| seen(n, 1)), "byte {place}"),
                Err(damaged) => {
                    refused.1 += 1;
                    assert_eq!(damaged.range, 0..9);
                }
            }
        }
    }
    assert!(refused.0 > 20 && refused.1 > 100, "{refused:?}");
}

#[test]
fn a_shorter_file_is_no_segment_whatever_its_header_asks_for() {
    let disk = SimDisk::new(1);
    open(&disk).seal(0..9, (0..500).map(|n| seen(n, 1)).collect()).unwrap();
    let path = format!("{FOLDER}/{}", files(&disk)[0]);
    let file = disk.open(&path, false).unwrap();
    let mut header = segment::Header::decode(&{
        let mut page = vec![0; PAGE];
        file.read_at(&mut page, 0).unwrap();
        page
    })
    .unwrap();
    for (count, buckets) in [(u64::from(u32::MAX), 1), (500, u64::MAX), (0, 62), (u64::from(u32::MAX), 1 << 40)] {
        (header.count, header.buckets) = (count, buckets);
        let file = disk.open(&path, true).unwrap();
        file.write_at(&header.encode(), 0).unwrap();
        assert!(segment::Segment::open(&disk, path.clone()).is_err());
    }
}
