//! The pure parts: the table of keys, what stays of a batch, and what is worth a pass.

mod rules;

use evenkeel_model::Timestamp;

use super::latest::Latest;
use super::plan::{Bounds, Dirt, dirt, groups};
use crate::segment::Segment;

#[test]
fn the_table_knows_the_newest_offset_of_each_key() {
    let mut latest = Latest::new(64 << 10, [1, 2]);
    for offset in 0..3000_u64 {
        assert!(latest.note(0, format!("k{}", offset % 1000).as_bytes(), offset));
    }
    assert_eq!(latest.keys(), 1000);
    for key in 0..1000_u64 {
        assert_eq!(latest.of(0, format!("k{key}").as_bytes()), Some(2000 + key));
        assert_eq!(latest.of(1, format!("k{key}").as_bytes()), None, "another space has keys of its own");
    }
    assert_eq!(latest.of(0, b"k1000"), None);
}

#[test]
fn a_full_table_takes_no_new_key_and_goes_on_with_those_it_has() {
    let mut latest = Latest::new(10 * 24, [3, 4]);
    let taken = (0..20_u64).take_while(|n| latest.note(0, &n.to_le_bytes(), *n)).count();
    assert_eq!(taken, 7);
    assert!(latest.note(0, &0_u64.to_le_bytes(), 50));
    assert_eq!(latest.of(0, &0_u64.to_le_bytes()), Some(50));
    assert!(!latest.note(0, b"new", 51));
    assert_eq!(latest.of(0, b"new"), None);
}

fn segment(base: u64, end: u64, log_bytes: u64, last_ms: i64) -> Segment {
    Segment { end, log_bytes, last_at: Timestamp::from_millis(last_ms), ..Segment::at(base) }
}

fn four() -> Vec<Segment> {
    vec![segment(0, 10, 100, 10), segment(10, 20, 100, 20), segment(20, 30, 100, 30), segment(30, 35, 50, 40)]
}

fn bounds(cleaned: u64, floor: u64, settled_ms: i64) -> Bounds {
    Bounds { cleaned, floor, settled: Timestamp::from_millis(settled_ms) }
}

#[test]
fn the_segment_that_grows_is_no_part_of_a_pass() {
    assert_eq!(dirt(&four(), bounds(0, 35, 100)), Dirt { end: 30, clean: 0, dirty: 300 });
    assert_eq!(dirt(&[], bounds(0, 0, 100)), Dirt::default());
}

#[test]
fn a_pass_ends_before_the_floor_and_before_what_is_too_young() {
    assert_eq!(dirt(&four(), bounds(0, 29, 100)), Dirt { end: 20, clean: 0, dirty: 200 });
    assert_eq!(dirt(&four(), bounds(0, 35, 15)), Dirt { end: 10, clean: 0, dirty: 100 });
    assert_eq!(dirt(&four(), bounds(0, 5, 100)), Dirt { end: 0, clean: 0, dirty: 0 });
}

#[test]
fn a_part_that_is_clean_counts_against_the_ratio() {
    let dirt = dirt(&four(), bounds(10, 35, 100));
    assert_eq!(dirt, Dirt { end: 30, clean: 100, dirty: 200 });
    assert!(dirt.reaches(66) && !dirt.reaches(67));
    assert!(!Dirt { end: 5, clean: 10, dirty: 0 }.reaches(0), "nothing dirty is never worth a pass");
}

#[test]
fn small_neighbours_go_together() {
    assert_eq!(groups(&four(), 30, 100), vec![0..1, 1..2, 2..3]);
    assert_eq!(groups(&four(), 30, 250), vec![0..2, 2..3]);
    assert_eq!(groups(&four(), 20, 1000), vec![0..2]);
    assert_eq!(groups(&four(), 11, 1000), vec![0..2], "a segment that is clean in part belongs to the pass");
    assert_eq!(groups(&four(), 0, 1000), Vec::<std::ops::Range<usize>>::new());
}
