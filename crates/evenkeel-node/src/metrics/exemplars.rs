//! The events that stand for the buckets of histograms: their ids and traces, read from the log.
//!
//! The watch knows positions only. Invariants: at most [`LOOK_UPS_MAX`] records are read for one page, what was read
//! is kept as long as it stands for something, and an event that is gone stands for nothing.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_log::{Log, ReadLimit};
use evenkeel_model::Position;
use evenkeel_watch::Snapshot;

use super::exposition::Label;
use super::names;

/// Records that are read for one page; the rest have their turn with the next one.
const LOOK_UPS_MAX: usize = 256;
/// The most that OpenMetrics takes for all labels of an exemplar, in characters.
const LABELS_MAX: usize = 128;

/// What is known of the events, from one page to the next.
pub(crate) type Remembered = Mutex<Known>;

/// What is known of events, by their place.
#[derive(Clone, Default)]
pub(crate) struct Known(HashMap<Position, Option<Told>>);

/// What is said of an event.
#[derive(Clone)]
struct Told {
    id: Option<String>,
    trace: Option<String>,
}

impl Known {
    /// What stands with an exemplar; none for an event that is not known.
    pub(super) fn labels(&self, at: &Position) -> Option<Vec<Label<'_>>> {
        let told = self.0.get(at)?.as_ref()?;
        let label = |name, value: &'_ Option<String>| value.clone().map(|value| (name, Cow::Owned(value)));
        let trace = label(names::TRACE_ID, &told.trace);
        let labels: Vec<Label<'_>> = label(names::EVENT_ID, &told.id).into_iter().chain(trace).collect();
        (!labels.is_empty()).then_some(labels)
    }
}

/// What is known of the events that this snapshot shows.
pub(super) fn look_up(remembered: &Remembered, log: &Log, snapshot: &Snapshot) -> Known {
    let mut known = remembered.lock().unwrap_or_else(PoisonError::into_inner);
    let shown = snapshot.subscriptions.iter().flat_map(|seen| [&seen.latency, &seen.handler]);
    let shown = shown.flat_map(|buckets| buckets.exemplars.iter().map(|(_, exemplar)| &exemplar.at));
    let mut next = HashMap::new();
    let mut look_ups = 0;
    for at in shown {
        let told = match known.0.remove(at) {
            Some(told) => told,
            None if next.contains_key(at) => continue,
            None if look_ups == LOOK_UPS_MAX => continue,
            None => {
                look_ups += 1;
                read(log, at)
            }
        };
        next.insert(at.clone(), told);
    }
    known.0 = next;
    known.clone()
}

fn read(log: &Log, at: &Position) -> Option<Told> {
    let records = log.read(&at.shard, at.offset, ReadLimit::records(1)).ok()?;
    let stored = records.first().filter(|stored| stored.at == *at)?;
    let Read::Event(event) = from_record(&stored.record, &stored.at) else { return None };
    let traceparent = event.extension("traceparent");
    Some(told(event.id.id, traceparent.as_deref()))
}

fn told(id: String, traceparent: Option<&str>) -> Told {
    let trace = traceparent.and_then(|header| header.split('-').nth(1));
    let is_hex =
        |trace: &&str| trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let trace = trace.filter(is_hex).map(str::to_owned);
    let taken = trace.as_ref().map_or(0, |trace| names::TRACE_ID.len() + trace.len());
    let fits = names::EVENT_ID.len() + id.chars().count() + taken <= LABELS_MAX;
    Told { id: fits.then_some(id), trace }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn an_exemplar_has_the_trace_of_its_event_and_an_id_that_fits() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let short = told("o-1".to_owned(), Some(parent));
        assert_eq!(short.id.as_deref(), Some("o-1"));
        assert_eq!(short.trace.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        let long = told("x".repeat(100), Some(parent));
        assert!(long.id.is_none() && long.trace.is_some(), "more than 128 characters are refused by whoever scrapes");
        assert!(told("x".repeat(121), None).id.is_none());
        assert!(told("x".repeat(120), None).id.is_some());
        assert!(told("o-1".to_owned(), Some("00-NOPE-1-1")).trace.is_none());
    }
}
