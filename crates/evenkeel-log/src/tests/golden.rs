//! The bytes of version 2, as docs/format.md gives them, and of what version 1 had instead. A change
//! here is a new version.

use std::time::Duration;

use bytes::{BufMut, Bytes};
use evenkeel_model::Timestamp;

use crate::calendar::Extent;
use crate::checkpoint::{Checkpoint, PartitionAt};
use crate::control::{self, Fact};
use crate::safeguard::Guards;
use crate::segment::Segment;
use crate::segment::index::Entry;
use crate::state::Place;
use crate::wal::Position;
use crate::wal::header::{FileHeader, GROUP_BYTES, GroupHeader, Kind, Unfit};
use crate::{AtLimit, Cleanup, Ends, Retention, Topic, TopicSettings};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn file() -> FileHeader {
    FileHeader { number: 3, size: 1 << 20, nonce: *b"sixteen letters!" }
}

#[test]
fn a_write_ahead_file_begins_with_its_header_twice() {
    let bytes = file().encode();
    assert_eq!(bytes.len(), 8192);
    assert_eq!(bytes[..4096], bytes[4096..]);
    let golden = concat!(
        "45564b57414c0d0a", // magic
        "0200",             // version
        "0000",
        "4437cf38",         // checksum
        "0300000000000000", // number
        "0000100000000000", // size
        "7369787465656e206c65747465727321",
    );
    assert_eq!(hex(&bytes[..48]), golden);
    assert!(bytes[48..4096].iter().all(|b| *b == 0));
    assert_eq!(FileHeader::decode(&bytes, 3, Guards::default()), Ok(file()));
}

#[test]
fn a_group_has_these_bytes() {
    let header = GroupHeader {
        kind: Kind::Data,
        crc: 0,
        lsn: 7,
        previous: 0x0102_0304,
        length: 4,
        durable: 6,
        generation: 2,
        at_us: 1_700_000_000_000_000,
        entries: 1,
    };
    let mut group = vec![0; GROUP_BYTES];
    group.extend_from_slice(b"abcd");
    let seed = file().seed(8192, Guards::default());
    let crc = header.seal(&mut group, seed);
    let golden = concat!(
        "45564b47524f5550", // magic
        "0200",             // version
        "0000",             // kind
        "fd248969",         // checksum
        "0700000000000000", // number
        "04030201",         // the one before
        "04000000",         // length
        "0600000000000000", // durable
        "0200000000000000", // checkpoint
        "00401e18240a0600", // time
        "01000000",         // entries
        "00000000",
        "61626364"
    );
    assert_eq!(hex(&group), golden);
    let (decoded, version) = GroupHeader::decode(&group).expect("a header");
    assert_eq!((decoded, version), (GroupHeader { crc, ..header }, 2));
    assert!(decoded.fits(&group, seed));
    assert!(!decoded.fits(&group, file().seed(12288, Guards::default())), "a group fits at its own place only");
}

fn checkpoint() -> Checkpoint {
    let settings = TopicSettings::partitions(3);
    Checkpoint {
        generation: 2,
        wal: Position { file: 3, at: 8192, lsn: 7, previous: 0x0102_0304 },
        last_at: Timestamp::from_micros(5),
        times: Extent { first: 1, file: 2, at: 768 },
        topics: Some(vec![(1, Topic { name: "t".into(), partitions: 3, settings })]),
        partitions: vec![PartitionAt {
            place: Place { topic: 1, partition: 2 },
            ends: Ends { start: 10, high_watermark: 12, last_stable: 0 },
            leader_epoch: 6,
            cleaned: 11,
            plain: false,
            segments: vec![Segment {
                base: 10,
                revision: 9,
                end: 12,
                log_bytes: 200,
                index_bytes: 32,
                indexed: 0,
                first_at: Timestamp::from_micros(4),
                last_at: Timestamp::from_micros(5),
            }],
        }],
        machine: Bytes::from_static(b"state"),
    }
}

#[test]
fn a_slot_has_these_bytes() {
    let checkpoint = checkpoint();
    let bytes = checkpoint.encode();
    assert_eq!(hex(&bytes[..12]), "45564b534c4f540a02000000");
    assert_eq!(bytes[16..24], (bytes.len() as u64).to_le_bytes());
    let position = concat!(
        "01004400000000000000",                                     // section 1 of 68 bytes
        "0200000000000000",                                         // generation
        "03000000000000000020000000000000070000000000000004030201", // where the log goes on
        "0500000000000000",                                         // when
        "010000000000000002000000000000000003000000000000",         // append times
    );
    let topics = concat!("02001300000000000000", "01000000", "0b000000", "0102010174030000000000");
    let partitions = concat!(
        "03007000000000000000",
        "01000000",         // one
        "0100000002000000", // place
        "0a000000000000000c00000000000000",
        "06000000",         // leader epoch
        "0b00000000000000", // compacted up to here
        "00000000",         // a folder with a number
        "01000000",         // one segment
        "0a00000000000000",
        "0900000000000000", // revision
        "0c00000000000000c800000000000000200000000000000000000000000000000400000000000000",
        "0500000000000000",
    );
    let machine = concat!("04000500000000000000", "7374617465");
    assert_eq!(hex(&bytes[24..]), [position, topics, partitions, machine].concat());
    let mut padded = bytes.clone();
    padded.resize(4096, 0);
    assert_eq!(Checkpoint::decode(&padded, Guards::default()), Ok(checkpoint));
    assert!(Checkpoint::decode(&bytes[..bytes.len() - 1], Guards::default()).is_err());
}

/// With the length and the checksum that a slot of these bytes must have.
fn signed(mut slot: Vec<u8>) -> Vec<u8> {
    let length = (slot.len() as u64).to_le_bytes();
    slot[16..24].copy_from_slice(&length);
    slot[12..16].fill(0);
    let crc = crc32c::crc32c(&slot);
    slot[12..16].copy_from_slice(&crc.to_le_bytes());
    slot
}

#[test]
fn a_slot_cut_short_or_with_other_sections_is_refused_and_never_believed() {
    let whole = checkpoint().encode();
    for length in 24..whole.len() {
        let decoded = Checkpoint::decode(&signed(whole[..length].to_vec()), Guards::default());
        assert!(matches!(decoded, Err(Unfit::Broken(_))), "{length} bytes were read as {decoded:?}");
    }
    let mut unknown = whole.clone();
    unknown.extend_from_slice(&[5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(Checkpoint::decode(&signed(unknown), Guards::default()), Err(Unfit::Broken(_))));
    let mut newer = whole;
    newer[8] = 3;
    assert_eq!(Checkpoint::decode(&signed(newer), Guards::default()), Err(Unfit::Newer(3)));
}

#[test]
fn a_slot_of_version_1_is_still_read() {
    let mut slot = b"EVKSLOT\n\x01\0\0\0".to_vec();
    slot.resize(24, 0);
    for number in [2, 3, 8192, 7] {
        slot.put_u64_le(number);
    }
    slot.put_u32_le(0x0102_0304);
    slot.put_i64_le(5);
    for number in [1, 1, 2] {
        slot.put_u32_le(number);
    }
    slot.put_u64_le(10);
    slot.put_u64_le(12);
    slot.put_u32_le(1);
    for number in [10, 12, 200, 32, 0, 4, 5] {
        slot.put_u64_le(number);
    }
    let mut expected = Checkpoint { times: Extent::default(), topics: None, machine: Bytes::new(), ..checkpoint() };
    expected.partitions[0].leader_epoch = 0;
    (expected.partitions[0].cleaned, expected.partitions[0].plain) = (0, true);
    expected.partitions[0].segments[0].revision = 0;
    assert_eq!(Checkpoint::decode(&signed(slot), Guards::default()), Ok(expected));
}

#[test]
fn an_index_entry_has_these_bytes() {
    let mut bytes = Vec::new();
    Entry { offset: 12, position: 200, appended: Timestamp::from_micros(5) }.put(&mut bytes, 10);
    assert_eq!(bytes.len(), 32);
    assert_eq!(hex(&bytes[..24]), "0c00000000000000c8000000000000000500000000000000");
    let crc = crc32c::crc32c_append(crc32c::crc32c(&10_u64.to_le_bytes()), &bytes[..24]);
    assert_eq!(hex(&bytes[24..]), hex(&crc.to_le_bytes()) + "00000000");
}

fn value_of(fact: &Fact) -> String {
    let batch = bytes::Bytes::from(control::encode(fact, Timestamp::EPOCH));
    assert_eq!(control::decode(&batch), Ok(vec![fact.clone()]));
    let record = crate::batch::Records::of(&batch).expect("a batch").next().expect("one").expect("a record").1;
    format!("{} {}", hex(&record.key.unwrap_or_default()), hex(&record.value.unwrap_or_default()))
}

fn orders(retention: Retention, cleanup: Cleanup) -> Topic {
    let settings = TopicSettings { partitions: 4, retention, cleanup };
    Topic { name: "orders".into(), partitions: 4, settings }
}

#[test]
fn a_topics_record_has_these_bytes() {
    let micros = Duration::from_micros;
    let retention = Retention { age: Some(micros(300)), bytes: None, limit: Some(5), at_limit: AtLimit::Expire };
    let cleanup = Cleanup::Compact { dirty_percent: 50, delete_retention: micros(7), min_lag: micros(0) };
    let topic = orders(retention, cleanup);
    let created = Fact::Created { number: 1, topic: topic.clone() };
    assert_eq!(value_of(&created), "6f7264657273 010201066f72646572730401ac020001050101320700");
    let configured = Fact::Configured { number: 1, topic };
    assert_eq!(value_of(&configured), "6f7264657273 020201066f72646572730401ac020001050101320700");
    let deleted = Fact::Deleted { number: 300, name: "orders".into() };
    assert_eq!(value_of(&deleted), "6f7264657273 0301ac02066f7264657273");
}

#[test]
fn a_topics_record_of_version_1_is_still_read() {
    let value = b"\x01\x01\x01\x06orders\x04\x01\xac\x02\x00";
    let record = evenkeel_model::Record { value: Some(value.to_vec().into()), ..Default::default() };
    let batch = bytes::Bytes::from(crate::batch::encode(&[record]));
    let retention = Retention { age: Some(Duration::from_micros(300)), ..Retention::default() };
    let topic = orders(retention, Cleanup::Delete);
    assert_eq!(control::decode(&batch), Ok(vec![Fact::Created { number: 1, topic }]));
}

#[test]
fn the_other_control_records_have_these_bytes() {
    let place = Place { topic: 1, partition: 300 };
    assert_eq!(value_of(&Fact::Started { place, offset: 5 }), "04010000002c010000 040101ac0205");
    assert_eq!(value_of(&Fact::Producers { until: 258 }), "05 05010201000000000000");
    assert_eq!(value_of(&Fact::Epoch { place, epoch: 3, from: 7 }), "06010000002c010000 060101ac020300000007");
}

/// Found by fuzzing, with a fitting checksum: a log begins at group 1, in file 1.
#[test]
fn a_slot_with_numbers_that_no_log_counts_to_is_refused() {
    for lsn in [0, u64::MAX] {
        let mut wrong = checkpoint();
        wrong.wal.lsn = lsn;
        assert!(Checkpoint::decode(&wrong.encode(), Guards::default()).is_err(), "group {lsn}");
    }
    for file in [1 << 20, u64::MAX] {
        let mut wrong = checkpoint();
        wrong.times = Extent { first: 1, file, at: 0 };
        assert!(Checkpoint::decode(&wrong.encode(), Guards::default()).is_err(), "file {file} of append times");
    }
}
