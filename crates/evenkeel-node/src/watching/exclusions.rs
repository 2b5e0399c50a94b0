//! Exclusions, on record: said and taken back as events of a topic of their own.
//!
//! Invariant: an exclusion holds when it is durable, and not before.

use evenkeel_cloudevents::kafka::{Read, from_record, to_record};
use evenkeel_log::{Log, ReadLimit, Set};
use evenkeel_model::{Shard, Timestamp, names};
use evenkeel_watch::{Exclusion, Watch};

use crate::error::{Error, codes};
use crate::forms::exclusion::{self, SAID, WITHDRAWN};
use crate::happenings::NotAnExclusion;

/// Takes all that was said into the watch, in order.
pub(super) fn read_into(log: &Log, watch: &mut Watch) {
    let shard = Shard::new(names::EXCLUSIONS_TOPIC, 0);
    let mut next = log.ends(&shard).map_or(0, |ends| ends.start);
    while let Ok(records) = log.read(&shard, next, ReadLimit::default()) {
        let Some(last) = records.last() else { break };
        next = last.at.offset + 1;
        for stored in &records {
            let Read::Event(event) = from_record(&stored.record, &stored.at) else { continue };
            match exclusion::read(&event) {
                Some((exclusion, true)) => drop(watch.include(&exclusion.id)),
                Some((exclusion, false)) => watch.exclude(exclusion),
                None => NotAnExclusion { offset: stored.at.offset }.tell(),
            }
        }
    }
}

/// Says it, durably.
pub(super) async fn say(log: &Log, watch: &mut Watch, exclusion: Exclusion, now: Timestamp) -> Result<(), Error> {
    store(log, SAID, &exclusion, now).await?;
    watch.exclude(exclusion);
    Ok(())
}

/// Takes it back, durably; what it was, when it was there.
pub(super) async fn withdraw(
    log: &Log,
    watch: &mut Watch,
    id: &str,
    now: Timestamp,
) -> Result<Option<Exclusion>, Error> {
    let Some(exclusion) = watch.exclusions().iter().find(|e| &*e.id == id).cloned() else { return Ok(None) };
    store(log, WITHDRAWN, &exclusion, now).await?;
    watch.include(id);
    Ok(Some(exclusion))
}

async fn store(log: &Log, kind: &str, exclusion: &Exclusion, now: Timestamp) -> Result<(), Error> {
    let record = to_record(&exclusion::event(kind, exclusion, now), now);
    let set = Set::of(Shard::new(names::EXCLUSIONS_TOPIC, 0), vec![record]);
    log.append(set).await.map(drop).map_err(|e| Error::new(codes::LOG_STOPPED, format!("it cannot be stored: {e}")))
}
