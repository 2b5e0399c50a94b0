//! A shop's day, audited: it adds up; and a copy of it in which one thing was changed does not.

mod day;
mod redriven;
mod retained;

use std::collections::BTreeMap;

use evenkeel_log::{Set, TopicSettings};
use evenkeel_model::ledger::{self, LedgerEntry, LedgerRecord};
use evenkeel_model::{Outcome, Position, Record, Shard, names};

use super::{Audit, SubscriptionAudit, audit};
use crate::bench::Bench;
use crate::contract::rounds::{ended, progress, round};
use crate::journal::{Envelope, hash};
use day::{Day, audited};

#[tokio::test]
async fn a_day_adds_up() {
    let day = Day::new().await;
    let found = audit(&day.bench.log, &[audited(None)]).unwrap();
    let expected = SubscriptionAudit {
        name: "payment".into(),
        appended: 48,
        completed: 31,
        duplicate: 1,
        filtered: 4,
        dead: 3,
        dropped: 1,
        parked: 2,
        unread: 6,
        ..SubscriptionAudit::default()
    };
    assert_eq!(found, Audit { ok: true, subscriptions: vec![expected] });
}

#[tokio::test]
async fn a_running_node_tells_what_is_in_flight() {
    let day = Day::new().await;
    let end = day.ended_in(0);
    let pending = (end..24).map(|offset| (Position { shard: Shard::new("orders", 0), offset }, offset == 23)).collect();
    let found = audit(&day.bench.log, &[audited(Some(pending))]).unwrap();
    assert!(found.ok, "{found:?}");
    let sums = &found.subscriptions[0];
    // Offset 20 of partition 1 waits by the journal; what is behind it the node did not read.
    assert_eq!((end, sums.in_flight, sums.parked, sums.unread), (20, 3, 2, 3), "{sums:?}");
}

#[tokio::test]
async fn a_day_adds_up_over_restarts() {
    let mut day = Day::new().await;
    day.bench.crash();
    day.open().await;
    day.end_the_rest().await;
    let found = audit(&day.bench.log, &[audited(None)]).unwrap();
    let sums = &found.subscriptions[0];
    assert!(found.ok, "{found:?}");
    assert_eq!((sums.parked, sums.unread, sums.completed), (0, 0, 39));
    let mut next: BTreeMap<u32, u64> = BTreeMap::new();
    for record in ledger_of(&day.bench) {
        let expected = next.entry(record.partition).or_default();
        assert_eq!(record.sequence, *expected, "the numbers go on where they were");
        *expected += 1;
    }
}

fn ledger_of(bench: &Bench) -> Vec<LedgerRecord> {
    let records = bench.records(names::LEDGER_TOPIC);
    records.iter().map(|s| ledger::decode(s.record.value.as_deref().unwrap()).unwrap()).collect()
}

/// A log with the same records, but for what `change` does to those of a topic.
fn copy(bench: &Bench, change: impl Fn(&str, Vec<Record>) -> Vec<Record>) -> Bench {
    let copy = Bench::new(&[]);
    for topic in bench.log.topics() {
        if topic.name.as_ref() != names::CONTROL_TOPIC {
            copy.log.create_topic(&topic.name, TopicSettings::partitions(topic.partitions)).unwrap().wait().unwrap();
        }
        for partition in 0..topic.partitions {
            let stored = bench.records(&topic.name).into_iter().filter(|s| s.at.shard.partition == partition);
            let records = change(&topic.name, stored.map(|s| s.record).collect());
            if topic.name.as_ref() != names::CONTROL_TOPIC && !records.is_empty() {
                copy.log.append(Set::of(Shard::new(topic.name.clone(), partition), records)).wait().unwrap();
            }
        }
    }
    copy
}

fn problems(bench: &Bench) -> Vec<String> {
    let found = audit(&bench.log, &[audited(None)]).unwrap();
    assert_eq!(found.ok, found.subscriptions[0].problems.is_empty());
    found.subscriptions[0].problems.clone()
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Drop,
    Double,
    Swap,
}

/// The ledger with its `nth` outcome changed; `None` when there is no such outcome.
fn changed(records: &[LedgerRecord], nth: usize, change: Change) -> Option<Vec<LedgerRecord>> {
    let mut records = records.to_vec();
    let places: Vec<(usize, usize)> = records
        .iter()
        .enumerate()
        .flat_map(|(r, record)| (0..record.entries.len()).map(move |e| (r, e)))
        .filter(|(r, e)| matches!(records[*r].entries[*e], LedgerEntry::Ended(_)))
        .collect();
    let (r, e) = *places.get(nth)?;
    match change {
        Change::Drop => drop(records[r].entries.remove(e)),
        Change::Double => {
            let again = records[r].entries[e].clone();
            records[r].entries.push(again);
        }
        Change::Swap => {
            let same = |at: &&(usize, usize)| records[at.0].partition == records[r].partition;
            let (r2, e2) = *places[nth + 1..].iter().find(same)?;
            let (a, b) = (records[r].entries[e].clone(), records[r2].entries[e2].clone());
            (records[r].entries[e], records[r2].entries[e2]) = (b, a);
        }
    }
    Some(records)
}

fn rewritten(originals: &[Record], ledger: &[LedgerRecord]) -> Vec<Record> {
    let write = |(original, record): (&Record, &LedgerRecord)| Record {
        value: Some(ledger::encode(record)),
        ..original.clone()
    };
    originals.iter().zip(ledger).map(write).collect()
}

/// The journal with its seals made anew, as one who covers up would.
fn resealed(originals: Vec<Record>, ledger: &[LedgerRecord]) -> Vec<Record> {
    let reseal = |mut original: Record| {
        let mut envelope = Envelope::decode(original.value.as_deref().unwrap()).unwrap();
        for seal in &mut envelope.seals {
            let is_it = |l: &&LedgerRecord| l.partition == seal.shard.partition && l.sequence == seal.sequence;
            seal.hash = hash(&ledger::encode(ledger.iter().find(is_it).unwrap()));
        }
        original.value = Some(envelope.encode());
        original
    };
    originals.into_iter().map(reseal).collect()
}

#[tokio::test]
async fn each_outcome_that_is_dropped_doubled_or_swapped_is_caught() {
    let day = Day::new().await;
    let original = ledger_of(&day.bench);
    for change in [Change::Drop, Change::Double, Change::Swap] {
        let mut caught = 0;
        for nth in 0..40 {
            // The last outcome of a partition has none to be swapped with.
            let Some(ledger) = changed(&original, nth, change) else { continue };
            for covered_up in [false, true] {
                let copy = copy(&day.bench, |topic, records| match topic {
                    names::LEDGER_TOPIC => rewritten(&records, &ledger),
                    names::JOURNAL_TOPIC if covered_up => resealed(records, &ledger),
                    _ => records,
                });
                let found = problems(&copy);
                assert!(!found.is_empty(), "{change:?} of outcome {nth}, covered up: {covered_up}");
            }
            caught += 1;
        }
        assert!(caught > 35, "{change:?} was tried {caught} times");
    }
}

#[tokio::test]
async fn a_copy_without_a_change_adds_up() {
    let day = Day::new().await;
    assert_eq!(problems(&copy(&day.bench, |_, records| records)), [""; 0]);
}

#[tokio::test]
async fn a_whole_ledger_record_that_is_missing_doubled_or_swapped_is_caught() {
    let day = Day::new().await;
    let count = day.bench.records(names::LEDGER_TOPIC).len();
    for nth in 0..count {
        let tries: [fn(&mut Vec<Record>, usize); 3] = [
            |records, nth| drop(records.remove(nth)),
            |records, nth| records.insert(nth, records[nth].clone()),
            |records, nth| {
                let other = (nth + 2) % records.len();
                records.swap(nth, other);
            },
        ];
        for change in tries {
            let copy = copy(&day.bench, |topic, mut records| {
                if topic == names::LEDGER_TOPIC {
                    change(&mut records, nth);
                }
                records
            });
            assert!(!problems(&copy).is_empty(), "record {nth}");
        }
    }
}

#[tokio::test]
async fn dead_letters_and_returned_events_are_counted_against_the_ledger() {
    let day = Day::new().await;
    for (topic, double, told) in [
        ("payment.dead", false, "its dead letter is missing"),
        ("payment.dead", true, "has another one"),
        ("payments", false, "1 are missing"),
        ("payments", true, "1 are too many"),
    ] {
        let copy = copy(&day.bench, |name, mut records| {
            if name == topic && double {
                records.push(records[0].clone());
            } else if name == topic {
                records.remove(0);
            }
            records
        });
        let found = problems(&copy);
        assert!(!found.is_empty() && found.iter().all(|p| p.contains(told)), "{topic} {double}: {found:?}");
    }
}

#[tokio::test]
async fn a_dead_letter_of_an_event_that_is_not_dead_is_caught() {
    let day = Day::new().await;
    let mut letter = day.bench.records("payment.dead").remove(0).record;
    letter.headers.retain(|h| h.name != names::dead::ORIGIN);
    let alive = (0..day.ended_in(0)).find(|o| day.outcome(0, *o) == Outcome::Completed).unwrap();
    letter.push_header(names::dead::ORIGIN, format!("orders;0;{alive}"));
    day.bench.append("payment.dead", 0, vec![letter]);
    let found = problems(&day.bench);
    assert!(found[0].contains("did not end as dead"), "{found:?}");
}

#[tokio::test]
async fn progress_beyond_an_event_without_outcome_is_a_loss() {
    let day = Day::new().await;
    let shard = Shard::new("orders", 0);
    let lost = day.ended_in(0) + 1;
    let facts = vec![ended(&shard, lost, Outcome::Completed, 0), progress(&shard, lost + 1)];
    day.commit(round(9, facts)).await;
    let found = problems(&day.bench);
    assert!(found.iter().any(|p| p.contains(&format!("orders/0 offset {} is lost", lost - 1))), "{found:?}");
}

#[tokio::test]
async fn events_of_one_key_that_end_in_the_wrong_order_are_caught() {
    let day = Day::new().await;
    let shard = Shard::new("orders", 0);
    let end = day.ended_in(0);
    // Every eighth event of a partition has the same key.
    let facts = vec![ended(&shard, end + 8, Outcome::Completed, 0), ended(&shard, end, Outcome::Completed, 0)];
    day.publish_more(24).await;
    day.commit(round(9, facts)).await;
    let found = audit(&day.bench.log, &[audited(None)]).unwrap();
    let sums = &found.subscriptions[0];
    assert_eq!(sums.order_violations, 1, "{sums:?}");
    assert!(sums.problems[0].contains(&format!("orders/0 offset {end}")) || sums.problems[0].contains("same key"));
    let mut unordered = audited(None);
    unordered.order = evenkeel_delivery::Order::None;
    assert!(audit(&day.bench.log, &[unordered]).unwrap().ok);
}

#[tokio::test]
async fn a_subscription_counts_from_where_it_began() {
    let bench = Bench::new(&[("orders", 1), ("payments", 1)]);
    let records = crate::contract::rounds::records(10);
    bench.append("orders", 0, records);
    let mut day = Day::on(bench).await;
    day.open().await;
    let shard = Shard::new("orders", 0);
    day.commit(round(1, vec![progress(&shard, 7)])).await;
    day.commit(round(2, vec![ended(&shard, 7, Outcome::Completed, 0), progress(&shard, 8)])).await;
    let found = audit(&day.bench.log, &[audited(None)]).unwrap();
    let sums = &found.subscriptions[0];
    assert!(found.ok, "{found:?}");
    assert_eq!((sums.appended, sums.completed, sums.unread), (3, 1, 2));
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_a_problem() {
    let bench = Bench::new(&[]);
    assert!(problems(&bench)[0].contains("`orders` does not exist"));
}
