use std::time::Duration;

use evenkeel_cloudevents::filter::Filter;
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::Source;
use evenkeel_delivery::{Mark, Screen, Version};
use evenkeel_model::{Position, Record, Shard};

use super::{EmbeddedSource, From, Pick, SourceSettings};
use crate::bench::{Bench, START, event};

fn orders() -> Shard {
    Shard::new("orders", 0)
}

fn source(bench: &Bench, change: impl FnOnce(&mut SourceSettings)) -> EmbeddedSource {
    let mut settings = SourceSettings::new("payment", "orders");
    change(&mut settings);
    EmbeddedSource::open(bench.log.clone(), settings).unwrap()
}

fn bench(count: usize) -> Bench {
    let bench = Bench::new(&[("orders", 1)]);
    for n in 0..count {
        bench.append("orders", 0, vec![to_record(&event(&n.to_string(), "k"), START)]);
        bench.clock.advance(Duration::from_secs(10));
    }
    bench
}

#[tokio::test]
async fn a_subscription_begins_where_it_is_told() {
    let bench = bench(5);
    for (from, offset) in [
        (From::Earliest, 0),
        (From::Latest, 5),
        (From::Time(START + Duration::from_secs(20)), 2),
        (From::Time(START + Duration::from_secs(21)), 3),
        (From::Time(START + Duration::from_secs(3600)), 5),
    ] {
        let shards = source(&bench, |s| s.from = from.clone()).shards().await.unwrap();
        assert_eq!(shards, [(orders(), offset)], "{from:?}");
    }
}

#[tokio::test]
async fn the_filter_passes_over_and_nothing_is_left_out() {
    let bench = bench(1);
    let mut cancelled = event("c", "k");
    cancelled.kind = "OrderCancelled".into();
    let mut broken = to_record(&event("b", "k"), START);
    broken.headers.retain(|h| h.name != "ce_type");
    bench.append("orders", 0, vec![to_record(&cancelled, START), broken]);
    let wanted = Filter::Exact("type".into(), "OrderCreated".into());
    let (events, next) = source(&bench, |s| s.filter = Some(wanted)).fetch(&orders(), 0, 10).await.unwrap();
    let screens: Vec<&Screen> = events.iter().map(|e| &e.arrival.screen).collect();
    assert_eq!((next, &screens[..2]), (3, [&Screen::Wanted, &Screen::Filtered].as_slice()));
    assert!(matches!(screens[2], Screen::NotAnEvent(why) if why.contains("type")), "{screens:?}");
    assert_eq!((&*events[2].arrival.kind, &*events[2].arrival.source), ("", ""));
    assert_eq!((&*events[1].arrival.kind, &*events[1].arrival.source), ("OrderCancelled", "/shop"));
}

#[tokio::test]
async fn what_was_taken_away_before_it_was_read_expires_offset_by_offset() {
    let bench = bench(7);
    let change = evenkeel_log::Change::Start { shard: orders(), offset: 5 };
    bench.log.append(evenkeel_log::Set::change(change)).wait().unwrap();
    let source = source(&bench, |_| {});
    let (first, next) = source.fetch(&orders(), 1, 3).await.unwrap();
    assert_eq!((first.len(), next), (3, 4), "a wide gap takes more than one fetch");
    let (second, next) = source.fetch(&orders(), next, 10).await.unwrap();
    assert_eq!(next, 7);
    let expired = |events: &[std::sync::Arc<evenkeel_delivery::ports::Delivered>]| {
        events.iter().map(|e| (e.arrival.at.offset, matches!(e.arrival.screen, Screen::Expired(_)))).collect::<Vec<_>>()
    };
    assert_eq!(expired(&first), [(1, true), (2, true), (3, true)]);
    assert_eq!(expired(&second), [(4, true), (5, false), (6, false)]);
    assert_eq!(source.fetch(&orders(), 7, 10).await.unwrap(), (Vec::new(), 7));
}

#[tokio::test]
async fn an_events_expirytime_is_read() {
    let bench = bench(0);
    let mut short = event("1", "k");
    short.set_extension("expirytime", evenkeel_model::AttributeValue::String("2026-11-21T00:00:01Z".to_owned()));
    bench.append("orders", 0, vec![to_record(&short, START), to_record(&event("2", "k"), START)]);
    let (events, _) = source(&bench, |_| {}).fetch(&orders(), 0, 10).await.unwrap();
    let expires: Vec<_> = events.iter().map(|e| e.arrival.expires).collect();
    assert_eq!(expires, [Some(START + Duration::from_secs(1)), None]);
}

#[tokio::test]
async fn an_events_size_and_priority_are_read_by_number_or_by_name() {
    let bench = bench(0);
    for (i, text) in ["0", "9", "low", "critical", "10", "urgent!"].into_iter().enumerate() {
        let mut event = event(&i.to_string(), "k");
        event.set_extension("priority", evenkeel_model::AttributeValue::String(text.to_owned()));
        event.data = Some(vec![0; i].into());
        bench.append("orders", 0, vec![to_record(&event, START)]);
    }
    let (events, _) = source(&bench, |_| {}).fetch(&orders(), 0, 10).await.unwrap();
    let read: Vec<_> = events.iter().map(|e| (e.arrival.priority, e.arrival.bytes)).collect();
    assert_eq!(read, [(0, 0), (9, 1), (1, 2), (9, 3), (4, 4), (4, 5)], "what is no priority counts as none");
}

#[tokio::test]
async fn the_mark_is_that_of_the_uid_and_identity_alone() {
    let bench = bench(1);
    bench.append("orders", 0, vec![to_record(&event("0", "other key"), START)]);
    let (events, _) = source(&bench, |s| s.uid = "u1".into()).fetch(&orders(), 0, 10).await.unwrap();
    assert_eq!(events[0].arrival.mark, Mark::of("u1", "/shop", "0"));
    assert_eq!(events[0].arrival.mark, events[1].arrival.mark);
}

#[tokio::test]
async fn a_plain_record_is_an_event_by_its_place() {
    let bench = Bench::new(&[("orders", 1)]);
    let plain = Record { value: Some("hello".into()), ..Record::default() };
    bench.append("orders", 0, vec![plain.clone(), plain]);
    let (events, _) = source(&bench, |_| {}).fetch(&orders(), 0, 10).await.unwrap();
    assert!(events.iter().all(|e| e.arrival.screen == Screen::Wanted));
    assert_eq!((events[1].event.id.source.as_str(), events[1].event.id.id.as_str()), ("/orders/0", "1"));
    assert_ne!(events[0].arrival.mark, events[1].arrival.mark);
}

#[tokio::test]
async fn a_creation_time_is_believed_for_an_hour() {
    let bench = Bench::new(&[("orders", 1)]);
    bench.clock.advance(Duration::from_secs(7200));
    let timed = |id: &str, time: &str| {
        let mut event = event(id, "k");
        event.time = Some(time.into());
        to_record(&event, START)
    };
    let times = ["2026-11-21T01:30:00Z", "2026-11-21T00:30:00Z", "2026-11-21T03:00:00Z"];
    bench.append("orders", 0, times.map(|t| timed(t, t)).to_vec());
    let (events, _) = source(&bench, |_| {}).fetch(&orders(), 0, 10).await.unwrap();
    let created: Vec<_> = events.iter().map(|e| (e.arrival.created.at, e.arrival.created.believed)).collect();
    let appended = START + Duration::from_secs(7200);
    assert_eq!(created, [(START + Duration::from_secs(5400), true), (appended, false), (appended, false)]);
    let (lenient, _) = source(&bench, |s| s.believe = Duration::from_secs(9000)).fetch(&orders(), 1, 1).await.unwrap();
    assert!(lenient[0].arrival.created.believed);
}

#[tokio::test]
async fn a_topic_or_partition_that_is_not_there_is_named() {
    let bench = bench(0);
    let missing = EmbeddedSource::open(bench.log.clone(), SourceSettings::new("payment", "nope")).err().unwrap();
    assert_eq!(missing.0, "subscription `payment` reads topic `nope`, which does not exist");
    let beyond = source(&bench, |_| {}).fetch(&Shard::new("orders", 9), 0, 1).await.unwrap_err();
    assert!(beyond.0.contains("no partition 9 (it has 1)"), "{beyond}");
}

#[tokio::test]
async fn when_the_log_has_stopped_nothing_changes_any_more() {
    let bench = bench(1);
    let source = source(&bench, |_| {});
    source.changed().await;
    bench.log.close();
    let mut changed = source.changed();
    for _ in 0..2 {
        let ready = std::future::poll_fn(|cx| std::task::Poll::Ready(changed.as_mut().poll(cx).is_ready())).await;
        assert!(!ready);
    }
    let again = source.get(&Position { shard: orders(), offset: 0 }).await.unwrap();
    assert!(again.is_some(), "reading goes on");
}

/// Keys moved when the topic got more partitions, also between those that there were: what was
/// appended before is read first, and after a restart again.
#[tokio::test]
async fn what_was_appended_before_a_topic_grew_is_read_before_anything_after_it() {
    let bench = Bench::new(&[("orders", 2)]);
    let append = |partition, id: &str| bench.append("orders", partition, vec![to_record(&event(id, "k"), START)]);
    append(0, "a0");
    append(1, "a1");
    append(1, "a2");
    bench.log.add_partitions("orders", 3).unwrap().wait().unwrap();
    append(0, "b0");
    append(2, "b2");
    let place = |partition| Shard::new("orders", partition);
    let ids = |events: Vec<std::sync::Arc<evenkeel_delivery::ports::Delivered>>| {
        events.iter().map(|e| e.event.id.id.clone()).collect::<Vec<_>>()
    };
    for _life in 0..2 {
        let source = source(&bench, |_| {});
        let (first, next) = source.fetch(&place(0), 0, 10).await.unwrap();
        assert_eq!((ids(first), next), (vec!["a0".to_owned()], 1));
        assert_eq!(source.fetch(&place(0), 1, 10).await.unwrap().0.len(), 0, "`b0` waits for `a2`");
        assert_eq!(source.fetch(&place(2), 0, 10).await.unwrap().0.len(), 0, "so does `b2`");
        source.changed().await;
        let (second, next) = source.fetch(&place(1), 0, 1).await.unwrap();
        assert_eq!((ids(second), next), (vec!["a1".to_owned()], 1));
        assert_eq!(source.fetch(&place(2), 0, 10).await.unwrap().0.len(), 0);
        assert_eq!(source.fetch(&place(1), 1, 1).await.unwrap().1, 2);
        // Those that were held back are asked again, though nothing came.
        source.changed().await;
        assert_eq!(ids(source.fetch(&place(0), 1, 10).await.unwrap().0), ["b0"]);
        assert_eq!(ids(source.fetch(&place(2), 0, 10).await.unwrap().0), ["b2"]);
    }
    let singly = source(&bench, |s| s.growths_in_turn = false);
    assert_eq!(ids(singly.fetch(&place(2), 0, 10).await.unwrap().0), ["b2"]);
}

#[tokio::test]
async fn what_identifies_an_event_is_where_the_subscription_says_and_a_plain_record_leaves_its_place_behind() {
    let bench = bench(0);
    let plain = |id: Option<&str>| {
        let mut record = Record { value: Some("x".into()), created: START, ..Record::default() };
        if let Some(id) = id {
            record.push_header("x-id", id.to_owned());
        }
        record
    };
    let mut with_header = to_record(&event("e1", "k"), START);
    with_header.push_header("x-id", "7".to_owned());
    let records =
        vec![plain(Some("7")), plain(Some("7")), plain(None), with_header, to_record(&event("e2", "k"), START)];
    bench.append("orders", 0, records);
    let marks = |events: Vec<std::sync::Arc<evenkeel_delivery::ports::Delivered>>| {
        events.iter().map(|e| e.arrival.mark).collect::<Vec<_>>()
    };
    let picked = source(&bench, |s| s.identity = Some(Pick::Header("x-id".into())));
    let own = marks(picked.fetch(&orders(), 0, 10).await.unwrap().0);
    assert_eq!(own[0], own[1], "whichever offset it has");
    assert_eq!(own[0], Mark::of("payment", "/orders", "7"));
    assert_eq!(own[3], Mark::of("payment", "/shop", "7"), "the source stays part of it");
    let without = marks(source(&bench, |_| {}).fetch(&orders(), 0, 10).await.unwrap().0);
    assert_ne!(without[0], without[1]);
    assert_eq!((own[2], own[4]), (without[2], without[4]), "without the header its own id counts");
    let again = picked.get(&Position { shard: orders(), offset: 3 }).await.unwrap().unwrap();
    assert_eq!(again.arrival.mark, own[3]);
}

#[tokio::test]
async fn versions_are_looked_for_only_where_the_subscription_says_so() {
    let bench = bench(0);
    let mut versioned = event("e1", "k");
    versioned.set_extension("sequence", evenkeel_model::AttributeValue::String("0042".into()));
    bench.append("orders", 0, vec![to_record(&versioned, START), to_record(&event("e2", "k"), START)]);
    let versions = |events: Vec<std::sync::Arc<evenkeel_delivery::ports::Delivered>>| {
        events.iter().map(|e| e.arrival.version.clone()).collect::<Vec<_>>()
    };
    let sequence = source(&bench, |s| s.sequence = Some(Pick::Attribute("sequence".into())));
    let found = versions(sequence.fetch(&orders(), 0, 10).await.unwrap().0);
    assert_eq!(found[0], Version::Known(42));
    assert_eq!(found[1], Version::Unreadable("the attribute `sequence` is missing".into()));
    let none = versions(source(&bench, |_| {}).fetch(&orders(), 0, 10).await.unwrap().0);
    assert_eq!(none, [Version::None, Version::None]);
}
