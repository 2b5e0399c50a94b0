//! Record batches: length, count and checksum are repaired, so that the bytes get past them.
#![no_main]

use bytes::Bytes;
use evenkeel_fuzz::{Tally, seed};
use evenkeel_log::batch::{HEAD_BYTES, Records, encode, verify};
use evenkeel_model::{Record, Timestamp};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

fn sample() -> Vec<Record> {
    let mut record = Record {
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::from_static(b"{}")),
        headers: vec![],
        created: Timestamp::from_millis(1_769_848_200_000),
    };
    record.push_header("ce_id", "1");
    vec![record.clone(), Record { key: None, value: None, ..record }]
}

fn repaired(input: &[u8]) -> Vec<u8> {
    let mut batch = input.to_vec();
    if batch.len() >= HEAD_BYTES {
        batch[0] &= 0x7f;
        let length = (batch.len() - 12) as i32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[16] = 2;
        batch[22] &= !7;
        let most = ((batch.len() - HEAD_BYTES) / 7).max(1) as u32;
        let count = u32::from_be_bytes([batch[57], batch[58], batch[59], batch[60]]) % most + 1;
        batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        batch[57..61].copy_from_slice(&count.to_be_bytes());
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    batch
}

fuzz_target!(
    init: seed(&[encode(&sample()), encode(&sample()[..1])]),
    |input: &[u8]| {
        let _ = verify(input).is_ok_and(|_| Records::of(&Bytes::copy_from_slice(input)).is_ok());
        let batch = Bytes::from(repaired(input));
        let records: Option<Vec<Record>> = verify(&batch)
            .ok()
            .and_then(|_| Records::of(&batch).ok())
            .and_then(|records| records.map(|r| r.map(|(_, record)| record).ok()).collect());
        TALLY.count(records.is_some());
        let Some(records) = records else { return };
        let again = Bytes::from(encode(&records));
        assert!(verify(&again).is_ok());
        let back: Option<Vec<Record>> =
            Records::of(&again).ok().and_then(|r| r.map(|r| r.map(|(_, record)| record).ok()).collect());
        let contents = |records: &[Record]| -> Vec<_> {
            records.iter().map(|r| (r.key.clone(), r.value.clone(), r.headers.clone())).collect()
        };
        assert_eq!(back.map(|b| contents(&b)), Some(contents(&records)));
    }
);
