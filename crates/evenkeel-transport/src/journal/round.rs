//! A round's facts as one atomic set. Pure, but for reading back the cause of a returned event.

use std::collections::HashMap;

use bytes::Bytes;
use evenkeel_cloudevents::kafka::{Read, from_record, to_record};
use evenkeel_delivery::ports::{Commit, Delivered, PortError};
use evenkeel_delivery::{FALLBACK, Fact, Redriven, encode_journal};
use evenkeel_log::{Append, Log, ReadLimit, Set};
use evenkeel_model::ledger::{self, Ended, LedgerEntry, LedgerRecord};
use evenkeel_model::{AttributeValue, Event, Outcome, Position, Record, Shard, Timestamp, names, partition_for_key};

use super::dead_letter::{place, record as dead_letter};
use super::{Envelope, JournalSettings, Seal, hash};
use crate::dead;

/// A set, and the seals on its ledger records.
pub(super) struct Assembled {
    pub(super) set: Set,
    pub(super) seals: Vec<Seal>,
    /// What its journal record takes.
    pub(super) journal_bytes: usize,
}

/// Puts together what belongs to these facts of a round.
pub(super) fn assemble(
    log: &Log,
    settings: &JournalSettings,
    commit: &Commit,
    facts: &[Fact],
    next: &HashMap<Shard, u64>,
    now: Timestamp,
) -> Result<Assembled, PortError> {
    let mut books = Books::open(log, settings, commit, now);
    for fact in facts {
        books.enter(fact)?;
    }
    let subscription = settings.subscription.as_bytes();
    let own = |value: Bytes| Record {
        key: Some(Bytes::copy_from_slice(subscription)),
        value: Some(value),
        headers: Vec::new(),
        created: now,
    };
    let mut seals = Vec::new();
    let mut ledger_records = Vec::new();
    for (shard, entries) in books.ledger {
        let sequence = next.get(&shard).copied().unwrap_or(0);
        let bytes = ledger::encode(&LedgerRecord {
            subscription: settings.subscription.clone(),
            topic: shard.topic.clone(),
            partition: shard.partition,
            sequence,
            at: now,
            entries,
        });
        seals.push(Seal { shard, sequence, hash: hash(&bytes) });
        ledger_records.push(own(bytes));
    }
    let envelope = Envelope { seals: seals.clone(), facts: encode_journal(facts) };
    let journal = super::shard_of(log, &settings.subscription)?;
    let journal_record = envelope.encode();
    let journal_bytes = journal_record.len();
    let own_records = [
        (Shard::new(names::LEDGER_TOPIC, 0), ledger_records),
        (journal, vec![own(journal_record)]),
        (dead::shard_of(&settings.subscription), books.dead),
    ];
    let parts = own_records.into_iter().chain(books.effects).filter(|(_, records)| !records.is_empty());
    let appends = parts.map(|(shard, records)| Append::records(shard, records)).collect();
    Ok(Assembled { set: Set::appends(appends), seals, journal_bytes })
}

/// What a round writes beside its journal record, while it is put together.
struct Books<'a> {
    log: &'a Log,
    settings: &'a JournalSettings,
    round: u64,
    now: Timestamp,
    /// The events that die, and those that were returned, by the place of their cause.
    letters: HashMap<&'a Position, &'a Delivered>,
    returned: HashMap<&'a Position, Vec<&'a Event>>,
    ledger: Vec<(Shard, Vec<LedgerEntry>)>,
    effects: Vec<(Shard, Vec<Record>)>,
    dead: Vec<Record>,
}

impl<'a> Books<'a> {
    fn open(log: &'a Log, settings: &'a JournalSettings, commit: &'a Commit, now: Timestamp) -> Books<'a> {
        let mut returned: HashMap<&Position, Vec<&Event>> = HashMap::new();
        for (cause, _, events) in &commit.emitted {
            returned.entry(cause).or_default().extend(events);
        }
        Books {
            log,
            settings,
            round: commit.round.number,
            now,
            letters: commit.dead.iter().map(|d| (&d.arrival.at, &**d)).collect(),
            returned,
            ledger: Vec::new(),
            effects: Vec::new(),
            dead: Vec::new(),
        }
    }

    fn enter(&mut self, fact: &Fact) -> Result<(), PortError> {
        let (shard, entry) = match fact {
            Fact::Ended { shard, entry, .. } => (shard, LedgerEntry::Ended(self.end(shard, entry)?)),
            Fact::Attempt { shard, entry } => (shard, LedgerEntry::Attempt(entry.clone())),
            Fact::Overdue { shard, entry } => (shard, LedgerEntry::Overdue(*entry)),
            Fact::Redriven(redriven) => (&redriven.at.shard, LedgerEntry::Redriven(taken_up(redriven))),
            Fact::Pending(_)
            | Fact::Progress { .. }
            | Fact::Breaker(_)
            | Fact::Paused(_)
            | Fact::Open(_)
            | Fact::Version(_)
            | Fact::Redrive(_)
            | Fact::LettersClosed(_) => return Ok(()),
        };
        match self.ledger.iter_mut().find(|(s, _)| s == shard) {
            Some((_, entries)) => entries.push(entry),
            None => self.ledger.push((shard.clone(), vec![entry])),
        }
        Ok(())
    }

    /// The entry as it is true: with its dead letter, and with the events that come with it.
    fn end(&mut self, shard: &Shard, entry: &Ended) -> Result<Ended, PortError> {
        let at = Position { shard: shard.clone(), offset: entry.offset };
        if entry.outcome == Outcome::Dead {
            let original = self.letters.get(&at).map(|d| &d.record);
            self.dead.push(dead_letter(&self.settings.subscription, &at, original, entry));
        }
        if entry.outcome == Outcome::Completed && entry.failure.as_ref().is_some_and(|f| f.reason == FALLBACK) {
            self.divert(&at)?;
        }
        let mut entry = entry.clone();
        let Some(effects) = &self.settings.effects else {
            entry.emitted = 0;
            return Ok(entry);
        };
        let returned = self.returned.get(&at).cloned().unwrap_or_default();
        if returned.len() as u64 != u64::from(entry.emitted) {
            let what = format!("returned {} events, and {} are with the round", entry.emitted, returned.len());
            return Err(self.broken(&at, &what));
        }
        if !returned.is_empty() {
            let effects = effects.clone();
            self.put_effects(&effects, &at, &returned)?;
        }
        Ok(entry)
    }

    /// The record of an event that met an open breaker goes to the fallback's topic, as it is.
    fn divert(&mut self, at: &Position) -> Result<(), PortError> {
        let Some(topic) = &self.settings.fallback else { return Ok(()) };
        let topic = self.log.topic(topic).ok_or_else(|| self.broken(at, &format!("needs `{topic}`, which is gone")))?;
        // One that a hard limit took meanwhile is told of, at least.
        let gone = || Record { created: self.now, ..Record::default() };
        let mut record = self.letters.get(at).map_or_else(gone, |original| original.record.clone());
        record.push_header(names::FALLBACK_OF, CausedBy::text(&self.settings.subscription, at));
        let keyless = at.offset.to_be_bytes();
        let partition = partition_for_key(record.key.as_deref().unwrap_or(&keyless), topic.partitions);
        self.put(Shard::new(topic.name, partition), record);
        Ok(())
    }

    fn put(&mut self, shard: Shard, record: Record) {
        match self.effects.iter_mut().find(|(there, _)| *there == shard) {
            Some((_, records)) => records.push(record),
            None => self.effects.push((shard, vec![record])),
        }
    }

    fn put_effects(&mut self, topic: &str, cause: &Position, returned: &[&Event]) -> Result<(), PortError> {
        let topic = self
            .log
            .topic(topic)
            .ok_or_else(|| self.broken(cause, &format!("needs topic `{topic}`, which is gone")))?;
        let caused_by = CausedBy::text(&self.settings.subscription, cause);
        let cause_id =
            if returned.iter().all(|e| e.extension("causationid").is_some()) { None } else { self.id_of(cause) };
        for (nth, event) in returned.iter().enumerate() {
            let mut record = match &cause_id {
                Some(id) if event.extension("causationid").is_none() => {
                    let mut event = Event::clone(event);
                    event.set_extension("causationid", AttributeValue::String(id.clone()));
                    to_record(&event, self.now)
                }
                _ => to_record(event, self.now),
            };
            record.push_header(names::CAUSED_BY, caused_by.clone());
            // An event without a key goes where its cause's offset points: spread, and repeatable.
            let keyless = cause.offset.wrapping_add(nth as u64).to_be_bytes();
            let partition = partition_for_key(record.key.as_deref().unwrap_or(&keyless), topic.partitions);
            self.put(Shard::new(topic.name.clone(), partition), record);
        }
        Ok(())
    }

    /// The id of the event at a place, if it can still be read.
    fn id_of(&self, at: &Position) -> Option<String> {
        let stored = self.log.read(&at.shard, at.offset, ReadLimit::records(1)).ok()?.into_iter().next()?;
        match from_record(&stored.record, &stored.at) {
            Read::Event(event) | Read::Plain(event) if stored.at == *at => Some(event.id.id),
            _ => None,
        }
    }

    fn broken(&self, at: &Position, what: &str) -> PortError {
        let name = &self.settings.subscription;
        let (round, shard) = (self.round, &at.shard);
        PortError(format!("round {round} of `{name}`: {}/{} offset {} {what}", shard.topic, shard.partition, at.offset))
    }
}

fn taken_up(redriven: &Redriven) -> ledger::Redriven {
    let Redriven { at, letter, job, when, .. } = redriven;
    ledger::Redriven { offset: at.offset, at: *when, letter: letter.offset, job: job.to_string() }
}

/// The value of the header that a returned event carries: `subscription;topic;partition;offset`.
pub(crate) struct CausedBy {
    pub(crate) subscription: String,
    pub(crate) at: Position,
}

impl CausedBy {
    fn text(subscription: &str, at: &Position) -> String {
        format!("{subscription};{}", place(at))
    }

    /// Of a record, if it has one.
    pub(crate) fn of(record: &Record) -> Option<CausedBy> {
        let text = std::str::from_utf8(record.header(names::CAUSED_BY)?).ok()?;
        let (subscription, place) = text.split_once(';')?;
        Some(CausedBy { subscription: subscription.to_owned(), at: dead::position(place)? })
    }
}
