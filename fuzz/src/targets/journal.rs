//! Journal records: whatever the bytes are, reading ends, and says so the same way twice.
#![no_main]

use evenkeel_delivery::{
    BreakerMark, Counters, Fact, Forced, Mark, Open, Pending, PendingWhy, VersionMark, decode_journal, encode_journal,
};
use evenkeel_fuzz::{Tally, seed};
use evenkeel_model::ledger::{Ended, Overdue};
use evenkeel_model::{Outcome, Position, Shard, Timestamp};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

fn sample() -> Vec<Fact> {
    let at = Timestamp::from_micros(1_769_848_200_000_000);
    let shard = Shard::new("orders", 3);
    let ended = |offset| Ended { created_to_ended_us: 1, handler_us: 1, ..Ended::at_once(offset, Outcome::Completed, "OrderCreated", "/shop", at) };
    let pending = Pending {
        at: Position { shard: shard.clone(), offset: 20 },
        key: Some(bytes::Bytes::from_static(b"customer-4")),
        counters: Counters::default(),
        next_at: at,
        why: PendingWhy::Retry,
        overdue: false,
        failure: None,
    };
    vec![
        Fact::Ended { shard: shard.clone(), mark: Some(Mark([7; 16])), entry: ended(17) },
        Fact::Ended { shard: shard.clone(), mark: None, entry: ended(18) },
        Fact::Overdue { shard: shard.clone(), entry: Overdue { offset: 20, at, threshold_us: 5 } },
        Fact::Pending(pending),
        Fact::Open(Open::Among { shard: shard.clone(), offsets: vec![21, 23, 22] }),
        Fact::Open(Open::Alone { at: Position { shard: shard.clone(), offset: 24 }, crashes: 2 }),
        Fact::Open(Open::Nobody),
        Fact::Version(VersionMark { key: Mark([9; 16]), version: Some(-300) }),
        Fact::Version(VersionMark { key: Mark([8; 16]), version: None }),
        Fact::Progress { shard, below: 19 },
        Fact::Breaker(BreakerMark {
            dependency: "bank".into(),
            open_until: Some(at),
            since: at,
            steps: 0,
            forced: None,
        }),
        Fact::Breaker(BreakerMark {
            dependency: "bank".into(),
            open_until: Some(at),
            since: at,
            steps: 3,
            forced: Some(Forced { open: true, reason: "by hand".into(), at }),
        }),
        Fact::Paused(Some("by hand".to_owned())),
    ]
}

fuzz_target!(
    init: seed(&[encode_journal(&sample()).to_vec(), encode_journal(&[]).to_vec()]),
    |input: &[u8]| {
        let read = decode_journal(input);
        TALLY.count(read.is_ok());
        assert_eq!(decode_journal(input), read);
    }
);
