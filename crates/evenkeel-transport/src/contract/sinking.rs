//! What a sink promises.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{Outgoing, Unsent};
use evenkeel_model::{AttributeValue, Event};

use super::reading::read_all;
use super::rounds::NOW;
use super::{Broken, Subject, promise};

/// Events over a handful of keys, ready to go.
pub(super) fn outgoing(numbers: Range<usize>) -> Vec<Outgoing> {
    numbers.map(|n| one(n, Bytes::from(format!("payload {n}")))).collect()
}

fn one(n: usize, data: Bytes) -> Outgoing {
    let key = format!("key-{}", n % 7);
    let mut event = Event::new("/contract/out", format!("out-{n}"), "ContractEvent");
    event.data = Some(data);
    event.set_extension("partitionkey", AttributeValue::String(key.clone()));
    let id = Mark::of("contract", "/contract/out", &n.to_string());
    Outgoing { event, key: Some(Bytes::from(key)), headers: Vec::new(), created: NOW, id }
}

pub(super) async fn confirmed(subject: &dyn Subject) -> Result<(), Broken> {
    let Some(sink) = subject.sink().await? else { return Ok(()) };
    let first = sink.publish(outgoing(0..30)).await;
    let second = sink.publish(outgoing(30..45)).await;
    let failed = first.iter().chain(&second).find_map(|answer| answer.as_ref().err());
    promise(failed.is_none() && first.len() == 30 && second.len() == 15, || format!("45 were sent: {failed:?}"))?;
    subject.crash().await?;
    let mut by_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for event in read_all(&*subject.open().await?.source, 100).await?.into_values().flatten() {
        let number = event.event.id.id.strip_prefix("out-").and_then(|n| n.parse().ok());
        let number = number.ok_or_else(|| Broken(format!("`{}` was never published", event.event.id.id)))?;
        let data = event.event.data.clone().unwrap_or_default();
        promise(data == format!("payload {number}"), || format!("the data of event {number} is another one"))?;
        by_key.entry(event.event.ordering_key().unwrap_or_default()).or_default().push(number);
    }
    for key in 0..7 {
        let expected: Vec<usize> = (0..45).filter(|n| n % 7 == key).collect();
        let found = by_key.remove(&format!("key-{key}")).unwrap_or_default();
        promise(found == expected, || format!("of key {key} came {found:?}, and {expected:?} were confirmed"))?;
    }
    promise(by_key.is_empty(), || format!("keys that nobody published: {by_key:?}"))
}

pub(super) async fn one_by_one(subject: &dyn Subject) -> Result<(), Broken> {
    let Some(sink) = subject.sink().await? else { return Ok(()) };
    let Some(max) = subject.capabilities().limits.payload_bytes_max else { return Ok(()) };
    let too_large = usize::try_from(max).map_err(|e| Broken(e.to_string()))? + 1024;
    let mut events = outgoing(0..3);
    events[1] = one(1, Bytes::from(vec![b'x'; too_large]));
    let answers = sink.publish(events).await;
    promise(answers.len() == 3, || format!("3 events had {} answers", answers.len()))?;
    let refused = answers[1].as_ref().err().map(|error| error.unsent);
    promise(refused == Some(Unsent::Never), || format!("an event of {too_large} bytes was answered with {refused:?}"))?;
    let others = answers[0].is_ok() && answers[2].is_ok();
    promise(others, || format!("its neighbours were not published: {:?}, {:?}", answers[0], answers[2]))
}
