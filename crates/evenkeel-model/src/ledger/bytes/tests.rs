//! The promises of the ledger's bytes: equal on the way back, cheap, fixed, and safe to read.

use std::sync::Arc;

use super::{decode, encode};
use crate::ledger::{AttemptFailed, Ended, LedgerEntry, LedgerRecord, Overdue, Redriven};
use crate::{FailureClass, FailureInfo, Outcome, Timestamp};

/// splitmix64: enough for tests, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Small numbers often, huge ones sometimes.
    fn wide(&mut self) -> u64 {
        let shift = self.below(64);
        self.next() >> shift
    }

    fn text(&mut self) -> String {
        let pick = self.below(6);
        ["", "OrderCreated", "/shop/orders", "naïve ünïcode", "2026-11-21", "\0\n\""][pick as usize].to_owned()
    }

    fn time(&mut self) -> Timestamp {
        Timestamp::from_micros(self.wide().cast_signed())
    }
}

fn simple(offset: u64, at: i64, latency_us: u64, handler_us: u64) -> Ended {
    Ended {
        handler_version: Arc::from("2026.11.3"),
        created_to_ended_us: latency_us,
        handler_us,
        ..Ended::at_once(offset, Outcome::Completed, "OrderCreated", "/shop/orders", Timestamp::from_micros(at))
    }
}

fn record(entries: Vec<LedgerEntry>) -> LedgerRecord {
    LedgerRecord {
        subscription: Arc::from("payment"),
        topic: Arc::from("orders"),
        partition: 3,
        sequence: 7,
        at: Timestamp::from_micros(1_795_000_000_000_000),
        entries,
    }
}

fn any_failure(dice: &mut Dice) -> FailureInfo {
    FailureInfo {
        class: FailureClass::ALL[dice.below(8) as usize],
        status: (dice.below(2) == 0).then(|| dice.wide() as u16),
        fingerprint: format!("{:016x}", dice.below(3)),
        message: dice.text(),
        reason: dice.text(),
        first_failed_at: dice.time(),
        last_failed_at: dice.time(),
    }
}

fn any_ended(dice: &mut Dice) -> Ended {
    let mut ended = simple(dice.wide(), dice.wide().cast_signed(), dice.wide(), dice.wide());
    ended.kind = Arc::from(dice.text());
    ended.source = Arc::from(dice.text());
    ended.handler_version = Arc::from(dice.text());
    ended.overdue = dice.below(2) == 0;
    ended.created_believed = dice.below(2) == 0;
    ended.emitted = dice.below(3) as u32;
    if dice.below(2) == 0 {
        ended.outcome = Outcome::ALL[dice.below(8) as usize];
        ended.attempts = dice.wide() as u32;
        ended.deliveries = dice.wide() as u32;
        ended.deferrals = dice.wide() as u32;
        ended.crashes = dice.below(4) as u32;
        ended.failure = (dice.below(2) == 0).then(|| any_failure(dice));
    }
    ended
}

fn any_entry(dice: &mut Dice) -> LedgerEntry {
    match dice.below(4) {
        0 => LedgerEntry::Ended(any_ended(dice)),
        1 => LedgerEntry::Attempt(AttemptFailed {
            offset: dice.wide(),
            delivery: dice.wide() as u32,
            at: dice.time(),
            took_us: dice.wide(),
            class: FailureClass::ALL[dice.below(8) as usize],
            status: (dice.below(2) == 0).then(|| dice.wide() as u16),
            fingerprint: dice.text(),
            message: dice.text(),
            next_at: (dice.below(2) == 0).then(|| dice.time()),
        }),
        2 => LedgerEntry::Redriven(Redriven {
            offset: dice.wide(),
            at: dice.time(),
            letter: dice.wide(),
            job: dice.text(),
        }),
        _ => LedgerEntry::Overdue(Overdue { offset: dice.wide(), at: dice.time(), threshold_us: dice.wide() }),
    }
}

fn any_record(dice: &mut Dice) -> LedgerRecord {
    let count = dice.below(20);
    LedgerRecord {
        subscription: Arc::from(dice.text()),
        topic: Arc::from(dice.text()),
        partition: dice.wide() as u32,
        sequence: dice.wide(),
        at: dice.time(),
        entries: (0..count).map(|_| any_entry(dice)).collect(),
    }
}

#[test]
fn every_record_is_read_back_as_it_was_written() {
    for seed in 0..2_000 {
        let written = any_record(&mut Dice(seed));
        assert_eq!(decode(&encode(&written)).as_ref(), Ok(&written), "seed {seed}");
    }
}

#[test]
fn an_event_that_simply_completed_costs_at_most_twelve_bytes() {
    let mut dice = Dice(42);
    let mut worst = 0;
    let mut total = 0;
    let rounds = 500;
    for round in 0..rounds {
        // 64 in flight over lanes: offsets out of order, two event types, 5 to 400 ms at the
        // handler, up to 2 s since creation, up to 20 ms between two answers.
        let mut at = 1_795_000_000_000_000;
        let mut entries = Vec::new();
        for n in 0..64_u64 {
            at += dice.below(20_000).cast_signed();
            let handler = 5_000 + dice.below(395_000);
            let offset = 10_000_000 + round * 64 + (n ^ dice.below(16));
            let mut ended = simple(offset, at, handler + dice.below(1_600_000), handler);
            // The first two bring both labels into the dictionary, which is beside the twelve bytes.
            if n == 1 || (n > 1 && dice.below(3) == 0) {
                ended.kind = Arc::from("OrderCancelled");
            }
            entries.push(LedgerEntry::Ended(ended));
        }
        let sizes: Vec<usize> = (2..=64).map(|end| encode(&record(entries[..end].to_vec())).len()).collect();
        worst = sizes.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap().max(worst);
        total += sizes[62];
    }
    assert!(worst <= 12, "an entry took {worst} bytes");
    let mean = total as f64 / (rounds * 64) as f64;
    assert!(mean <= 13.0, "{mean:.2} bytes for each event, head and dictionary included");
}

#[test]
fn an_outage_of_one_message_stores_it_once() {
    let failed = |n: u64| {
        LedgerEntry::Attempt(AttemptFailed {
            offset: n,
            delivery: 1,
            at: Timestamp::from_micros(1_795_000_000_000_000),
            took_us: 1200,
            class: FailureClass::Unreachable,
            status: None,
            fingerprint: "0123456789abcdef".to_owned(),
            message: "connect to 127.0.0.1:9002: connection refused".repeat(8),
            next_at: None,
        })
    };
    let one = encode(&record(vec![failed(0)])).len();
    let hundred = encode(&record((0..100).map(failed).collect())).len();
    assert!(hundred < one + 100 * 10, "{one} bytes for one, {hundred} for a hundred");
}

#[test]
fn the_bytes_of_version_1_stay_as_they_are() {
    let mut dead = simple(12, 1_795_000_000_000_500, 400, 90);
    dead.outcome = Outcome::Dead;
    dead.attempts = 8;
    dead.failure = Some(FailureInfo {
        class: FailureClass::Failed,
        status: Some(500),
        fingerprint: "fp".to_owned(),
        message: "no".to_owned(),
        reason: "attempts_exhausted".to_owned(),
        first_failed_at: Timestamp::from_micros(1_795_000_000_000_000),
        last_failed_at: Timestamp::from_micros(1_795_000_000_000_499),
    });
    let written = record(vec![
        LedgerEntry::Ended(simple(10, 1_795_000_000_000_100, 300, 70)),
        LedgerEntry::Ended(dead),
        LedgerEntry::Overdue(Overdue {
            offset: 13,
            at: Timestamp::from_micros(1_795_000_000_000_600),
            threshold_us: 500_000,
        }),
    ]);
    let hex: String = encode(&written).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
    let bytes: Vec<u8> =
        (0..GOLDEN.len()).step_by(2).map(|i| u8::from_str_radix(&GOLDEN[i..i + 2], 16).unwrap()).collect();
    assert_eq!(decode(&bytes), Ok(written));
}

const GOLDEN: &str = concat!(
    "01077061796d656e74066f7264657273030780c0f995e0a2b006060c4f72646572437265617465640c2f73686f702f6f",
    "726465727309323032362e31312e33026670026e6f12617474656d7074735f6578686175737465640100010203000016",
    "c801ac02468804a00690035a04080100000102f503030405e7070106c801a0c21e",
);

#[test]
fn bytes_cut_short_are_refused_at_every_length() {
    let bytes = encode(&any_record(&mut Dice(5)));
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end]).is_err(), "{end} of {} bytes were read as a record", bytes.len());
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(decode(&longer).is_err());
}

#[test]
fn flipped_and_random_bytes_never_panic_nor_run_away() {
    let mut dice = Dice(9);
    let good = encode(&any_record(&mut Dice(5))).to_vec();
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=dice.below(3) {
            let at = dice.below(bytes.len() as u64) as usize;
            bytes[at] = dice.next() as u8;
        }
        read += usize::from(decode(&bytes).is_ok_and(|record| record.entries.len() <= bytes.len()));
        let noise: Vec<u8> = std::iter::once(1).chain((0..dice.below(64)).map(|_| dice.next() as u8)).collect();
        let _ = decode(&noise);
    }
    assert!(read > 0, "no mutation got past the head, so the entries were not tried");
}

#[test]
fn a_dictionary_cannot_be_multiplied_into_memory() {
    let entry = LedgerEntry::Attempt(AttemptFailed {
        offset: 0,
        delivery: 1,
        at: Timestamp::EPOCH,
        took_us: 0,
        class: FailureClass::Failed,
        status: None,
        fingerprint: String::new(),
        message: "x".repeat(1 << 20),
        next_at: None,
    });
    let bytes = encode(&record(vec![entry; 65]));
    assert!(bytes.len() < (1 << 20) + 2048);
    assert_eq!(decode(&bytes).unwrap_err().0, "more text than a record may hold");
}

#[test]
fn a_count_beyond_the_bytes_is_refused_before_it_is_allocated() {
    let empty = encode(&record(Vec::new())).to_vec();
    // The last three bytes are the counts of texts, labels and entries.
    for place in 1..=3 {
        let mut bytes = empty[..empty.len() - place].to_vec();
        crate::varint::put_u64(&mut bytes, u64::MAX >> 2);
        bytes.extend_from_slice(&[0; 8]);
        assert_eq!(decode(&bytes).unwrap_err().0, "a count beyond the bytes", "count {place} from the end");
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let mut bytes = encode(&record(Vec::new())).to_vec();
    bytes[0] = 2;
    assert!(decode(&bytes).unwrap_err().to_string().contains("version"));
}
