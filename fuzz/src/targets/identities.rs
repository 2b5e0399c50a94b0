//! Identities of a Kafka ledger: whatever the bytes are, reading ends, and what can be read is read alike once it
//! is written again.
#![no_main]

use bytes::Bytes;
use evenkeel_delivery::{Fact, Mark, Remembered, decode_identities, encode_identities};
use evenkeel_fuzz::{Tally, seed};
use evenkeel_model::ledger::Ended;
use evenkeel_model::{Outcome, Shard, Timestamp};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

fn ended(offset: u64, at: Timestamp, mark: Mark) -> Fact {
    let entry = Ended {
        offset,
        outcome: Outcome::Completed,
        kind: "".into(),
        source: "".into(),
        handler_version: "".into(),
        at,
        created_to_ended_us: 1,
        handler_us: 1,
        created_believed: true,
        overdue: false,
        attempts: 1,
        deliveries: 1,
        deferrals: 0,
        crashes: 0,
        emitted: 0,
        failure: None,
    };
    Fact::Ended { shard: Shard::new("orders", 3), mark: Some(mark), entry }
}

fn read(bytes: &Bytes) -> Option<Vec<Remembered>> {
    let mut all = Vec::new();
    decode_identities(bytes, &Shard::new("orders", 3), |one| all.push(one)).then_some(all)
}

fn sample() -> Vec<u8> {
    let at = Timestamp::from_micros(1_769_848_200_000_000);
    let facts: Vec<Fact> = (0..20).map(|n| ended(n * 3, at, Mark([n as u8; 16]))).collect();
    encode_identities(&facts).map(|bytes| bytes.to_vec()).unwrap_or_default()
}

fuzz_target!(init: seed(&[sample()]), |input: &[u8]| {
    let bytes = Bytes::copy_from_slice(input);
    let found = read(&bytes);
    TALLY.count(found.is_some());
    let Some(found) = found else { return };
    // Each takes 16 bytes and two numbers.
    assert!(found.len() * 18 <= input.len());
    let again: Vec<Fact> = found
        .iter()
        .filter_map(|one| match one {
            Remembered::Done { at, mark: Some(mark), when } if at.offset <= i64::MAX as u64 / 2 => {
                Some(ended(at.offset, *when, *mark))
            }
            _ => None,
        })
        .collect();
    let tame = |one: &Remembered| matches!(one, Remembered::Done { when, .. } if when.micros().unsigned_abs() < 1 << 61);
    if again.len() == found.len() && found.iter().all(tame) {
        let written = encode_identities(&again);
        assert_eq!(written.as_ref().and_then(read).unwrap_or_default(), found);
    }
});
