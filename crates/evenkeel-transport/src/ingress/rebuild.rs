//! The index after a start: what the users' topics took in within the window, less what is sealed.

use std::ops::Range;

use evenkeel_cloudevents::content_hash;
use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Log, Topic};
use evenkeel_model::{Shard, Stored as StoredRecord, Timestamp, names};

use super::index::{Index, Stored};
use super::sealed::Sealed;
use crate::pages::{Pages, unreadable};

/// Reads all topics that producers write to, from `now` less the window on, but for the times of
/// which all is sealed.
pub(super) fn rebuild(log: &Log, now: Timestamp, index: &mut Index, sealed: &Sealed) -> Result<(), PortError> {
    for gap in sealed.gaps(index.since(now)) {
        read_again(log, &gap, index)?;
    }
    Ok(())
}

/// What was published in that time, into the index.
pub(super) fn read_again(log: &Log, time: &Range<Timestamp>, index: &mut Index) -> Result<(), PortError> {
    let mut found = Vec::new();
    for topic in log.topics().iter().filter(|t| is_published(t)) {
        for partition in 0..topic.partitions {
            read(log, &Shard::new(topic.name.clone(), partition), time, &mut found)?;
        }
        index.trim(&mut found);
    }
    found.sort_by_key(|(_, stored)| (stored.at, stored.partition, stored.offset));
    for (mark, stored) in found {
        if !index.knows(&mark) {
            index.store(mark, stored);
        }
    }
    Ok(())
}

fn is_published(topic: &Topic) -> bool {
    !topic.name.starts_with(names::OWN_PREFIX) && !topic.name.ends_with(names::DEAD_SUFFIX)
}

fn read(log: &Log, shard: &Shard, time: &Range<Timestamp>, found: &mut Vec<(Mark, Stored)>) -> Result<(), PortError> {
    let Some(from) = log.offset_at(shard, time.start).map_err(|e| unreadable(shard, &e))? else { return Ok(()) };
    let number = log.topic_number(&shard.topic).unwrap_or_default();
    let end = log.ends(shard).map_err(|e| unreadable(shard, &e))?.high_watermark;
    let mut pages = Pages::new(log, shard.clone(), from, end);
    loop {
        let page = pages.next()?;
        found.extend(page.iter().filter(|s| s.appended < time.end).filter_map(|s| remembered(shard, number, s)));
        if page.last().is_none_or(|last| last.appended >= time.end) {
            return Ok(());
        }
    }
}

/// What a handler returned came by the journal, not by this way in.
fn remembered(shard: &Shard, topic_number: u32, stored: &StoredRecord) -> Option<(Mark, Stored)> {
    if stored.record.header(names::CAUSED_BY).is_some() {
        return None;
    }
    let Read::Event(event) = from_record(&stored.record, &stored.at) else { return None };
    let entry = Stored {
        content: content_hash(&event),
        partition: shard.partition,
        offset: stored.at.offset,
        at: stored.appended,
    };
    Some((super::identity(&shard.topic, topic_number, &event.id), entry))
}
