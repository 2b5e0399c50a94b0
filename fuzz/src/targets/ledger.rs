//! Ledger records: what is read can be written, and is read again as the same.
#![no_main]

use evenkeel_fuzz::{Tally, seed};
use evenkeel_model::ledger::{AttemptFailed, Ended, LedgerEntry, LedgerRecord, Overdue, decode, encode};
use evenkeel_model::{FailureClass, FailureInfo, Outcome, Timestamp};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

fn sample() -> LedgerRecord {
    let at = Timestamp::from_micros(1_769_848_200_000_000);
    let ended = Ended { handler_version: "v1".into(), created_to_ended_us: 12_345, handler_us: 2_000, ..Ended::at_once(17, Outcome::Completed, "OrderCreated", "/shop", at) };
    let failure = FailureInfo {
        class: FailureClass::Rejected,
        status: Some(422),
        fingerprint: "00112233aabbccdd".to_owned(),
        message: "no such customer".to_owned(),
        reason: "rejected".to_owned(),
        first_failed_at: at,
        last_failed_at: at,
    };
    let dead = Ended { offset: 18, outcome: Outcome::Dead, failure: Some(failure), attempts: 3, ..ended.clone() };
    let attempt = AttemptFailed {
        offset: 19,
        delivery: 2,
        at,
        took_us: 5_000,
        class: FailureClass::Failed,
        status: None,
        fingerprint: "f".to_owned(),
        message: "time-out".to_owned(),
        next_at: Some(at),
    };
    let overdue = Overdue { offset: 19, at, threshold_us: 500_000 };
    LedgerRecord {
        subscription: "payment".into(),
        topic: "orders".into(),
        partition: 3,
        sequence: 9,
        at,
        entries: vec![
            LedgerEntry::Ended(ended),
            LedgerEntry::Ended(dead),
            LedgerEntry::Attempt(attempt),
            LedgerEntry::Overdue(overdue),
        ],
    }
}

fuzz_target!(
    init: seed(&[encode(&sample()).to_vec()]),
    |input: &[u8]| {
        let read = decode(input);
        TALLY.count(read.is_ok());
        if let Ok(record) = read {
            assert_eq!(decode(&encode(&record)), Ok(record));
        }
    }
);
