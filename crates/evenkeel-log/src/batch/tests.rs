//! Batches: golden bytes, and bytes from somebody who means harm.

use bytes::Bytes;
use evenkeel_model::{Header, Record, Timestamp};

use super::{HEAD_BYTES, Head, Malformed, Records, encode, place, verify};

fn sample() -> Vec<Record> {
    vec![
        Record {
            key: Some(Bytes::from_static(b"k1")),
            value: Some(Bytes::from_static(b"hello")),
            headers: vec![Header { name: "h".into(), value: Some(Bytes::from_static(b"v")) }],
            created: Timestamp::from_millis(1_700_000_000_000),
        },
        Record { key: None, value: None, headers: Vec::new(), created: Timestamp::from_millis(1_700_000_000_005) },
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn a_batch_has_kafkas_bytes() {
    let mut batch = encode(&sample());
    place(&mut batch, 42, 7);
    let golden = concat!(
        "000000000000002a", // base offset 42
        "0000004a",         // length behind this field
        "00000007",         // leader epoch 7
        "02",               // magic
        "4ddbb054",         // crc32c of all that follows
        "0000",             // attributes
        "00000001",         // last offset delta
        "0000018bcfe56800", // base timestamp
        "0000018bcfe56805", // max timestamp
        "ffffffffffffffff", // no producer
        "ffff",
        "ffffffff",
        "00000002", // two records
        "22",       // 17 bytes
        "00",       // attributes
        "00",       // timestamp delta
        "00",       // offset delta
        "046b31",   // key
        "0a68656c6c6f",
        "02", // one header
        "0268",
        "0276",
        "0c", // 6 bytes
        "00", // attributes
        "0a", // 5 ms later
        "02", // offset delta 1
        "01", // no key
        "01", // no value
        "00"  // no headers
    );
    assert_eq!(hex(&batch), golden);
    assert_eq!(verify(&batch).map(|h| (h.base, h.count)), Ok((42, 2)));
}

#[test]
fn the_offset_and_the_epoch_lie_outside_the_checksum() {
    let mut batch = encode(&sample());
    place(&mut batch, u64::MAX >> 1, -1);
    assert!(verify(&batch).is_ok());
    batch[30] ^= 1;
    assert_eq!(verify(&batch), Err(Malformed::Checksum));
}

#[test]
fn records_come_back_with_their_offsets() {
    let mut batch = encode(&sample());
    place(&mut batch, 10, 0);
    let batch = Bytes::from(batch);
    let decoded: Vec<_> = Records::of(&batch).expect("a batch").map(|r| r.expect("a record")).collect();
    assert_eq!(decoded, [10, 11].into_iter().zip(sample()).collect::<Vec<_>>());
    let mut later = Records::of(&batch).expect("a batch");
    later.skip_to(11).expect("skipped");
    assert_eq!(later.next().expect("one is left").expect("a record").0, 11);
    assert!(later.next().is_none());
}

#[test]
fn claimed_counts_and_lengths_are_held_against_the_bytes_first() {
    let batch = encode(&sample());
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = batch.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        Head::parse(&changed)
    };
    assert_eq!(with(57, &i32::MAX.to_be_bytes()), Err(Malformed::Length), "a count");
    assert_eq!(with(57, &(-1_i32).to_be_bytes()), Err(Malformed::Length), "a negative count");
    assert_eq!(with(8, &(-1_i32).to_be_bytes()), Err(Malformed::Length), "a negative length");
    assert_eq!(with(8, &3_i32.to_be_bytes()), Err(Malformed::Length), "a length shorter than the head");
    assert_eq!(with(16, &[1]), Err(Malformed::Magic(1)));
    assert_eq!(with(0, &[0xff; 8]), Err(Malformed::Length), "a negative offset");
    assert_eq!(Head::parse(&batch[..HEAD_BYTES - 1]), Err(Malformed::Short));
    let mut compressed = batch.clone();
    compressed[22] = 4;
    assert!(matches!(Records::of(&Bytes::from(compressed)), Err(Malformed::Compressed)));
    assert!(matches!(Records::of(&Bytes::copy_from_slice(&batch[..batch.len() - 1])), Err(Malformed::Short)));
}

#[test]
fn no_change_of_a_byte_makes_decoding_panic_or_give_more_than_was_there() {
    let batch = encode(&sample());
    for at in 0..batch.len() {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff, batch[at] ^ 0x40] {
            let mut changed = batch.clone();
            changed[at] = value;
            let length = changed.len();
            if let Ok(records) = Records::of(&Bytes::from(changed)) {
                let held: usize = records.flatten().map(|(_, r)| r.key.map_or(0, |k| k.len()) + r.headers.len()).sum();
                assert!(held <= length);
            }
        }
    }
}

#[test]
fn no_records_are_no_bytes() {
    assert!(encode(&[]).is_empty());
}

#[test]
fn every_length_says_what_follows_at_the_edges_of_a_varint() {
    for bytes in [0, 1, 62, 63, 64, 65, 8190, 8191, 8192, 70_000] {
        for created in [0, 63, 64, -64, -65, 1 << 40] {
            let record = |at| Record {
                key: (bytes % 2 == 0).then(|| vec![1; bytes].into()),
                value: Some(vec![2; bytes].into()),
                created: Timestamp::from_millis(at),
                headers: vec![Header { name: "n".repeat(bytes), value: None }],
            };
            let records = vec![record(0), record(created)];
            let batch = Bytes::from(encode(&records));
            verify(&batch).expect("a batch");
            let read: Vec<Record> = Records::of(&batch).expect("a batch").map(|r| r.expect("a record").1).collect();
            assert_eq!(read, records, "{bytes} bytes, {created} ms");
        }
    }
}
