//! What stays of a batch, and that the bytes that are left are a batch.

use bytes::Bytes;
use evenkeel_model::{Header, Record, Timestamp};

use super::super::latest::Latest;
use super::super::rewrite::{Frame, Line, Rewritten, lines};
use super::super::rules::{Met, Rules, note};
use crate::batch::{encode, place};

const SECRET: [u64; 2] = [7, 8];
const HOUR: i64 = 3_600_000;

fn space(_: &Line<'_>) -> u8 {
    0
}

fn record(key: Option<&str>, value: Option<&str>, ms: i64) -> Record {
    Record {
        key: key.map(|k| Bytes::copy_from_slice(k.as_bytes())),
        value: value.map(|v| Bytes::copy_from_slice(v.as_bytes())),
        headers: vec![Header { name: "h".into(), value: Some(Bytes::from_static(b"v")) }],
        created: Timestamp::from_millis(ms),
    }
}

fn batch(base: u64, records: &[Record]) -> Vec<u8> {
    let mut batch = encode(records);
    place(&mut batch, base, 3);
    batch
}

/// Keys and values at 1,000 ms, 1,001 ms, …; an empty value is a tombstone.
fn plain(base: u64, pairs: &[(&str, &str)]) -> Vec<u8> {
    let record =
        |(n, (key, value)): (i64, &(&str, &str))| record(Some(key), (!value.is_empty()).then_some(*value), 1000 + n);
    batch(base, &(0..).zip(pairs).map(record).collect::<Vec<_>>())
}

/// The same batch, of a producer's transaction.
fn of_producer(mut batch: Vec<u8>, producer: i64, attributes: i16) -> Vec<u8> {
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[43..51].copy_from_slice(&producer.to_be_bytes());
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

fn transactional(batch: Vec<u8>, producer: i64) -> Vec<u8> {
    of_producer(batch, producer, 16)
}

fn marker(base: u64, producer: i64) -> Vec<u8> {
    of_producer(batch(base, &[record(Some("\0\0\0\u{1}"), Some("\0\0\0\0\0\0"), 5)]), producer, 16 | 32)
}

/// A pass over these batches, with those offsets of producer 9 aborted.
struct Pass {
    now_ms: i64,
    until: u64,
    aborted: std::ops::Range<u64>,
}

impl Pass {
    fn at(now_ms: i64) -> Pass {
        Pass { now_ms, until: u64::MAX, aborted: 0..0 }
    }

    fn over(&self, batches: &[Vec<u8>]) -> (Vec<Vec<u8>>, Option<i64>) {
        let aborted = |producer: i64, offset: u64| producer == 9 && self.aborted.contains(&offset);
        let mut latest = Latest::new(1 << 12, SECRET);
        for batch in batches {
            assert_eq!(note(&mut latest, batch, &aborted, space), Ok(None));
        }
        let (now_ms, until) = (self.now_ms, self.until);
        let rules = Rules { latest: &latest, until, now_ms, delete_retention_ms: HOUR, aborted: &aborted, space };
        let mut met = Met::default();
        let apply = |batch: &Vec<u8>| match rules.apply(&mut met, batch).expect("well formed") {
            Rewritten::Same => Some(batch.clone()),
            Rewritten::Gone => None,
            Rewritten::New(bytes) => Some(checked(bytes)),
        };
        let left = batches.iter().filter_map(apply).collect();
        (left, met.due_ms)
    }
}

/// Fails unless length and checksum are true.
fn checked(bytes: Vec<u8>) -> Vec<u8> {
    let claimed = u32::from_be_bytes(bytes[17..21].try_into().expect("four bytes"));
    assert_eq!(crc32c::crc32c(&bytes[21..]), claimed);
    assert_eq!(i32::from_be_bytes(bytes[8..12].try_into().expect("four bytes")) as usize, bytes.len() - 12);
    bytes
}

fn offsets(batches: &[Vec<u8>]) -> Vec<u64> {
    let of = |batch: &Vec<u8>| {
        let frame = Frame::of(batch).expect("a head");
        lines(&frame, batch).expect("records").iter().map(|l| l.offset).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of).collect()
}

#[test]
fn of_each_key_the_newest_record_stays_with_its_offset_and_bytes() {
    let batches = [plain(10, &[("a", "1"), ("b", "2"), ("c", "3")]), plain(13, &[("b", "4"), ("d", "5")])];
    let (left, due) = Pass::at(0).over(&batches);
    assert_eq!((offsets(&left), due), (vec![10, 12, 13, 14], None));
    assert_eq!(left[1], batches[1], "a batch that loses nothing is not touched");
    let head = Frame::of(&left[0]).expect("a head");
    assert_eq!((head.base, head.end), (10, 13), "the batch still spans the offsets that it had");
    let window = |b: &[u8]| b.windows(b"hv".len() + 1).any(|w| w == [b'h', 2, b'v']);
    assert!(window(&left[0]), "a header was lost");
}

#[test]
fn a_batch_without_a_newest_record_goes() {
    let (left, _) = Pass::at(0).over(&[plain(0, &[("a", "1"), ("a", "2")]), plain(2, &[("a", "3")])]);
    assert_eq!(offsets(&left), vec![2]);
}

#[test]
fn records_without_a_key_stay() {
    let batches = [batch(0, &[record(None, Some("x"), 1), record(None, None, 2)])];
    assert_eq!(Pass::at(0).over(&batches), (batches.to_vec(), None));
}

#[test]
fn the_newest_creation_time_of_what_stays_is_the_batch_s() {
    let batches = [plain(0, &[("a", "1"), ("b", "2")]), plain(2, &[("b", "3")])];
    let (left, _) = Pass::at(0).over(&batches);
    assert_eq!(left[0][35..43], 1000_i64.to_be_bytes());
}

#[test]
fn a_tombstone_stays_until_its_horizon_however_often_passes_come() {
    let batches = [plain(0, &[("a", "1"), ("b", "2")]), plain(2, &[("a", ""), ("c", "3")])];
    let (first, due) = Pass::at(5000).over(&batches);
    assert_eq!((offsets(&first), due), (vec![1, 2, 3], Some(5000 + HOUR)));
    let frame = Frame::of(&first[1]).expect("a head");
    assert_eq!(frame.horizon(), Some(5000 + HOUR));
    let (second, due) = Pass::at(5000 + HOUR - 1).over(&first);
    assert_eq!((&second, due), (&first, Some(5000 + HOUR)), "a later pass moved the horizon");
    let (third, due) = Pass::at(5000 + HOUR).over(&second);
    assert_eq!((offsets(&third), due), (vec![1, 3], None));
}

#[test]
fn a_horizon_leaves_the_records_times_as_they_were() {
    let (left, _) = Pass::at(5_000_000).over(&[plain(0, &[("a", ""), ("b", "2")])]);
    let records = crate::batch::Records::of(&Bytes::from(left[0].clone())).expect("readable");
    let times: Vec<i64> = records.map(|r| r.expect("a record").1.created.millis()).collect();
    assert_eq!(times, vec![1000, 1001]);
}

#[test]
fn nothing_from_the_end_of_the_range_on_is_touched() {
    let batches = [plain(0, &[("a", "1")]), plain(1, &[("b", "1"), ("a", ""), ("b", "2"), ("a", "3")])];
    let pass = Pass { until: 2, ..Pass::at(0) };
    let (left, due) = pass.over(&batches);
    assert_eq!((offsets(&left), due), (vec![2, 3, 4], None), "a tombstone got a horizon before its turn");
}

#[test]
fn a_key_that_found_no_room_ends_the_range() {
    let mut latest = Latest::new(4 * 24, SECRET);
    let pairs = [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("d", "1"), ("a", "3")];
    assert_eq!(note(&mut latest, &plain(20, &pairs), &|_, _| false, space), Ok(Some(24)));
    assert_eq!(latest.of(0, b"a"), Some(22));
}

#[test]
fn records_of_an_aborted_transaction_go_and_outdate_nothing() {
    let batches = [plain(0, &[("a", "1")]), transactional(plain(1, &[("a", "2"), ("b", "2")]), 9), marker(3, 9)];
    let pass = Pass { aborted: 1..3, ..Pass::at(0) };
    let (left, _) = pass.over(&batches);
    assert_eq!(offsets(&left), vec![0, 3]);
}

#[test]
fn a_marker_goes_like_a_tombstone_once_its_records_are_gone() {
    let batches = [transactional(plain(0, &[("a", "1")]), 9), marker(1, 9), plain(2, &[("a", "2")])];
    let (first, due) = Pass::at(0).over(&batches);
    assert_eq!((offsets(&first), due), (vec![1, 2], None), "its records were met, so it stays as it is");
    assert_eq!(first[0], batches[1]);
    let (second, due) = Pass::at(10).over(&first);
    assert_eq!((offsets(&second), due), (vec![1, 2], Some(10 + HOUR)));
    let (third, _) = Pass::at(10 + HOUR).over(&second);
    assert_eq!(offsets(&third), vec![2]);
}

#[test]
fn a_marker_stays_while_a_record_of_its_transaction_does() {
    let mut batches = vec![transactional(plain(0, &[("a", "1")]), 9), marker(1, 9)];
    for pass in 0..4 {
        let (left, due) = Pass::at(pass * 2 * HOUR).over(&batches);
        assert_eq!((&left, due), (&batches, None));
        batches = left;
    }
}

#[test]
fn a_marker_outdates_no_record_that_has_its_key() {
    let (left, _) = Pass::at(0).over(&[plain(0, &[("\0\0\0\u{1}", "1")]), marker(1, 9)]);
    assert_eq!(offsets(&left), vec![0, 1]);
}

#[test]
fn a_marker_of_another_producer_does_not_count() {
    let batches = [transactional(plain(0, &[("a", "1")]), 9), marker(1, 8)];
    let (_, due) = Pass::at(0).over(&batches);
    assert_eq!(due, Some(HOUR), "the marker of producer 8 has no records");
}

#[test]
fn a_compressed_batch_is_left_alone() {
    let batches = [of_producer(plain(0, &[("a", "1")]), -1, 2), plain(1, &[("a", "2")])];
    let (left, _) = Pass::at(0).over(&batches);
    assert_eq!(left.len(), 2);
    assert_eq!(left[0], batches[0]);
}

#[test]
fn bytes_that_contradict_themselves_are_refused() {
    let good = plain(0, &[("a", "1"), ("b", "2")]);
    let latest = Latest::new(0, SECRET);
    let rules = Rules { latest: &latest, until: 9, now_ms: 0, delete_retention_ms: 0, aborted: &|_, _| false, space };
    for length in 0..good.len() {
        assert!(rules.apply(&mut Met::default(), &good[..length]).is_err(), "{length}");
    }
    for at in 61..good.len() {
        for byte in [0, 0x7f, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] = byte;
            // Whatever it says, it neither panics nor reads beyond the bytes.
            let _ = rules.apply(&mut Met::default(), &bad);
        }
    }
}
