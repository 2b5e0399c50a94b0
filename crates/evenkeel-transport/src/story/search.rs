//! The three scans that a story is made of: topics for its records, the ledger for what became of
//! them, topics again for what they caused (only when the ledger says that they caused something).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Ends, Log};
use evenkeel_model::ledger::{self, AttemptFailed, Ended, LedgerEntry, LedgerRecord, Redriven};
use evenkeel_model::{Event, Outcome, Position, Record, Shard, Stored, Timestamp, names};

use super::{Story, StoryAttempt, StoryCaused, StoryRecord, StoryRedrive, StorySubscription};
use crate::journal::CausedBy;
use crate::pages::Pages;

/// What is found of a topic that holds events.
fn each_event(
    log: &Log,
    cut: &[(Shard, Ends)],
    mut see: impl FnMut(&Stored) -> Result<(), PortError>,
) -> Result<(), PortError> {
    let state = [names::LEDGER_TOPIC, names::JOURNAL_TOPIC, names::SNAPSHOTS_TOPIC, names::CONTROL_TOPIC];
    for (shard, ends) in cut.iter().filter(|(shard, _)| !state.contains(&&*shard.topic)) {
        Pages::new(log, shard.clone(), ends.start, ends.high_watermark).each(&mut see)?;
    }
    Ok(())
}

/// The records of events with this id, one story for each source.
pub(super) fn records(
    log: &Log,
    cut: &[(Shard, Ends)],
    id: &str,
    source: Option<&str>,
) -> Result<Vec<Story>, PortError> {
    let mut stories: Vec<Story> = Vec::new();
    each_event(log, cut, |stored| {
        let Some(event) = event_with(id, stored).filter(|e| source.is_none_or(|s| s == e.id.source)) else {
            return Ok(());
        };
        let record = StoryRecord {
            at: stored.at.clone(),
            appended: stored.appended,
            kind: event.kind,
            key: stored.record.key.clone(),
            bytes: stored.record.value.as_ref().map_or(0, bytes::Bytes::len),
            caused_by: text(&stored.record, names::CAUSED_BY),
        };
        match stories.iter_mut().find(|s| s.event == event.id) {
            Some(story) => story.records.push(record),
            None => stories.push(Story {
                event: event.id,
                records: vec![record],
                subscriptions: Vec::new(),
                caused: Vec::new(),
            }),
        }
        Ok(())
    })?;
    Ok(stories)
}

/// The event of a record, if it has this id. Only what may be it is decoded.
fn event_with(id: &str, stored: &Stored) -> Option<Event> {
    let record = &stored.record;
    let may_be = match record.header("ce_id") {
        Some(value) => value.as_ref() == id.as_bytes(),
        None => true,
    };
    if !may_be {
        return None;
    }
    match from_record(record, &stored.at) {
        Read::Event(event) | Read::Plain(event) => Some(event).filter(|e| e.id.id == id),
        Read::NotAnEvent(_) => None,
    }
}

/// What each subscription did with the records of the stories.
pub(super) fn deliveries(log: &Log, cut: &[(Shard, Ends)], stories: &mut [Story]) -> Result<(), PortError> {
    let places: HashMap<Position, usize> = stories
        .iter()
        .enumerate()
        .flat_map(|(nth, story)| story.records.iter().map(move |r| (r.at.clone(), nth)))
        .collect();
    let shards: HashSet<Shard> = places.keys().map(|at| at.shard.clone()).collect();
    for (shard, ends) in cut.iter().filter(|(s, _)| *s.topic == *names::LEDGER_TOPIC) {
        Pages::new(log, shard.clone(), ends.start, ends.high_watermark).each(|stored| {
            let bytes = stored.record.value.as_deref().unwrap_or_default();
            let record = ledger::decode(bytes).map_err(|e| {
                PortError(format!("the ledger record at offset {} cannot be read: {}", stored.at.offset, e.0))
            })?;
            let shard = Shard::new(record.topic.clone(), record.partition);
            if shards.contains(&shard) {
                for entry in &record.entries {
                    let at = Position { shard: shard.clone(), offset: offset_of(entry) };
                    if let Some(nth) = places.get(&at) {
                        tell(&mut stories[*nth], &record, at, entry);
                    }
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn offset_of(entry: &LedgerEntry) -> u64 {
    match entry {
        LedgerEntry::Ended(e) => e.offset,
        LedgerEntry::Attempt(e) => e.offset,
        LedgerEntry::Overdue(e) => e.offset,
        LedgerEntry::Redriven(e) => e.offset,
    }
}

fn tell(story: &mut Story, record: &LedgerRecord, at: Position, entry: &LedgerEntry) {
    let name = &record.subscription;
    let known = story.subscriptions.iter().position(|s| s.name == *name && s.at == at);
    let nth = known.unwrap_or_else(|| {
        story.subscriptions.push(StorySubscription {
            name: name.clone(),
            at,
            outcome: None,
            ended_at: None,
            created_to_ended: None,
            overdue_at: None,
            attempts_counted: 0,
            deliveries: 0,
            handler_version: "".into(),
            reason: None,
            redriven: Vec::new(),
            attempts: Vec::new(),
        });
        story.subscriptions.len() - 1
    });
    let told = &mut story.subscriptions[nth];
    match entry {
        LedgerEntry::Overdue(overdue) => told.overdue_at = Some(overdue.at),
        LedgerEntry::Attempt(attempt) => told.attempts.push(failed(attempt)),
        LedgerEntry::Ended(ended) => tell_end(told, ended),
        LedgerEntry::Redriven(redriven) => tell_redrive(told, redriven),
    }
    told.deliveries = told.deliveries.max(told.attempts.iter().map(|a| a.delivery).max().unwrap_or(0));
}

fn tell_redrive(told: &mut StorySubscription, redriven: &Redriven) {
    (told.outcome, told.ended_at, told.reason) = (None, None, None);
    let (at, job, attempts_before) = (redriven.at, redriven.job.clone(), told.attempts.len());
    told.redriven.push(StoryRedrive { at, job, attempts_before });
}

fn failed(attempt: &AttemptFailed) -> StoryAttempt {
    StoryAttempt {
        delivery: attempt.delivery,
        at: attempt.at,
        took: Duration::from_micros(attempt.took_us),
        class: Some(attempt.class),
        status: attempt.status,
        message: attempt.message.clone(),
        next_at: attempt.next_at,
    }
}

fn tell_end(told: &mut StorySubscription, ended: &Ended) {
    told.outcome = Some(ended.outcome);
    told.ended_at = Some(ended.at);
    told.created_to_ended = Some(Duration::from_micros(ended.created_to_ended_us));
    told.attempts_counted = ended.attempts;
    told.deliveries = ended.deliveries;
    told.handler_version = ended.handler_version.clone();
    told.reason = ended.failure.as_ref().map(|f| f.reason.clone());
    // An operator may have ended it between attempts: then the last one is told already.
    let since = told.redriven.last().map_or(0, |r| r.attempts_before);
    let told_already = told.attempts[since..].iter().any(|a| a.delivery == ended.deliveries);
    if ended.deliveries > 0 && !told_already {
        told.attempts.push(last_attempt(ended));
    }
}

/// The attempt that brought the outcome.
fn last_attempt(ended: &Ended) -> StoryAttempt {
    let failure = ended.failure.as_ref().filter(|_| ended.outcome == Outcome::Dead);
    StoryAttempt {
        delivery: ended.deliveries,
        at: ended.at,
        took: Duration::from_micros(ended.handler_us),
        class: failure.map(|f| f.class),
        status: failure.and_then(|f| f.status),
        message: failure.map(|f| f.message.clone()).unwrap_or_default(),
        next_at: None,
    }
}

/// The events that handlers returned for the records of the stories.
pub(super) fn caused(log: &Log, cut: &[(Shard, Ends)], stories: &mut [Story]) -> Result<(), PortError> {
    let completed = |s: &StorySubscription| s.outcome == Some(Outcome::Completed);
    let causes: HashMap<(String, Position), usize> = stories
        .iter()
        .enumerate()
        .flat_map(|(nth, story)| {
            let done = story.subscriptions.iter().filter(|s| completed(s));
            done.map(move |s| ((s.name.to_string(), s.at.clone()), nth))
        })
        .collect();
    if causes.is_empty() {
        return Ok(());
    }
    each_event(log, cut, |stored| {
        // A dead letter of a returned event carries its headers, and is no second effect.
        if stored.record.header(names::dead::ORIGIN).is_some() {
            return Ok(());
        }
        let Some(CausedBy { subscription, at }) = CausedBy::of(&stored.record) else { return Ok(()) };
        let cause = (subscription, at);
        if let Some(nth) = causes.get(&cause) {
            stories[*nth].caused.extend(effect(stored, cause.0, stored.appended));
        }
        Ok(())
    })
}

fn effect(stored: &Stored, subscription: String, appended: Timestamp) -> Option<StoryCaused> {
    match from_record(&stored.record, &stored.at) {
        Read::Event(event) | Read::Plain(event) => {
            Some(StoryCaused { event: event.id, kind: event.kind, at: stored.at.clone(), appended, subscription })
        }
        Read::NotAnEvent(_) => None,
    }
}

fn text(record: &Record, name: &str) -> Option<String> {
    record.header(name).map(|v| String::from_utf8_lossy(v).into_owned())
}
