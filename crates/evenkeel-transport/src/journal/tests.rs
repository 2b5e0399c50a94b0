use std::sync::Arc;

use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_delivery::ports::{Delivered, Journal, Source};
use evenkeel_delivery::{AttemptId, Fact, Remembered};
use evenkeel_log::sim::Fault;
use evenkeel_model::ledger::{self, LedgerEntry};
use evenkeel_model::{Event, Outcome, Position, Shard, names};

use super::{EmbeddedJournal, JournalSettings};
use crate::audit::{Audited, audit};
use crate::bench::Bench;
use crate::contract::rounds::{at, ended, full_round, mark, pending, progress, records, returned, round};
use crate::{EmbeddedSource, SourceSettings, dead};

fn orders() -> Shard {
    Shard::new("orders", 0)
}

fn bench() -> Bench {
    let bench = Bench::new(&[("orders", 1), ("payments", 2)]);
    bench.append("orders", 0, records(30));
    bench
}

async fn journal(bench: &Bench, effects: Option<&str>) -> EmbeddedJournal {
    let settings = JournalSettings { effects: effects.map(Into::into), ..JournalSettings::new("payment") };
    let journal = EmbeddedJournal::open(bench.log.clone(), settings, bench.clock()).unwrap();
    journal.load().await.unwrap();
    journal
}

async fn delivered(bench: &Bench, offset: u64) -> Arc<Delivered> {
    let source = EmbeddedSource::open(bench.log.clone(), SourceSettings::new("payment", "orders")).unwrap();
    source.get(&at(&orders(), offset)).await.unwrap().unwrap()
}

fn emitted_in_ledger(bench: &Bench) -> Vec<u32> {
    let records = bench.records(names::LEDGER_TOPIC);
    let entries = records.iter().flat_map(|s| ledger::decode(s.record.value.as_deref().unwrap()).unwrap().entries);
    entries.filter_map(|e| if let LedgerEntry::Ended(ended) = e { Some(ended.emitted) } else { None }).collect()
}

#[tokio::test]
async fn a_round_is_one_group_of_the_log() {
    let bench = bench();
    let journal = journal(&bench, Some("payments")).await;
    let before = bench.log.version();
    journal.commit(full_round(&delivered(&bench, 0).await, &delivered(&bench, 1).await)).await.unwrap();
    assert_eq!(bench.log.version(), before + 1);
    assert_eq!(bench.records("payments").len() + bench.records("payment.dead").len(), 3);
}

#[tokio::test]
async fn a_returned_event_names_its_cause() {
    let bench = bench();
    let journal = journal(&bench, Some("payments")).await;
    let cause = delivered(&bench, 0).await;
    let mut own = returned(7);
    own.set_extension("causationid", evenkeel_model::AttributeValue::String("its own".into()));
    let mut commit = round(1, vec![ended(&orders(), 0, Outcome::Completed, 2)]);
    commit.emitted = vec![(cause.arrival.at.clone(), AttemptId(1), vec![returned(6), own])];
    journal.commit(commit).await.unwrap();
    let mut causes = Vec::new();
    for stored in bench.records("payments") {
        assert_eq!(stored.record.header(names::CAUSED_BY).unwrap().as_ref(), b"payment;orders;0;0");
        let Read::Event(event) = from_record(&stored.record, &stored.at) else { panic!("not an event") };
        causes.push(event.extension("causationid").unwrap());
    }
    causes.sort();
    assert_eq!(causes, [cause.event.id.id.as_str(), "its own"]);
}

#[tokio::test]
async fn without_an_effects_topic_nothing_is_emitted_and_the_ledger_says_so() {
    let bench = bench();
    let mut commit = round(1, vec![ended(&orders(), 0, Outcome::Completed, 1)]);
    commit.emitted = vec![(at(&orders(), 0), AttemptId(1), vec![returned(1)])];
    journal(&bench, None).await.commit(commit).await.unwrap();
    assert_eq!(emitted_in_ledger(&bench), [0]);
    assert_eq!(bench.records("payments").len(), 0);
}

#[tokio::test]
async fn an_outcome_is_not_committed_without_the_events_that_it_returned() {
    let bench = bench();
    let journal = journal(&bench, Some("payments")).await;
    let refused = journal.commit(round(4, vec![ended(&orders(), 3, Outcome::Completed, 1)])).await.unwrap_err();
    assert_eq!(refused.0, "round 4 of `payment`: orders/0 offset 3 returned 1 events, and 0 are with the round");
    assert_eq!(bench.records(names::LEDGER_TOPIC).len(), 0);
}

#[tokio::test]
async fn a_dead_letter_carries_the_event_and_its_history() {
    let bench = bench();
    let journal = journal(&bench, None).await;
    let event = delivered(&bench, 2).await;
    let mut commit = round(1, vec![ended(&orders(), 2, Outcome::Dead, 0)]);
    commit.dead = vec![event.clone()];
    journal.commit(commit).await.unwrap();
    let page = dead::list(&bench.log, "payment", &dead::Filter::default(), 0, 10).unwrap();
    let letter = &page.items[0];
    assert_eq!((page.items.len(), page.next), (1, None));
    assert_eq!(
        (&letter.id, &letter.source, &letter.key),
        (&event.event.id.id, &event.event.id.source, &event.record.key)
    );
    assert_eq!(letter.origin, Some(at(&orders(), 2)));
    assert_eq!((letter.reason.as_str(), letter.class.as_str(), letter.attempts), ("attempts_exhausted", "failed", 1));
    assert_eq!(letter.message, "HTTP 500: größer als erlaubt");
    assert_eq!((letter.fingerprint.as_str(), letter.handler_version.as_str()), ("0123456789abcdef", "1"));
    assert_eq!(letter.first_failed_at, "2026-11-21T00:00:00.000Z");
    assert_eq!(letter.event.as_ref().unwrap().data, event.event.data);
    assert_eq!(dead::show(&bench.log, "payment", 0).unwrap().as_ref(), Some(letter));
    assert_eq!(dead::show(&bench.log, "payment", 1).unwrap(), None);
    assert_eq!(dead::list(&bench.log, "nobody", &dead::Filter::default(), 0, 10).unwrap().items, []);
}

#[tokio::test]
async fn dead_letters_are_listed_in_pages() {
    let bench = bench();
    let journal = journal(&bench, None).await;
    for offset in 0..5 {
        let mut commit = round(offset, vec![ended(&orders(), offset, Outcome::Dead, 0)]);
        commit.dead = vec![delivered(&bench, offset).await];
        journal.commit(commit).await.unwrap();
    }
    let first = dead::list(&bench.log, "payment", &dead::Filter::default(), 0, 2).unwrap();
    assert_eq!((first.items.len(), first.next), (2, Some(2)));
    let rest = dead::list(&bench.log, "payment", &dead::Filter::default(), 2, 3).unwrap();
    assert_eq!((rest.items[0].at.offset, rest.items.len(), rest.next), (2, 3, None));
}

#[tokio::test]
async fn an_event_that_dies_twice_tells_of_its_last_death() {
    let bench = bench();
    let mut commit = round(1, vec![ended(&orders(), 2, Outcome::Dead, 0)]);
    commit.dead = vec![delivered(&bench, 2).await];
    journal(&bench, None).await.commit(commit).await.unwrap();
    let letters = Shard::new("payment.dead", 0);
    let source = EmbeddedSource::open(bench.log.clone(), SourceSettings::new("comp", "payment.dead")).unwrap();
    let again = source.get(&at(&letters, 0)).await.unwrap().unwrap();
    let journal = EmbeddedJournal::open(bench.log.clone(), JournalSettings::new("comp"), bench.clock()).unwrap();
    journal.load().await.unwrap();
    let mut commit = round(1, vec![ended(&letters, 0, Outcome::Dead, 0)]);
    commit.dead = vec![again];
    journal.commit(commit).await.unwrap();
    let letter = dead::list(&bench.log, "comp", &dead::Filter::default(), 0, 1).unwrap().items.remove(0);
    assert_eq!((letter.subscription.as_str(), letter.origin), ("comp", Some(at(&letters, 0))));
    let names: Vec<_> = letter.record.headers.iter().filter(|h| h.name.starts_with("evk-dlq-")).collect();
    assert_eq!(names.iter().filter(|h| h.name == names::dead::ORIGIN).count(), 1);
}

#[tokio::test]
async fn a_dead_letter_whose_record_is_gone_says_so_and_the_audit_too() {
    let bench = bench();
    journal(&bench, None).await.commit(round(1, vec![ended(&orders(), 2, Outcome::Dead, 0)])).await.unwrap();
    let letter = dead::show(&bench.log, "payment", 0).unwrap().unwrap();
    assert_eq!((letter.origin, letter.reason.as_str()), (Some(at(&orders(), 2)), "attempts_exhausted"));
    let audited = Audited {
        name: "payment".into(),
        topic: "orders".into(),
        order: evenkeel_delivery::Order::Key,
        effects: None,
        live: None,
    };
    let problems = audit(&bench.log, &[audited]).unwrap().subscriptions.remove(0).problems;
    assert!(problems.iter().any(|p| p.contains("was gone before it died")), "{problems:?}");
}

/// Each outcome returns an event of 3 MB, and a set may take 8 MiB.
#[tokio::test]
async fn a_round_that_is_too_large_for_a_set_is_committed_in_parts() {
    let mut bench = bench();
    let journal = journal(&bench, Some("payments")).await;
    let mut commit = round(1, vec![progress(&orders(), 7)]);
    for offset in 0..7 {
        let mut large = Event::new("/bank", format!("p{offset}"), "Paid");
        large.data = Some(vec![b'x'; 3_000_000].into());
        commit.emitted.push((at(&orders(), offset), AttemptId(offset), vec![large]));
        commit.round.facts.push(ended(&orders(), offset, Outcome::Completed, 1));
    }
    journal.commit(commit).await.unwrap();
    bench.crash();
    let journal = self::journal(&bench, Some("payments")).await;
    let all = journal.load().await.unwrap();
    assert!(all.contains(&Remembered::Progress { shard: orders(), below: 7 }));
    assert_eq!(bench.records("payments").len(), 7);
    assert_eq!(emitted_in_ledger(&bench), [1; 7]);
    let sequences: Vec<u64> = bench
        .records(names::LEDGER_TOPIC)
        .iter()
        .map(|s| ledger::decode(s.record.value.as_deref().unwrap()).unwrap().sequence)
        .collect();
    assert_eq!(sequences, (0..sequences.len() as u64).collect::<Vec<_>>());
    assert!(sequences.len() > 2);
}

#[tokio::test]
async fn an_outcome_too_large_for_any_set_stops_with_its_name() {
    let bench = bench();
    let mut large = Event::new("/bank", "p", "Paid");
    large.data = Some(vec![b'x'; 9 << 20].into());
    let mut commit = round(3, vec![ended(&orders(), 0, Outcome::Completed, 1), progress(&orders(), 1)]);
    commit.emitted = vec![(at(&orders(), 0), AttemptId(1), vec![large])];
    let refused = journal(&bench, Some("payments")).await.commit(commit).await.unwrap_err();
    assert!(refused.0.starts_with("round 3 of `payment`: the set takes"), "{refused}");
}

#[tokio::test]
async fn the_journal_must_be_loaded_before_it_is_written() {
    let bench = bench();
    let journal = EmbeddedJournal::open(bench.log.clone(), JournalSettings::new("payment"), bench.clock()).unwrap();
    let refused = journal.commit(round(1, vec![])).await.unwrap_err();
    assert!(refused.0.contains("must be loaded"), "{refused}");
}

#[tokio::test]
async fn a_commit_whose_outcome_is_unknown_ends_all_commits() {
    let bench = bench();
    let journal = journal(&bench, None).await;
    bench.disk.inject(Fault::DurableWrite, 0);
    let facts = vec![ended(&orders(), 0, Outcome::Completed, 0)];
    let unknown = journal.commit(round(1, facts.clone())).await.unwrap_err();
    assert!(unknown.0.contains("the log has stopped"), "{unknown}");
    assert!(journal.commit(round(2, facts)).await.is_err());
}

#[tokio::test]
async fn an_effects_topic_that_does_not_exist_is_refused_at_once() {
    let bench = bench();
    let settings = JournalSettings { effects: Some("nope".into()), ..JournalSettings::new("payment") };
    let refused = EmbeddedJournal::open(bench.log.clone(), settings, bench.clock()).err().unwrap();
    assert_eq!(refused.0, "subscription `payment`: its effects topic `nope` does not exist");
}

#[tokio::test]
async fn subscriptions_do_not_see_each_others_journals() {
    let bench = bench();
    for n in 0..20 {
        let settings = JournalSettings::new(format!("sub-{n}"));
        let journal = EmbeddedJournal::open(bench.log.clone(), settings, bench.clock()).unwrap();
        assert_eq!(journal.load().await.unwrap(), []);
        journal.commit(round(1, vec![progress(&orders(), n)])).await.unwrap();
        assert_eq!(journal.load().await.unwrap(), [Remembered::Progress { shard: orders(), below: n }]);
    }
}

#[tokio::test]
async fn identities_are_forgotten_when_the_inbox_ends_and_outcomes_when_progress_counts_them() {
    let bench = bench();
    let journal = journal(&bench, None).await;
    let facts: Vec<Fact> = [0, 1, 5].map(|o| ended(&orders(), o, Outcome::Completed, 0)).to_vec();
    journal.commit(round(1, [facts, vec![pending(&orders(), 3, 1), progress(&orders(), 2)]].concat())).await.unwrap();
    let done = |all: Vec<Remembered>| -> Vec<(Position, bool)> {
        let done = |r| if let Remembered::Done { at, mark, .. } = r { Some((at, mark.is_some())) } else { None };
        all.into_iter().filter_map(done).collect()
    };
    assert_eq!(done(journal.load().await.unwrap()).len(), 3);
    bench.clock.advance(std::time::Duration::from_secs(8 * 24 * 3600));
    assert_eq!(done(journal.load().await.unwrap()), [(at(&orders(), 5), true)]);
    assert_ne!(mark(&orders(), 5), mark(&orders(), 1));
}

#[test]
fn every_name_of_a_position_is_read_back() {
    assert_eq!(dead::position("a;b;3;17"), Some(at(&Shard::new("a;b", 3), 17)));
    assert_eq!(dead::position("orders;3"), None);
    assert_eq!(dead::position("orders;x;1"), None);
}
