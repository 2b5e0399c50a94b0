use std::sync::Arc;
use std::time::Duration;

use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::{Journal, Source};
use evenkeel_delivery::{AttemptId, Fact};
use evenkeel_model::ledger::{AttemptFailed, LedgerEntry, LedgerRecord};
use evenkeel_model::{FailureClass, Outcome, Record, Shard, Stored, names};

use super::{Story, StoryIndex, Telling, story};
use crate::bench::{Bench, event};
use crate::contract::rounds::{NOW, at, ended, overdue, returned, round};
use crate::{EmbeddedJournal, EmbeddedSource, Ingress, JournalSettings, SourceSettings};

fn orders() -> Shard {
    Shard::new("orders", 0)
}

fn failed(offset: u64, delivery: u32) -> Fact {
    let entry = AttemptFailed {
        offset,
        delivery,
        at: NOW,
        took_us: 12_000,
        class: FailureClass::Unreachable,
        status: None,
        fingerprint: "0000000000000000".into(),
        message: "no connection".into(),
        next_at: Some(NOW + Duration::from_secs(1)),
    };
    Fact::Attempt { shard: orders(), entry }
}

async fn journal(bench: &Bench, name: &str, effects: Option<&str>) -> EmbeddedJournal {
    let settings = JournalSettings { effects: effects.map(Into::into), ..JournalSettings::new(name) };
    let journal = EmbeddedJournal::open(bench.log.clone(), settings, bench.clock()).unwrap();
    journal.load().await.unwrap();
    journal
}

/// `a` is paid for after two failures, `b` dies; each is read by `stock` too.
async fn bench() -> Bench {
    let bench = Bench::new(&[("orders", 1), ("payments", 1)]);
    let ingress = Ingress::open(bench.log.clone(), bench.clock(), Duration::from_secs(60)).unwrap();
    let mut other = event("a", "k");
    other.id.source = "/other".into();
    ingress.publish("orders", vec![event("a", "k"), event("b", "k"), other]).await.unwrap();
    let payment = journal(&bench, "payment", Some("payments")).await;
    payment.commit(round(1, vec![failed(0, 1), overdue(&orders(), 0)])).await.unwrap();
    let Fact::Ended { shard, mark, mut entry } = ended(&orders(), 0, Outcome::Completed, 1) else { panic!() };
    (entry.deliveries, entry.attempts) = (2, 1);
    let mut paid = round(2, vec![Fact::Ended { shard, mark, entry }]);
    paid.emitted = vec![(at(&orders(), 0), AttemptId(1), vec![returned(1)])];
    payment.commit(paid).await.unwrap();
    let source = EmbeddedSource::open(bench.log.clone(), SourceSettings::new("payment", "orders")).unwrap();
    let mut died = round(3, vec![ended(&orders(), 1, Outcome::Dead, 0)]);
    died.dead = vec![source.get(&at(&orders(), 1)).await.unwrap().unwrap()];
    payment.commit(died).await.unwrap();
    journal(&bench, "stock", None).await.commit(round(1, vec![failed(0, 1)])).await.unwrap();
    bench
}

fn one(bench: &Bench, id: &str) -> Story {
    let mut stories = story(&bench.log, id, Some("/shop")).unwrap();
    assert_eq!(stories.len(), 1);
    stories.remove(0)
}

#[tokio::test]
async fn a_story_tells_every_record_attempt_outcome_and_caused_event() {
    let bench = bench().await;
    let story = one(&bench, "a");
    assert_eq!(story.records.len(), 1);
    assert_eq!((&story.records[0].at, story.records[0].kind.as_str()), (&at(&orders(), 0), "OrderCreated"));
    let [payment, stock] = story.subscriptions.as_slice() else { panic!("{story:?}") };
    assert_eq!((&*payment.name, payment.outcome, payment.deliveries), ("payment", Some(Outcome::Completed), 2));
    assert_eq!((payment.ended_at, payment.overdue_at), (Some(NOW), Some(NOW)));
    let attempts: Vec<_> = payment.attempts.iter().map(|a| (a.delivery, a.class, a.took.as_micros())).collect();
    assert_eq!(attempts, [(1, Some(FailureClass::Unreachable), 12_000), (2, None, 700)]);
    assert_eq!((&*stock.name, stock.outcome, stock.attempts.len()), ("stock", None, 1));
    let [caused] = story.caused.as_slice() else { panic!("{story:?}") };
    assert_eq!((caused.event.id.as_str(), caused.subscription.as_deref()), ("event-1", Some("payment")));
    assert_eq!(&*caused.at.shard.topic, "payments");
    let effect = super::story(&bench.log, "event-1", None).unwrap().remove(0);
    assert_eq!(effect.records[0].caused_by.as_deref(), Some("payment;orders;0;0"));
}

#[tokio::test]
async fn the_story_of_a_dead_event_shows_its_dead_letter_and_why() {
    let story = one(&bench().await, "b");
    let topics: Vec<&str> = story.records.iter().map(|r| &*r.at.shard.topic).collect();
    assert_eq!(topics, ["orders", "payment.dead"]);
    let payment = &story.subscriptions[0];
    assert_eq!((payment.outcome, payment.reason.as_deref()), (Some(Outcome::Dead), Some("attempts_exhausted")));
    assert_eq!(payment.attempts[0].class, Some(FailureClass::Failed));
    assert_eq!(story.caused, []);
}

#[tokio::test]
async fn an_id_of_two_sources_has_two_stories_and_an_unknown_one_none() {
    let bench = bench().await;
    let sources: Vec<String> = story(&bench.log, "a", None).unwrap().into_iter().map(|s| s.event.source).collect();
    assert_eq!(sources, ["/shop", "/other"]);
    assert_eq!(story(&bench.log, "nobody", None).unwrap(), []);
    assert_eq!(story(&bench.log, "a", Some("/nobody")).unwrap(), []);
}

/// An event with these extensions.
fn linked(id: &str, extensions: &[(&str, &str)]) -> evenkeel_model::Event {
    let mut event = event(id, "k");
    for (name, value) in extensions {
        event.set_extension(name, evenkeel_model::AttributeValue::String((*value).to_owned()));
    }
    event
}

/// The stories of these ids, through the index and by reading everything: they are the same.
fn both(bench: &Bench, index: &StoryIndex, ids: &[&str]) -> Vec<Story> {
    let stories = ids.iter().flat_map(|id| {
        let (found, read) = (index.story(id, None).unwrap(), story(&bench.log, id, None).unwrap());
        assert_eq!(found, read, "{id}");
        found
    });
    stories.collect()
}

const IDS: [&str; 8] = ["a", "b", "event-1", "placed", "paid", "shipped", "twice", "nobody"];

#[tokio::test]
async fn the_index_changes_no_story_before_and_after_it_caught_up_and_when_it_is_deleted() {
    let bench = bench().await;
    let (index, problem) = StoryIndex::open(bench.log.clone());
    assert!(problem.is_none());
    both(&bench, &index, &IDS);
    index.catch_up().unwrap();
    both(&bench, &index, &IDS);
    let ingress = Ingress::open(bench.log.clone(), bench.clock(), Duration::from_secs(60)).unwrap();
    let chain = |id: &str, cause: &str| linked(id, &[("correlationid", "placed"), ("causationid", cause)]);
    let mut twice = event("twice", "k");
    ingress.publish("orders", vec![event("placed", "k"), chain("paid", "placed"), twice.clone()]).await.unwrap();
    both(&bench, &index, &IDS);
    index.catch_up().unwrap();
    twice.id.source = "/second".into();
    ingress.publish("payments", vec![chain("shipped", "paid"), twice.clone()]).await.unwrap();
    index.catch_up().unwrap();
    twice.id.source = "/third".into();
    ingress.publish("orders", vec![twice]).await.unwrap();
    let stories = both(&bench, &index, &IDS);
    let placed = stories.iter().find(|s| s.event.id == "placed").unwrap();
    let names = |all: &[crate::story::StoryRelated]| all.iter().map(|r| r.event.id.clone()).collect::<Vec<_>>();
    assert_eq!(names(&placed.related), ["paid", "shipped"]);
    assert_eq!(placed.caused.iter().map(|c| c.event.id.as_str()).collect::<Vec<_>>(), ["paid"]);
    let shipped = stories.iter().find(|s| s.event.id == "shipped").unwrap();
    assert_eq!(names(&shipped.related), ["placed", "paid"], "whoever asks of whichever event");
    assert_eq!(stories.iter().filter(|s| s.event.id == "twice").count(), 3, "one for each source");

    // Another process finds what is on disk, and one that finds nothing makes it again.
    let series = bench.log.seen("story", evenkeel_log::seen::VALUE_BYTES).unwrap();
    assert!(series.memory().marks > 0);
    series.drop_range(&(0..u64::MAX));
    assert_eq!(both(&bench, &index, &IDS), stories);
    index.catch_up().unwrap();
    assert!(series.memory().marks > 0, "it is made again");
    assert_eq!(both(&bench, &index, &IDS), stories);
}

#[tokio::test]
async fn with_the_index_a_story_reads_what_it_needs_and_not_the_log() {
    let bench = Bench::new(&[("orders", 4)]);
    let ingress = Ingress::open(bench.log.clone(), bench.clock(), Duration::from_secs(60)).unwrap();
    for batch in 0..20 {
        let events = (0..500).map(|n| event(&format!("{batch}-{n}"), &n.to_string())).collect();
        ingress.publish("orders", events).await.unwrap();
    }
    let index = super::Index::open(bench.log.clone()).unwrap();
    index.catch_up().unwrap();
    let found = index.find(super::index::Key::Id("7-123")).unwrap();
    assert_eq!(found.len(), 1, "one record is read, of ten thousand");
    for (shard, ends) in bench.log.cut().iter().filter(|(shard, _)| &*shard.topic == "orders") {
        assert_eq!(index.read_up_to(shard).unwrap(), ends.high_watermark, "nothing is left to read behind it");
    }
}

#[test]
fn a_story_is_told_of_records_elsewhere_once_and_only_at_the_address_that_a_subscription_reads() {
    let (orders, others): (Arc<str>, Arc<str>) = ("kafka://main/orders".into(), "kafka://main/others".into());
    let there = self::orders();
    let record = |offset, id: &str, header: Option<(&str, &str)>| {
        let mut record = to_record(&event(id, "a"), NOW);
        header.into_iter().for_each(|(name, value)| record.push_header(name, value.to_owned()));
        Stored { at: at(&there, offset), appended: NOW, record }
    };
    let plain =
        Stored { at: at(&there, 9), appended: NOW, record: Record { value: Some("{}".into()), ..Record::default() } };
    let mut telling = Telling::new("e1", None, Vec::new());
    assert!(telling.record(&orders, &record(3, "e1", None)) && telling.record(&orders, &record(3, "e1", None)));
    assert!(!telling.record(&orders, &record(4, "e2", None)) && !telling.record(&orders, &plain));
    let Fact::Ended { entry, .. } = ended(&there, 3, Outcome::Completed, 1) else { panic!() };
    let entries = vec![LedgerEntry::Ended(entry)];
    let (subscription, topic): (Arc<str>, Arc<str>) = ("payment".into(), "orders".into());
    let ledger = LedgerRecord { subscription, topic, partition: 0, sequence: 0, at: NOW, entries };
    telling.ledger(&others, &LedgerRecord { subscription: "of-others".into(), ..ledger.clone() });
    telling.ledger(&orders, &ledger);
    telling.record(&others, &record(5, "paid", Some((names::CAUSED_BY, "payment;orders;0;3"))));
    telling.record(&others, &record(6, "no", Some((names::CAUSED_BY, "payment;orders;0;4"))));
    telling.record(&others, &record(7, "named", Some(("ce_causationid", "e1"))));
    assert_eq!(telling.places(&orders), [(0, 3, NOW)]);
    let stories = telling.finish();
    let [Story { records, subscriptions, caused, .. }] = &stories[..] else { panic!("{stories:?}") };
    let place = (&*records[0].at.shard.topic, records[0].at.offset, records.len());
    assert_eq!(place, ("kafka://main/orders", 3, 1));
    assert_eq!((subscriptions.len(), subscriptions[0].outcome), (1, Some(Outcome::Completed)));
    let caused: Vec<_> = caused.iter().map(|c| (&*c.event.id, c.subscription.as_deref())).collect();
    assert_eq!(caused, [("paid", Some("payment")), ("named", None)]);
}
