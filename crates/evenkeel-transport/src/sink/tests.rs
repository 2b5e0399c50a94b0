use std::sync::Arc;
use std::time::Duration;

use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::{Call, Handler, Source};
use evenkeel_model::{FailureClass, Verdict};

use super::{IngressSink, SinkHandler};
use crate::bench::{Bench, START, event};
use crate::{EmbeddedSource, Ingress, SourceSettings};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Calls for all events of `orders`.
async fn calls(bench: &Bench) -> Vec<Call> {
    let source = EmbeddedSource::open(bench.log.clone(), SourceSettings::new("bridge", "orders")).unwrap();
    let (events, _) = source.fetch(&evenkeel_model::Shard::new("orders", 0), 0, 100).await.unwrap();
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

fn bench() -> (Bench, SinkHandler) {
    let bench = Bench::new(&[("orders", 1), ("mirror", 3)]);
    let ingress = Ingress::open(bench.log.clone(), bench.clock(), DAY).unwrap();
    (bench, SinkHandler::new(Arc::new(IngressSink::new(ingress, "mirror"))))
}

#[tokio::test]
async fn a_bridged_event_is_stored_once_however_often_it_is_attempted() {
    let (bench, handler) = bench();
    for n in 0..5 {
        bench.append("orders", 0, vec![to_record(&event(&n.to_string(), &format!("k{n}")), START)]);
    }
    for _attempt in 0..3 {
        let answers = handler.handle_batch(calls(&bench).await).await;
        assert!(answers.iter().all(|answer| answer.verdict == Verdict::Ack), "{answers:?}");
    }
    let mut values: Vec<_> = bench.records("mirror").into_iter().map(|stored| stored.record.value).collect();
    values.sort();
    let sent: Vec<_> = bench.records("orders").into_iter().map(|stored| stored.record.value).collect();
    assert_eq!(values, sent);
}

#[tokio::test]
async fn one_event_that_is_refused_is_rejected_alone() {
    let (bench, handler) = bench();
    let mut other = event("2", "k");
    bench.append("orders", 0, ["1", "2", "3"].map(|id| to_record(&event(id, "k"), START)).to_vec());
    other.data = Some("something else".into());
    // `2` is there already, with other data.
    let ingress = Ingress::open(bench.log.clone(), bench.clock(), DAY).unwrap();
    ingress.publish("mirror", vec![other]).await.unwrap();
    let handler_2 = SinkHandler::new(Arc::new(IngressSink::new(ingress, "mirror")));
    let answers = handler_2.handle_batch(calls(&bench).await).await;
    let verdicts: Vec<_> = answers.into_iter().map(|answer| answer.verdict).collect();
    assert_eq!((&verdicts[0], &verdicts[2]), (&Verdict::Ack, &Verdict::Ack));
    assert!(matches!(&verdicts[1], Verdict::Reject { reason } if reason.contains("`2`")), "{verdicts:?}");
    drop(handler);
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_an_operators_matter_and_rejects_nothing() {
    let (bench, _) = bench();
    bench.append("orders", 0, vec![to_record(&event("1", "k"), START)]);
    let ingress = Ingress::open(bench.log.clone(), bench.clock(), DAY).unwrap();
    let handler = SinkHandler::new(Arc::new(IngressSink::new(ingress, "nowhere")));
    let answer = handler.handle(calls(&bench).await.remove(0)).await;
    let Verdict::Failed(failure) = answer.verdict else { panic!("{answer:?}") };
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("`nowhere`"), "{failure:?}");
}
