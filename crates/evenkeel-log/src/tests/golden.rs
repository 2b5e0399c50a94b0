//! The bytes of version 1, as docs/format.md gives them. A change here is a new version.

use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::checkpoint::{Checkpoint, PartitionAt};
use crate::safeguard::Guards;
use crate::segment::Segment;
use crate::segment::index::Entry;
use crate::state::Place;
use crate::wal::Position;
use crate::wal::header::{FileHeader, GROUP_BYTES, GroupHeader, Kind};
use crate::{Ends, Retention, Topic, TopicSettings, control};

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
        "0100",             // version
        "0000",
        "bd27fc9f",         // checksum
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
        "0100",             // version
        "0000",             // kind
        "10c845f7",         // checksum
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
    assert_eq!((decoded, version), (GroupHeader { crc, ..header }, 1));
    assert!(decoded.fits(&group, seed));
    assert!(!decoded.fits(&group, file().seed(12288, Guards::default())), "a group fits at its own place only");
}

#[test]
fn a_slot_has_these_bytes() {
    let checkpoint = Checkpoint {
        generation: 2,
        wal: Position { file: 3, at: 8192, lsn: 7, previous: 0x0102_0304 },
        last_at: Timestamp::from_micros(5),
        partitions: vec![PartitionAt {
            place: Place { topic: 1, partition: 2 },
            ends: Ends { start: 10, high_watermark: 12 },
            segments: vec![Segment {
                base: 10,
                end: 12,
                log_bytes: 200,
                index_bytes: 32,
                indexed: 0,
                first_at: Timestamp::from_micros(4),
                last_at: Timestamp::from_micros(5),
            }],
        }],
    };
    let bytes = checkpoint.encode();
    assert_eq!(bytes.len(), 72 + 28 + 56);
    assert_eq!(hex(&bytes[..12]), "45564b534c4f540a01000000");
    assert_eq!(
        hex(&bytes[16..60]),
        "9c00000000000000020000000000000003000000000000000020000000000000070000000000000004030201"
    );
    assert_eq!(
        hex(&bytes[60..100]),
        "05000000000000000100000001000000020000000a000000000000000c0000000000000001000000"
    );
    let mut padded = bytes.clone();
    padded.resize(4096, 0);
    assert_eq!(Checkpoint::decode(&padded, Guards::default()), Ok(checkpoint));
    assert!(Checkpoint::decode(&bytes[..bytes.len() - 1], Guards::default()).is_err());
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

#[test]
fn a_topics_record_has_these_bytes() {
    let retention = Retention { age: Some(Duration::from_micros(300)), bytes: None };
    let settings = TopicSettings { partitions: 4, retention };
    let topic = Topic { name: "orders".into(), partitions: 4, settings };
    let batch = bytes::Bytes::from(control::encode(1, &topic, Timestamp::EPOCH));
    let record = crate::batch::Records::of(&batch).expect("a batch").next().expect("one").expect("a record").1;
    assert_eq!(record.key.as_deref(), Some(&b"orders"[..]));
    assert_eq!(hex(&record.value.unwrap_or_default()), "010101066f72646572730401ac0200");
    assert_eq!(control::decode(&batch), Ok(vec![(1, topic)]));
}
