//! Letters that go back once, in whole sets, to where they came from.

use evenkeel_log::{Log, ReadLimit};
use evenkeel_model::{Record, Shard, Timestamp, names};

use super::{AtHome, GivenBack, Returns, Wanted};
use crate::bench::Bench;
use crate::dead::Filter;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn letter(key: &str, topic: &str, partition: u32, offset: u64, message: &str) -> Record {
    let mut record = Record { key: Some(key.to_owned().into()), value: Some("{}".into()), ..Record::default() };
    record.push_header("x-tenant", "7".to_owned());
    record.push_header("kafka_dlt-original-topic", topic.to_owned());
    record.push_header("kafka_dlt-original-partition", partition.to_be_bytes().to_vec());
    record.push_header("kafka_dlt-original-offset", offset.to_be_bytes().to_vec());
    record.push_header("kafka_dlt-exception-message", message.to_owned());
    record
}

/// Ten letters of `orders` in two partitions, one of a topic that is not here, and a plain record.
fn bench() -> Bench {
    let bench = Bench::new(&[("orders", 4), ("orders-dlt", 2), ("repair", 1)]);
    for n in 0..10_u32 {
        let why = if n % 2 == 0 { "no funds" } else { "no such card" };
        bench.append("orders-dlt", n % 2, vec![letter(&format!("k{n}"), "orders", 3, u64::from(n), why)]);
    }
    let plain = Record { value: Some("{}".into()), ..Record::default() };
    bench.append("orders-dlt", 0, vec![letter("k", "elsewhere", 0, 0, "no money"), plain]);
    bench
}

fn all(filter: &Filter) -> Wanted<'_> {
    Wanted { filter, from: (0, 0), limit: 1_000, to: None, reason: "mended", dry_run: false }
}

fn back(log: &Log, partition: u32) -> Vec<Record> {
    let page = log.read(&Shard::new("orders", partition), 0, ReadLimit::default()).unwrap();
    page.into_iter().map(|stored| stored.record).collect()
}

#[test]
fn letters_go_back_as_they_were_to_where_they_lay_and_the_others_say_why_they_stay() {
    let bench = bench();
    let filter = Filter::default();
    let done = Returns::of(bench.log.clone(), "orders-dlt").give_back(&all(&filter), &AtHome, NOW).unwrap();
    assert_eq!(done.given.get("orders"), Some(&10));
    let stayed: Vec<_> = done.stayed.iter().map(|(why, n)| (why.as_str(), *n)).collect();
    assert_eq!(stayed, [("it does not say where it came from", 1), ("there is no topic `elsewhere` here", 1)]);
    let records = back(&bench.log, 3);
    assert_eq!(records.len(), 10, "all of them in the partition in which they were");
    let names: Vec<&str> = records[0].headers.iter().map(|h| &*h.name).collect();
    assert_eq!(names, ["x-tenant", names::REDRIVEN_FROM]);
    assert_eq!(records[0].header(names::REDRIVEN_FROM).unwrap(), "orders-dlt;0;0");
    assert_eq!((records[0].key.as_deref(), records[0].value.as_deref()), (Some(&b"k0"[..]), Some(&b"{}"[..])));
}

#[test]
fn no_letter_goes_back_twice_whoever_asks_and_after_a_restart() {
    let mut bench = bench();
    let filter = Filter::parse("contains=no%20funds").unwrap();
    let mut returns = Returns::of(bench.log.clone(), "orders-dlt");
    let first = returns.give_back(&Wanted { limit: 3, ..all(&filter) }, &AtHome, NOW).unwrap();
    assert_eq!((first.given.get("orders"), first.passed_over), (Some(&3), 0));
    assert!(first.next.is_some_and(|next| next.0 == 0));
    bench.crash();
    let log = bench.log.clone();
    let mut again = Returns::of(log.clone(), "orders-dlt");
    let rest = again.give_back(&all(&filter), &AtHome, NOW).unwrap();
    assert_eq!((rest.given.get("orders"), rest.passed_over, rest.next), (Some(&2), 3, None));
    assert_eq!(back(&log, 3).len(), 5, "those of the other reason stay");
    assert!(again.has((0, 0)) && !again.has((1, 0)));
    let nothing = Returns::of(log.clone(), "orders-dlt").give_back(&all(&filter), &AtHome, NOW).unwrap();
    assert_eq!((nothing.given.len(), nothing.passed_over), (0, 5));
    // The same name for another topic's letters means other letters.
    assert!(!Returns::of(log, "other-dlt").has((0, 0)));
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let bench = bench();
    let filter = Filter::default();
    let mut returns = Returns::of(bench.log.clone(), "orders-dlt");
    let planned = returns.give_back(&Wanted { dry_run: true, ..all(&filter) }, &AtHome, NOW).unwrap();
    assert_eq!(planned.given.get("orders"), Some(&10));
    assert!(back(&bench.log, 3).is_empty() && bench.log.topic(names::REDRIVES_TOPIC).is_none());
    assert!(!returns.has((0, 0)));
}

#[test]
fn another_topic_may_be_named_and_ones_own_letters_topic_may_not() {
    let bench = bench();
    let filter = Filter::default();
    let mut returns = Returns::of(bench.log.clone(), "orders-dlt");
    let into_itself = returns.give_back(&Wanted { to: Some("orders-dlt"), ..all(&filter) }, &AtHome, NOW).unwrap();
    assert_eq!(
        into_itself,
        GivenBack {
            stayed: [("`orders-dlt` is no topic that it may go to".to_owned(), 12)].into(),
            ..GivenBack::default()
        }
    );
    let moved = returns.give_back(&Wanted { to: Some("repair"), ..all(&filter) }, &AtHome, NOW).unwrap();
    assert_eq!((moved.given.get("repair"), moved.stayed.len()), (Some(&12), 0));
}
