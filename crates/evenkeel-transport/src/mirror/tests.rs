//! Records that are copied as they are, and offsets that are said as those of the copy.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{Call, Handler, Source};
use evenkeel_log::Cleanup;
use evenkeel_model::{Record, Shard, Verdict, names};

use super::{BUCKET, Mirror, Target, translate};
use crate::bench::{Bench, START};
use crate::{EmbeddedSource, SourceSettings};

/// Native records: no CloudEvents, with a key, bytes in headers and a time of their own.
fn record(n: u64) -> Record {
    let created = START + Duration::from_secs(n);
    let mut record = Record {
        key: Some(format!("k{n}").into()),
        value: Some(vec![0xff, n as u8].into()),
        created,
        ..Record::default()
    };
    record.push_header("x-tenant", vec![0xfe, 0x00]);
    record.push_header("x-tenant", "twice".to_owned());
    record
}

async fn calls(bench: &Bench, partition: u32, from: u64, count: usize) -> Vec<Call> {
    let source = EmbeddedSource::open(bench.log.clone(), SourceSettings::new("copy", "orders")).unwrap();
    let (events, _) = source.fetch(&Shard::new("orders", partition), from, count).await.unwrap();
    let call = |delivered: Arc<evenkeel_delivery::ports::Delivered>| Call {
        key: delivered.arrival.mark,
        delivered,
        attempt: 1,
        attempts_max: 8,
        delivery: 1,
        timeout: Duration::from_secs(5),
        fence: 1,
    };
    events.into_iter().map(call).collect()
}

fn mirror(bench: &Bench, to: &str) -> Mirror {
    Mirror::open(bench.log.clone(), "copy", Target::Topic(to.into())).unwrap()
}

#[tokio::test]
async fn records_are_copied_as_they_are_to_their_partition_and_offsets_are_translated_over_a_crash() {
    let mut bench = Bench::new(&[("orders", 2), ("copies", 2)]);
    bench.append("copies", 1, vec![record(90), record(91)]);
    for partition in 0..2 {
        bench.append("orders", partition, (0..10).map(record).collect());
    }
    let all = [calls(&bench, 0, 0, 10).await, calls(&bench, 1, 0, 6).await].concat();
    let answers = mirror(&bench, "copies").handle_batch(all).await;
    assert!(answers.iter().all(|answer| answer.verdict == Verdict::Ack), "{answers:?}");
    bench.crash();
    let there = bench.records("copies");
    let of = |partition: u32| there.iter().filter(move |s| s.at.shard.partition == partition).map(|s| s.record.clone());
    assert_eq!(of(0).collect::<Vec<_>>(), (0..10).map(record).collect::<Vec<_>>(), "key, value, headers and time");
    assert_eq!(of(1).skip(2).collect::<Vec<_>>(), (0..6).map(record).collect::<Vec<_>>());
    let at = |partition, offset| translate(&bench.log, "copy", partition, offset).unwrap();
    assert_eq!((at(0, 0), at(0, 7), at(1, 0), at(1, 5)), (Some(0), Some(7), Some(2), Some(7)));
    assert_eq!((at(1, 6), at(1, 9)), (Some(8), Some(8)), "what was not copied yet will lie at or behind the end");
    assert_eq!(translate(&bench.log, "other", 0, 0).unwrap(), None, "another mirror's notes are not ours");
}

#[tokio::test]
async fn what_is_copied_once_more_is_translated_so_that_nothing_is_missed() {
    let bench = Bench::new(&[("orders", 1), ("copies", 1)]);
    bench.append("orders", 0, (0..10).map(record).collect());
    let copy = mirror(&bench, "copies");
    copy.handle_batch(calls(&bench, 0, 0, 6).await).await;
    // The outcome of the last three was lost with its node.
    copy.handle_batch(calls(&bench, 0, 3, 7).await).await;
    let there: Vec<Option<bytes::Bytes>> = bench.records("copies").into_iter().map(|s| s.record.key).collect();
    for offset in 0..10 {
        let from = translate(&bench.log, "copy", 0, offset).unwrap().unwrap() as usize;
        for owed in offset..10 {
            let key = record(owed).key;
            assert!(there[from..].contains(&key), "who goes on at {from} instead of {offset} misses {owed}");
        }
    }
}

#[tokio::test]
async fn a_partition_that_the_copy_does_not_have_is_told_and_copies_nothing() {
    let bench = Bench::new(&[("orders", 2), ("copies", 1)]);
    bench.append("orders", 1, vec![record(0)]);
    let answers = mirror(&bench, "copies").handle_batch(calls(&bench, 1, 0, 1).await).await;
    let Verdict::Failed(failure) = &answers[0].verdict else { panic!("{answers:?}") };
    assert!(failure.message.contains("topic `copies` has no partition 1 (it has 1)"), "{}", failure.message);
    assert!(bench.records("copies").is_empty());
}

/// What compaction leaves: of each key the newest note.
fn compacted(bench: &Bench) -> Bench {
    let mut newest: Vec<Record> = Vec::new();
    for stored in bench.records(names::MIRRORS_TOPIC) {
        newest.retain(|note| note.key != stored.record.key);
        newest.push(stored.record);
    }
    let left = Bench::new(&[(names::MIRRORS_TOPIC, 1)]);
    left.append(names::MIRRORS_TOPIC, 0, newest);
    left
}

#[tokio::test]
async fn notes_do_not_grow_with_what_is_copied_and_what_is_left_of_them_translates_to_a_bucket_before_at_most() {
    const ALL: u64 = 2 * BUCKET + 652;
    let bench = Bench::new(&[("orders", 1), ("copies", 1)]);
    // What lies there before is what makes the offsets other ones.
    bench.append("copies", 0, (0..9).map(record).collect());
    bench.append("orders", 0, (0..ALL).map(record).collect());
    for from in (0..ALL).step_by(100) {
        // Each time another mirror: the node was started again.
        let copy = mirror(&bench, "copies");
        for some in [from, from + 50] {
            copy.handle_batch(calls(&bench, 0, some, 50).await).await;
        }
    }
    let left = compacted(&bench);
    assert_eq!(left.records(names::MIRRORS_TOPIC).len(), 3, "a note for each bucket");
    for offset in 0..ALL {
        let exact = translate(&bench.log, "copy", 0, offset).unwrap();
        assert_eq!(exact, Some(offset + 9));
        let coarse = translate(&left.log, "copy", 0, offset).unwrap().unwrap();
        assert!(coarse <= offset + 9 && coarse + BUCKET > offset + 9, "{offset} is said to be {coarse}");
    }
    let cleanup = bench.log.topic(names::MIRRORS_TOPIC).unwrap().settings.cleanup;
    assert!(matches!(cleanup, Cleanup::Compact { .. }), "{cleanup:?}");
}
