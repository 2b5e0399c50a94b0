//! Stories of events whose records lie at a broker, told by whoever reads there, record by record.
//!
//! It reads nothing and knows no broker: a topic there goes by its address. What is shown twice is told once.
//! Invariant: a subscription's outcome is told of a record only at the address that it reads.

use std::collections::HashMap;
use std::sync::Arc;

use evenkeel_model::ledger::LedgerRecord;
use evenkeel_model::{Position, Shard, Stored, Timestamp, names};

use super::search::{effect, event_with, extension, is_first, offset_of, tell};
use super::{RELATED_MAX, Story, StoryRecord, StoryRelated};
use crate::journal::CausedBy;

/// What is told so far of the events with one id.
pub struct Telling {
    id: String,
    source: Option<String>,
    stories: Vec<Story>,
    /// Events that name the id as their cause, or as their chain, from before their own event was met.
    caused: Vec<Stored>,
}

impl Telling {
    /// Goes on from what is known already.
    pub fn new(id: &str, source: Option<&str>, stories: Vec<Story>) -> Telling {
        Telling { id: id.to_owned(), source: source.map(ToOwned::to_owned), stories, caused: Vec::new() }
    }

    /// A record of the topic at that address. True: it is one of the event's.
    pub fn record(&mut self, address: &Arc<str>, stored: &Stored) -> bool {
        if !self.may_be_of(stored) {
            return false;
        }
        // An event without an id has one from its place, and that is the topic's own name.
        let event = event_with(&self.id, stored).filter(|e| self.source.as_ref().is_none_or(|s| *s == e.id.source));
        let mut there = stored.clone();
        there.at.shard.topic = address.clone();
        let Some(event) = event else {
            let is_new = || !self.caused.iter().any(|c| c.at == there.at);
            if is_first(stored) && self.comes_of_it(stored) && is_new() {
                self.caused.push(there);
            }
            return false;
        };
        let chain = event.extension("correlationid").unwrap_or_else(|| self.id.clone());
        let record = StoryRecord::of(&there, event.kind);
        match self.stories.iter_mut().find(|s| s.event == event.id) {
            Some(story) if story.records.iter().any(|r| r.at == record.at) => {}
            Some(story) => story.records.push(record),
            None => self.stories.push(Story { chain, ..Story::of(event.id, record) }),
        }
        true
    }

    /// Cheap, and never a no where it has to do with the event.
    fn may_be_of(&self, stored: &Stored) -> bool {
        let record = &stored.record;
        let is = |name: &str| record.header(name).is_some_and(|value| value.as_ref() == self.id.as_bytes());
        // It may stand in the record's own JSON.
        record.header("ce_id").is_none()
            || is("ce_id")
            || is("ce_causationid")
            || is("ce_correlationid")
            || record.header(names::CAUSED_BY).is_some() && self.cause(stored).is_some()
    }

    /// It names the event as its cause or its chain, or a handler returned it for the event.
    fn comes_of_it(&self, stored: &Stored) -> bool {
        let names = |name: &str| extension(stored, name).as_deref() == Some(&*self.id);
        names("causationid") || names("correlationid") || self.cause(stored).is_some()
    }

    /// The story and the subscription whose handler returned it.
    fn cause(&self, stored: &Stored) -> Option<(usize, String)> {
        let CausedBy { subscription, at } = CausedBy::of(&stored.record)?;
        let told = |story: &Story| {
            story.subscriptions.iter().any(|s| {
                // What caused it is said by the topic's own name there.
                let topic = s.at.shard.topic.rsplit('/').next();
                *s.name == *subscription
                    && topic == Some(&*at.shard.topic)
                    && (s.at.shard.partition, s.at.offset) == (at.shard.partition, at.offset)
            })
        };
        Some((self.stories.iter().position(told)?, subscription))
    }

    /// The event's records in the topic at that address: where, and when they came.
    pub fn places(&self, address: &str) -> Vec<(u32, u64, Timestamp)> {
        let records = self.stories.iter().flat_map(|story| &story.records);
        let there = records.filter(|r| *r.at.shard.topic == *address);
        there.map(|r| (r.at.shard.partition, r.at.offset, r.appended)).collect()
    }

    /// When the first of the event's records came.
    pub fn begun(&self) -> Option<Timestamp> {
        self.stories.iter().flat_map(|story| &story.records).map(|r| r.appended).min()
    }

    /// What a ledger says of the topic at that address.
    pub fn ledger(&mut self, address: &Arc<str>, record: &LedgerRecord) {
        let shard = Shard { topic: address.clone(), partition: record.partition };
        let places: HashMap<Position, usize> = {
            let of = |(nth, story): (usize, &Story)| {
                let there: Vec<Position> =
                    story.records.iter().map(|r| r.at.clone()).filter(|at| at.shard == shard).collect();
                there.into_iter().map(move |at| (at, nth))
            };
            self.stories.iter().enumerate().flat_map(of).collect()
        };
        for entry in &record.entries {
            let at = Position { shard: shard.clone(), offset: offset_of(entry) };
            if let Some(nth) = places.get(&at) {
                tell(&mut self.stories[*nth], record, at, entry);
            }
        }
    }

    /// The stories, with what the events caused.
    pub fn finish(mut self) -> Vec<Story> {
        for stored in std::mem::take(&mut self.caused) {
            let by = self.cause(&stored);
            let caused_here = extension(&stored, "causationid").as_deref() == Some(&*self.id);
            let related = extension(&stored, "correlationid").as_deref() == Some(&*self.id);
            let (nth, subscription) = match by {
                Some((nth, subscription)) => (Some(nth), Some(subscription)),
                None => ((!self.stories.is_empty() && (caused_here || related)).then_some(0), None),
            };
            let Some(story) = nth.map(|nth| &mut self.stories[nth]) else { continue };
            let Some(caused) = effect(&stored, subscription.clone()) else { continue };
            if subscription.is_some() || caused_here {
                if !story.caused.iter().any(|c| c.at == caused.at) {
                    story.caused.push(caused);
                }
            } else if story.related.len() < RELATED_MAX && !story.related.iter().any(|r| r.at == caused.at) {
                let super::StoryCaused { event, kind, at, appended, .. } = caused;
                story.related.push(StoryRelated { event, kind, at, appended });
            }
        }
        for story in &mut self.stories {
            story.caused.sort_by(|a, b| a.appended.cmp(&b.appended).then_with(|| a.at.cmp(&b.at)));
            story.related.sort_by_key(|one| one.appended);
        }
        self.stories
    }
}
