//! The records of a round beside its journal record: outcomes, returned events, dead letters. Pure.

use std::collections::HashMap;
use std::sync::PoisonError;

use bytes::Bytes;
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::{Commit, Delivered, PortError};
use evenkeel_delivery::{FALLBACK, Fact, Redriven, encode_identities};
use evenkeel_model::ledger::{self, Ended, LedgerEntry, LedgerRecord};
use evenkeel_model::{
    AttributeValue, Event, Header, Outcome, Position, Record, Shard, Timestamp, names, partition_for_key,
};
use evenkeel_transport::dead_record;

use super::transaction::Piece;
use super::{FACTS_MAX, IDENTITIES, Outward, Whose};
use crate::source::Ids;

pub(super) struct Assembled {
    pub(super) pieces: Vec<Piece>,
    /// The bytes of the ledger records among them.
    pub(super) ledgers: Vec<Bytes>,
    /// The group's progress.
    pub(super) offsets: Vec<(u32, u64)>,
    pub(super) ledger_next: u64,
}

pub(super) fn assemble(
    whose: &Whose,
    commit: &Commit,
    ledger_next: u64,
    ids: Option<&Ids>,
    now: Timestamp,
) -> Result<Assembled, PortError> {
    let mut books = Books::open(whose, commit, ids, now);
    let mut ledger_next = ledger_next;
    for facts in commit.round.facts.chunks(FACTS_MAX) {
        let mut entries = Vec::new();
        for fact in facts {
            entries.extend(books.enter(fact)?);
        }
        if !entries.is_empty() {
            books.ledger(facts, entries, ledger_next);
            ledger_next += 1;
        }
    }
    let progress = commit.round.facts.iter().rev().find_map(|fact| match fact {
        Fact::Progress { shard, below } => Some((shard.partition, *below)),
        _ => None,
    });
    Ok(Assembled { pieces: books.pieces, ledgers: books.ledgers, offsets: progress.into_iter().collect(), ledger_next })
}

struct Books<'a> {
    whose: &'a Whose,
    now: Timestamp,
    round: u64,
    ids: Option<&'a Ids>,
    letters: HashMap<&'a Position, &'a Delivered>,
    returned: HashMap<&'a Position, Vec<&'a Event>>,
    pieces: Vec<Piece>,
    ledgers: Vec<Bytes>,
}

impl<'a> Books<'a> {
    fn open(whose: &'a Whose, commit: &'a Commit, ids: Option<&'a Ids>, now: Timestamp) -> Books<'a> {
        let mut returned: HashMap<&Position, Vec<&Event>> = HashMap::new();
        for (cause, _, events) in &commit.emitted {
            returned.entry(cause).or_default().extend(events);
        }
        let letters = commit.dead.iter().map(|d| (&d.arrival.at, &**d)).collect();
        Books {
            whose,
            now,
            round: commit.round.number,
            ids,
            letters,
            returned,
            pieces: Vec::new(),
            ledgers: Vec::new(),
        }
    }

    fn enter(&mut self, fact: &Fact) -> Result<Option<LedgerEntry>, PortError> {
        Ok(match fact {
            Fact::Ended { shard, entry, .. } => Some(LedgerEntry::Ended(self.end(shard, entry)?)),
            Fact::Attempt { entry, .. } => Some(LedgerEntry::Attempt(entry.clone())),
            Fact::Overdue { entry, .. } => Some(LedgerEntry::Overdue(*entry)),
            Fact::Redriven(redriven) => Some(LedgerEntry::Redriven(taken_up(redriven))),
            _ => None,
        })
    }

    fn ledger(&mut self, facts: &[Fact], entries: Vec<LedgerEntry>, sequence: u64) {
        let Shard { topic, partition } = self.whose.shard.clone();
        let subscription = self.whose.names.subscription.clone();
        let key = Bytes::copy_from_slice(subscription.as_bytes());
        let value = ledger::encode(&LedgerRecord { subscription, topic, partition, sequence, at: self.now, entries });
        self.ledgers.push(value.clone());
        let header = |value| Header { name: IDENTITIES.to_owned(), value: Some(value) };
        let headers = encode_identities(facts).map(header).into_iter().collect();
        let record = Record { key: Some(key), value: Some(value), headers, created: self.now };
        self.pieces.push(Piece::to(self.whose.names.ledger.as_str().into(), partition, record));
    }

    /// The entry as it is true: with its dead letter, and with the events that come with it.
    fn end(&mut self, shard: &Shard, entry: &Ended) -> Result<Ended, PortError> {
        let at = Position { shard: shard.clone(), offset: entry.offset };
        if entry.outcome == Outcome::Dead {
            let original = self.letters.get(&at).map(|d| &d.record);
            let letter = dead_record(&self.whose.names.subscription, &at, original, entry);
            self.pieces.push(Piece::to(self.whose.names.dead.as_str().into(), shard.partition, letter));
        }
        if entry.outcome == Outcome::Completed && entry.failure.as_ref().is_some_and(|f| f.reason == FALLBACK) {
            self.divert(&at);
        }
        let mut entry = entry.clone();
        let Some(effects) = self.whose.effects.clone() else {
            entry.emitted = 0;
            return Ok(entry);
        };
        let returned = self.returned.get(&at).cloned().unwrap_or_default();
        if returned.len() as u64 != u64::from(entry.emitted) {
            return Err(PortError(format!(
                "round {} of `{}`: {} returned {} events, and {} are with the round",
                self.round,
                self.whose.names.subscription,
                place(&at),
                entry.emitted,
                returned.len()
            )));
        }
        for (nth, event) in returned.into_iter().enumerate() {
            self.emit(&effects, &at, nth, event);
        }
        Ok(entry)
    }

    /// The record of an event that met an open breaker goes to the fallback's topic, as it is.
    fn divert(&mut self, at: &Position) {
        let Some(fallback) = self.whose.fallback.clone() else { return };
        let gone = || Record { created: self.now, ..Record::default() };
        let mut record = self.letters.get(at).map_or_else(gone, |original| original.record.clone());
        record.push_header(names::FALLBACK_OF, self.caused_by(at));
        self.outward(&fallback, at.offset, record);
    }

    fn emit(&mut self, to: &Outward, cause: &Position, nth: usize, event: &Event) {
        let mut record = match self.id_of(cause).filter(|_| event.extension("causationid").is_none()) {
            Some(id) => {
                let mut event = event.clone();
                event.set_extension("causationid", AttributeValue::String(id));
                to_record(&event, self.now)
            }
            None => to_record(event, self.now),
        };
        record.push_header(names::CAUSED_BY, self.caused_by(cause));
        self.outward(to, cause.offset.wrapping_add(nth as u64), record);
    }

    /// An event without a key goes where its cause's offset points: spread, and repeatable.
    fn outward(&mut self, to: &Outward, keyless: u64, record: Record) {
        let keyless = keyless.to_be_bytes();
        let partition = partition_for_key(record.key.as_deref().unwrap_or(&keyless), to.partitions);
        self.pieces.push(Piece::to(to.topic.clone(), partition, record));
    }

    fn id_of(&self, at: &Position) -> Option<String> {
        self.ids?.lock().unwrap_or_else(PoisonError::into_inner).get(&at.offset).cloned()
    }

    fn caused_by(&self, at: &Position) -> String {
        format!("{};{}", self.whose.names.subscription, place(at))
    }
}

fn place(at: &Position) -> String {
    format!("{};{};{}", at.shard.topic, at.shard.partition, at.offset)
}

fn taken_up(redriven: &Redriven) -> ledger::Redriven {
    let Redriven { at, letter, job, when, .. } = redriven;
    ledger::Redriven { offset: at.offset, at: *when, letter: letter.offset, job: job.to_string() }
}
