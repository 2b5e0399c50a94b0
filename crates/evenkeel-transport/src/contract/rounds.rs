//! Records to publish and facts to commit, as the checks need them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::{Commit, Delivered};
use evenkeel_delivery::{AttemptId, BreakerMark, Counters, Fact, Mark, Pending, PendingWhy, Round};
use evenkeel_model::ledger::{Ended, Overdue};
use evenkeel_model::{
    AttributeValue, Event, FailureClass, FailureInfo, Header, Outcome, Position, Record, Shard, Timestamp,
};

/// The moment at which all that happens here happens.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_219_200_000);

/// An event as a record, with that key.
pub(crate) fn record(n: usize, key: &str) -> Record {
    let mut event = event("/contract", n);
    event.set_extension("partitionkey", AttributeValue::String(key.to_owned()));
    to_record(&event, NOW)
}

/// Events over a handful of keys.
pub(crate) fn records(count: usize) -> Vec<Record> {
    (0..count).map(|n| record(n, &format!("key-{}", n % 7))).collect()
}

/// A record with everything that a record can have.
pub(crate) fn ornate(payload: Bytes) -> Record {
    let mut record = record(1, "schlüssel");
    record.value = Some(payload);
    record.headers.push(Header { name: "x-empty".to_owned(), value: Some(Bytes::new()) });
    record.headers.push(Header { name: "x-null".to_owned(), value: None });
    record.headers.push(Header { name: "x-twice".to_owned(), value: Some(Bytes::from_static(b"1")) });
    record.headers.push(Header { name: "x-twice".to_owned(), value: Some(Bytes::from_static(&[0, 0xff])) });
    record
}

fn event(source: &str, n: usize) -> Event {
    let mut event = Event::new(source, format!("event-{n}"), "ContractEvent");
    event.data = Some(Bytes::from(format!("payload {n}")));
    event
}

/// An event that a handler returned.
pub(crate) fn returned(n: usize) -> Event {
    event("/contract/returned", n)
}

pub(crate) fn at(shard: &Shard, offset: u64) -> Position {
    Position { shard: shard.clone(), offset }
}

/// The mark of the event at an offset.
pub(crate) fn mark(shard: &Shard, offset: u64) -> Mark {
    Mark::of("contract", &shard.topic, &format!("{}-{offset}", shard.partition))
}

/// An outcome, remembered in the inbox unless it is filtered.
pub(crate) fn ended(shard: &Shard, offset: u64, outcome: Outcome, emitted: u32) -> Fact {
    let failure = (outcome == Outcome::Dead).then(|| failure("attempts_exhausted"));
    let entry = Ended {
        handler_version: "1".into(),
        created_to_ended_us: 1500,
        handler_us: 700,
        emitted,
        failure,
        ..Ended::at_once(offset, outcome, "ContractEvent", "/contract", NOW)
    };
    let mark = (outcome != Outcome::Filtered).then(|| mark(shard, offset));
    Fact::Ended { shard: shard.clone(), mark, entry }
}

/// An event that waits.
pub(crate) fn pending(shard: &Shard, offset: u64, attempts: u32) -> Fact {
    Fact::Pending(Pending {
        at: at(shard, offset),
        key: Some(Bytes::from_static(b"key-1")),
        counters: Counters {
            attempts,
            deliveries: attempts + 2,
            deferrals: 2,
            crashes: 1,
            aged: Duration::from_millis(1234),
        },
        next_at: NOW + Duration::from_secs(u64::from(attempts)),
        why: PendingWhy::Retry,
        overdue: true,
        failure: Some(failure("")),
    })
}

pub(crate) fn overdue(shard: &Shard, offset: u64) -> Fact {
    Fact::Overdue { shard: shard.clone(), entry: Overdue { offset, at: NOW, threshold_us: 500_000 } }
}

pub(crate) fn progress(shard: &Shard, below: u64) -> Fact {
    Fact::Progress { shard: shard.clone(), below }
}

pub(crate) fn breaker(open: bool) -> Fact {
    let open_until = open.then(|| NOW + Duration::from_secs(30));
    Fact::Breaker(BreakerMark { dependency: Arc::from("handler"), open_until, since: NOW, steps: 0, forced: None })
}

fn failure(reason: &str) -> FailureInfo {
    FailureInfo {
        class: FailureClass::Failed,
        status: Some(500),
        fingerprint: "0123456789abcdef".to_owned(),
        message: "HTTP 500: größer als erlaubt".to_owned(),
        reason: reason.to_owned(),
        first_failed_at: NOW,
        last_failed_at: NOW,
    }
}

/// A round of these facts, with nothing beside them.
pub(crate) fn round(number: u64, facts: Vec<Fact>) -> Commit {
    Commit { round: Round { number, facts, acked: Vec::new() }, emitted: Vec::new(), dead: Vec::new() }
}

/// A round in which the first event completes and returns two, and the second one dies.
pub(crate) fn full_round(done: &Arc<Delivered>, dead: &Arc<Delivered>) -> Commit {
    let (first, second) = (&done.arrival.at, &dead.arrival.at);
    let facts = vec![
        ended(&first.shard, first.offset, Outcome::Completed, 2),
        ended(&second.shard, second.offset, Outcome::Dead, 0),
    ];
    let mut commit = round(1, facts);
    commit.round.acked = vec![(first.clone(), AttemptId(1))];
    commit.emitted = vec![(first.clone(), AttemptId(1), vec![returned(1), returned(2)])];
    commit.dead = vec![dead.clone()];
    commit
}
