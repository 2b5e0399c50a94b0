//! What a story is made of: topics for its records, the ledger for what became of them, topics again for what
//! they caused and for the rest of their chain; by the index where there is one, else by reading everything.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Ends, Log};
use evenkeel_model::ledger::{self, AttemptFailed, Ended, LedgerEntry, LedgerRecord, Redriven};
use evenkeel_model::{Event, Outcome, Position, Shard, Stored, names};

use super::index::{Index, Key};
use super::zones::Zones;
use super::{
    RELATED_MAX, Story, StoryAttempt, StoryCaused, StoryRecord, StoryRedrive, StoryRelated, StorySubscription,
};
use crate::journal::CausedBy;
use crate::pages::Pages;

/// Where is looked.
pub(super) struct Search<'l> {
    pub(super) log: &'l Log,
    pub(super) cut: Vec<(Shard, Ends)>,
    pub(super) index: Option<&'l Index>,
    pub(super) zones: Option<&'l RwLock<Zones>>,
}

/// The whole stories.
pub(super) fn all(search: &Search<'_>, id: &str, source: Option<&str>) -> Result<Vec<Story>, PortError> {
    let mut stories = records(search, id, source)?;
    deliveries(search, &mut stories)?;
    returned(search, &mut stories)?;
    for story in &mut stories {
        named(search, story)?;
        chain(search, story)?;
    }
    Ok(stories)
}

/// True for a partition that holds events.
pub(super) fn is_of_events(shard: &Shard) -> bool {
    let state = [names::LEDGER_TOPIC, names::JOURNAL_TOPIC, names::SNAPSHOTS_TOPIC, names::CONTROL_TOPIC];
    !state.contains(&&*shard.topic)
}

impl Search<'_> {
    /// Shows every record that may have one of these keys, and others perhaps, in the order of partitions and
    /// offsets.
    fn each(&self, keys: &[Key<'_>], mut see: impl FnMut(&Stored)) -> Result<(), PortError> {
        let found = match self.index.map(|index| self.indexed(index, keys)) {
            Some(Ok(found)) => found,
            // It was let go, and will be made again.
            Some(Err(_)) | None => {
                return self.read(|ends, _| Ok(ends.start), |stored| see(stored));
            }
        };
        found.iter().for_each(&mut see);
        Ok(())
    }

    fn indexed(&self, index: &Index, keys: &[Key<'_>]) -> Result<Vec<Stored>, PortError> {
        let mut found = Vec::new();
        for key in keys {
            found.extend(index.find(*key)?);
        }
        let rest = |ends: &Ends, shard: &Shard| Ok(index.read_up_to(shard)?.max(ends.start));
        self.read(rest, |stored| {
            if keys.iter().any(|key| key.may_be_of(stored)) {
                found.push(stored.clone());
            }
        })?;
        let place = |at: &Position| self.cut.iter().position(|(shard, _)| *shard == at.shard);
        found.sort_by_key(|stored| (place(&stored.at), stored.at.offset));
        found.dedup_by(|a, b| a.at == b.at);
        Ok(found)
    }

    /// Reads partitions with events, each from where `from` says.
    fn read(
        &self,
        from: impl Fn(&Ends, &Shard) -> Result<u64, PortError>,
        mut see: impl FnMut(&Stored),
    ) -> Result<(), PortError> {
        for (shard, ends) in self.cut.iter().filter(|(shard, _)| is_of_events(shard)) {
            let from = from(ends, shard)?;
            Pages::new(self.log, shard.clone(), from, ends.high_watermark).each(|stored| {
                see(stored);
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Takes in what the ledger says since the last time.
pub(super) fn read_zones(log: &Log, zones: &RwLock<Zones>) -> Result<(), PortError> {
    let shard = Shard::new(names::LEDGER_TOPIC, 0);
    let Ok(ends) = log.ends(&shard) else { return Ok(()) };
    let next = zones.read().unwrap_or_else(PoisonError::into_inner).next();
    let mut pages = Pages::new(log, shard, next.max(ends.start), ends.high_watermark);
    loop {
        let page = pages.next()?;
        if page.is_empty() {
            return Ok(());
        }
        let records = page.iter().map(decoded).collect::<Result<Vec<_>, _>>()?;
        let mut zones = zones.write().unwrap_or_else(PoisonError::into_inner);
        page.iter().zip(&records).for_each(|(stored, record)| zones.add(stored.at.offset, record));
    }
}

fn decoded(stored: &Stored) -> Result<LedgerRecord, PortError> {
    let bytes = stored.record.value.as_deref().unwrap_or_default();
    ledger::decode(bytes)
        .map_err(|e| PortError(format!("the ledger record at offset {} cannot be read: {}", stored.at.offset, e.0)))
}

/// The records of events with this id, one story for each source.
fn records(search: &Search<'_>, id: &str, source: Option<&str>) -> Result<Vec<Story>, PortError> {
    let mut stories: Vec<Story> = Vec::new();
    search.each(&[Key::Id(id)], |stored| {
        let Some(event) = event_with(id, stored).filter(|e| source.is_none_or(|s| s == e.id.source)) else { return };
        let chain = event.extension("correlationid").unwrap_or_else(|| id.to_owned());
        let record = StoryRecord::of(stored, event.kind);
        match stories.iter_mut().find(|s| s.event == event.id) {
            Some(story) => story.records.push(record),
            None => stories.push(Story { chain, ..Story::of(event.id, record) }),
        }
    })?;
    Ok(stories)
}

/// The event of a record, if it has this id. Only what may be it is decoded.
pub(super) fn event_with(id: &str, stored: &Stored) -> Option<Event> {
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
fn deliveries(search: &Search<'_>, stories: &mut [Story]) -> Result<(), PortError> {
    let places: HashMap<Position, usize> = stories
        .iter()
        .enumerate()
        .flat_map(|(nth, story)| story.records.iter().map(move |r| (r.at.clone(), nth)))
        .collect();
    let shards: HashSet<Shard> = places.keys().map(|at| at.shard.clone()).collect();
    for (shard, ends) in search.cut.iter().filter(|(s, _)| *s.topic == *names::LEDGER_TOPIC) {
        let ranges = match search.zones {
            Some(zones) => zones.read().unwrap_or_else(PoisonError::into_inner).of(places.keys(), ends.high_watermark),
            None => std::iter::once(ends.start..ends.high_watermark).collect(),
        };
        for range in ranges {
            let until = range.end.min(ends.high_watermark);
            Pages::new(search.log, shard.clone(), range.start.max(ends.start), until).each(|stored| {
                let record = decoded(stored)?;
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
    }
    Ok(())
}

pub(super) fn offset_of(entry: &LedgerEntry) -> u64 {
    match entry {
        LedgerEntry::Ended(e) => e.offset,
        LedgerEntry::Attempt(e) => e.offset,
        LedgerEntry::Overdue(e) => e.offset,
        LedgerEntry::Redriven(e) => e.offset,
    }
}

pub(super) fn tell(story: &mut Story, record: &LedgerRecord, at: Position, entry: &LedgerEntry) {
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
fn returned(search: &Search<'_>, stories: &mut [Story]) -> Result<(), PortError> {
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
    let written: Vec<String> = causes
        .keys()
        .map(|(name, at)| format!("{name};{};{};{}", at.shard.topic, at.shard.partition, at.offset))
        .collect();
    let keys: Vec<Key<'_>> = written.iter().map(|text| Key::CausedBy(text)).collect();
    search.each(&keys, |stored| {
        // A dead letter of a returned event carries its headers, and is no second effect.
        if stored.record.header(names::dead::ORIGIN).is_some() {
            return;
        }
        let Some(CausedBy { subscription, at }) = CausedBy::of(&stored.record) else { return };
        let cause = (subscription, at);
        if let Some(nth) = causes.get(&cause) {
            stories[*nth].caused.extend(effect(stored, Some(cause.0)));
        }
    })
}

/// The events that name this one as their cause.
fn named(search: &Search<'_>, story: &mut Story) -> Result<(), PortError> {
    let id = story.event.id.clone();
    search.each(&[Key::Causation(&id)], |stored| {
        let is_known = story.caused.iter().any(|caused| caused.at == stored.at);
        if is_known || !is_first(stored) || extension(stored, "causationid").as_deref() != Some(&*id) {
            return;
        }
        story.caused.extend(effect(stored, None).filter(|caused| caused.event != story.event));
    })
}

/// The other events of its chain.
fn chain(search: &Search<'_>, story: &mut Story) -> Result<(), PortError> {
    let (chain, own) = (story.chain.clone(), story.event.clone());
    let mut related: Vec<StoryRelated> = Vec::new();
    // The first of a chain may be known by its id alone.
    search.each(&[Key::Correlation(&chain), Key::Id(&chain)], |stored| {
        if !is_first(stored) {
            return;
        }
        let Some(StoryCaused { event, kind, at, appended, .. }) = effect(stored, None) else { return };
        let is_of_it = event.id == chain || extension(stored, "correlationid").as_deref() == Some(&*chain);
        if is_of_it && event != own {
            related.push(StoryRelated { event, kind, at, appended });
        }
    })?;
    related.sort_by_key(|one| one.appended);
    related.truncate(RELATED_MAX);
    story.related = related;
    Ok(())
}

/// No dead letter and nothing held aside: the event's own record.
pub(super) fn is_first(stored: &Stored) -> bool {
    stored.record.header(names::dead::ORIGIN).is_none() && stored.record.header(names::held::ORIGIN).is_none()
}

pub(super) fn extension(stored: &Stored, name: &str) -> Option<String> {
    match from_record(&stored.record, &stored.at) {
        Read::Event(event) | Read::Plain(event) => event.extension(name),
        Read::NotAnEvent(_) => None,
    }
}

pub(super) fn effect(stored: &Stored, subscription: Option<String>) -> Option<StoryCaused> {
    match from_record(&stored.record, &stored.at) {
        Read::Event(event) | Read::Plain(event) => Some(StoryCaused {
            event: event.id,
            kind: event.kind,
            at: stored.at.clone(),
            appended: stored.appended,
            subscription,
        }),
        Read::NotAnEvent(_) => None,
    }
}
