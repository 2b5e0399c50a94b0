#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::time::Duration;

use evenkeel_delivery::Screen;
use evenkeel_delivery::ports::Source;
use evenkeel_model::Record;

use super::*;
use crate::bench::Bench;
use crate::{EmbeddedSource, SourceSettings};

const LIMIT: u64 = 100_000;

fn orders() -> Shard {
    Shard::new("orders", 0)
}

fn at(offset: u64) -> Position {
    Position { shard: orders(), offset }
}

fn record(number: u64) -> Record {
    let mut record = Record {
        key: Some(format!("k{number}").into()),
        value: Some(format!("event {number} {}", "x".repeat(200)).into()),
        ..Record::default()
    };
    record.push_header("h", "v");
    record
}

/// Twenty events, one a second.
fn filled() -> Bench {
    let bench = Bench::new(&[("orders", 1)]);
    for number in 0..20 {
        bench.clock.advance(Duration::from_secs(1));
        bench.append("orders", 0, vec![record(number)]);
    }
    bench
}

fn source(bench: &Bench, limit: u64) -> EmbeddedSource {
    let settings = SourceSettings { held_bytes_max: limit, ..SourceSettings::new("payment", "orders") };
    EmbeddedSource::open(bench.log.clone(), settings).unwrap()
}

/// These are parked, `moving` is at the handler, and all before it and else has ended.
fn owed(parked: &[u64], moving: u64) -> Vec<Owed> {
    let mut open: Vec<(u64, bool)> = parked.iter().map(|at| (*at, true)).collect();
    open.push((moving, false));
    open.sort_unstable();
    vec![Owed { shard: orders(), unread: 20, open }]
}

fn let_go(bench: &Bench, before: u64) {
    bench.log.delete_records(&orders(), before).wait().unwrap();
}

#[tokio::test]
async fn what_is_held_aside_is_read_as_it_was_when_its_topic_has_let_go_of_it_also_after_a_restart() {
    let mut bench = filled();
    let payment = source(&bench, LIMIT);
    let mut before = Vec::new();
    for offset in [3, 4, 7] {
        before.push(payment.get(&at(offset)).await.unwrap().unwrap());
    }
    let tended = payment.held().tend(&owed(&[3, 4, 7, 15], 10), &[(orders(), 12)]).unwrap();
    assert_eq!(tended, Tended { copied: 3, full: false }, "15 lies behind what moves");
    let_go(&bench, 10);
    for power_was_cut in [false, true] {
        if power_was_cut {
            bench.crash();
        }
        let payment = source(&bench, LIMIT);
        assert_eq!(payment.held().size().events, 3);
        for delivered in &before {
            assert_eq!(payment.get(&delivered.arrival.at).await.unwrap().as_ref(), Some(delivered));
        }
        let (fetched, next) = payment.fetch(&orders(), 3, 8).await.unwrap();
        assert_eq!(next, 11);
        let wanted: Vec<u64> =
            fetched.iter().filter(|d| d.arrival.screen == Screen::Wanted).map(|d| d.arrival.at.offset).collect();
        assert_eq!(wanted, [3, 4, 7, 10]);
        assert!(fetched.iter().any(|d| matches!(d.arrival.screen, Screen::Expired(_))), "5 was not held");
    }
}

#[test]
fn a_topic_owes_what_is_parked_until_its_copy_is_there_and_no_longer() {
    let bench = filled();
    let payment = source(&bench, LIMIT);
    payment.settle(&[(orders(), 3)]);
    let floor = || bench.log.owed(&orders())[0].1;
    assert_eq!(floor(), 3);
    payment.held().tend(&owed(&[3, 4, 12], 10), &[(orders(), 8)]).unwrap();
    assert_eq!(floor(), 8, "below it all has ended, or is held");
    payment.settle(&[(orders(), 4)]);
    assert_eq!(floor(), 8);
    payment.held().tend(&owed(&[4, 12], 10), &[(orders(), 20)]).unwrap();
    assert_eq!(floor(), 10, "not beyond what moves");
    payment.settle(&[(orders(), 12)]);
    assert_eq!(floor(), 12);
}

#[test]
fn what_finds_no_room_stays_in_its_topic_and_the_rest_is_held() {
    let bench = filled();
    let payment = source(&bench, 3 * weight(&record(1)));
    payment.settle(&[(orders(), 1)]);
    let tended = payment.held().tend(&owed(&[1, 2, 3, 4, 5], 10), &[(orders(), 20)]).unwrap();
    assert!(tended.full);
    assert_eq!((payment.held().size().events, bench.log.owed(&orders())[0].1), (2, 3), "a copy has headers more");
    let nothing = source(&bench, 0).held().tend(&owed(&[1], 10), &[(orders(), 20)]).unwrap();
    assert_eq!(nothing.copied, 0);
}

#[test]
fn a_copy_goes_when_its_event_has_ended_and_no_copy_is_made_twice() {
    let bench = filled();
    let payment = source(&bench, LIMIT);
    let held = payment.held();
    let wanted = [(orders(), 20)];
    held.tend(&owed(&[1, 2, 3], 10), &wanted).unwrap();
    assert_eq!(held.tend(&owed(&[1, 2, 3], 10), &wanted).unwrap().copied, 0);
    held.tend(&owed(&[2], 10), &wanted).unwrap();
    assert_eq!(held.size().events, 1);
    assert_eq!(bench.log.ends(&held.shard).unwrap().start, 1, "the first is gone, the second counts");
    held.tend(&owed(&[], 10), &wanted).unwrap();
    assert_eq!((held.size().events, held.size().bytes), (0, 0));
    let ends = bench.log.ends(&held.shard).unwrap();
    assert_eq!(ends.start, ends.high_watermark);
}

#[test]
fn one_event_that_waits_for_ever_does_not_keep_the_copies_of_all_that_came_after_it() {
    let bench = filled();
    for chunk in 0..3 {
        bench.append("orders", 0, (0..500).map(|n| record(chunk * 500 + n)).collect());
    }
    let payment = source(&bench, 10_000_000);
    let held = payment.held();
    let all: Vec<u64> = (0..1400).collect();
    let owed =
        |open: &[u64]| vec![Owed { shard: orders(), unread: 1520, open: open.iter().map(|at| (*at, true)).collect() }];
    held.tend(&owed(&all), &[(orders(), 1400)]).unwrap();
    assert_eq!(held.size().events, 1400);
    held.tend(&owed(&[0, 5]), &[]).unwrap();
    let ends = bench.log.ends(&held.shard).unwrap();
    assert!(ends.high_watermark - ends.start <= 2, "{ends:?}");
    let_go(&bench, 1400);
    assert_eq!(held.get(&at(5)).unwrap().unwrap().record, record(5));
    assert_eq!(source(&bench, LIMIT).held().get(&at(0)).unwrap().unwrap().record, record(0));
}

#[test]
fn a_deletion_of_what_is_owed_saves_what_is_parked() {
    let bench = filled();
    let payment = source(&bench, LIMIT);
    payment.settle(&[(orders(), 2)]);
    payment.held().save(&owed(&[5, 9, 15], 2), &[(orders(), 12)]).unwrap();
    assert_eq!(payment.held().size().events, 2);
    assert_eq!(bench.log.owed(&orders())[0].1, 2, "what moves is owed as before");
}
