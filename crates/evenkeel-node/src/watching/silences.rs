//! Silences, on record: said and taken back as events of a topic of their own.

use evenkeel_cloudevents::kafka::{Read, from_record, to_record};
use evenkeel_log::{Log, ReadLimit, Set};
use evenkeel_model::{Shard, Timestamp, names};
use evenkeel_watch::Silence;

use crate::error::{Error, codes};
use crate::forms::silence;
use crate::happenings::NotASilence;

/// The silences that hold by the record; those that are over among them.
pub(super) fn read_back(log: &Log) -> Vec<Silence> {
    let shard = Shard::new(names::SILENCES_TOPIC, 0);
    let mut silences: Vec<Silence> = Vec::new();
    let mut next = log.ends(&shard).map_or(0, |ends| ends.start);
    while let Ok(records) = log.read(&shard, next, ReadLimit::default()) {
        let Some(last) = records.last() else { break };
        next = last.at.offset + 1;
        for stored in &records {
            let Read::Event(event) = from_record(&stored.record, &stored.at) else { continue };
            let Some((silence, withdrawn)) = silence::read(&event) else {
                NotASilence { offset: stored.at.offset }.tell();
                continue;
            };
            silences.retain(|there| there.id != silence.id);
            if !withdrawn {
                silences.push(silence);
            }
        }
    }
    silences
}

/// Makes durable that it is said, or taken back.
pub(super) async fn store(log: &Log, kind: &str, silence: &Silence, now: Timestamp) -> Result<(), Error> {
    let record = to_record(&silence::event(kind, silence, now), now);
    let set = Set::of(Shard::new(names::SILENCES_TOPIC, 0), vec![record]);
    log.append(set).await.map(drop).map_err(|e| Error::new(codes::LOG_STOPPED, format!("it cannot be stored: {e}")))
}
