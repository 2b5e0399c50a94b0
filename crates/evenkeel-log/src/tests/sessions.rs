//! Producers in the explorer: batches with sequences, repeats of what was in doubt, transactions
//! with their ends, each held against what the log says of them after every restart.

use std::collections::BTreeMap;

use evenkeel_model::{Shard, Timestamp};

use super::explore::Dice;
use super::model::Model;
use super::{poll, sent};
use crate::{Append, AppendError, Appended, Change, Log, Producer, Set};

/// One producer and what it knows of itself.
pub(super) struct Session {
    producer: Producer,
    is_transactional: bool,
    next: BTreeMap<Shard, i32>,
    /// The sets of its open transaction: when, and where.
    open: Vec<(u64, Timestamp, u64)>,
    /// What it does not know the outcome of, and does again.
    doubt: Option<Deed>,
    /// The last batch that was acknowledged, and where.
    last: Option<(Deed, u64)>,
}

/// Something that a producer does.
#[derive(Clone)]
enum Deed {
    Batch {
        id: u64,
        shard: Shard,
        sequence: i32,
        values: Vec<String>,
    },
    /// Ends the transaction; a record beside it is part of the same fact.
    End {
        commit: bool,
        beside: Option<(u64, Set)>,
    },
}

/// How it went.
enum Outcome {
    Done(Appended),
    /// Refused, and nothing was written.
    Refused,
    Unknown,
}

/// One act of a new or an old producer.
pub(super) fn act(log: &Log, model: &mut Model, dice: &mut Dice) -> Result<(), String> {
    if model.topics().is_empty() {
        return Ok(());
    }
    if model.sessions.len() < 4 && dice.roll(4) == 0 {
        return begin(log, model, dice);
    }
    if model.sessions.is_empty() {
        return Ok(());
    }
    let index = usize::try_from(dice.roll(model.sessions.len() as u64)).unwrap_or(0);
    let mut session = model.sessions.swap_remove(index);
    let deed = session.choose(model, dice);
    let done = session.attempt(log, model, deed);
    model.sessions.push(session);
    done
}

/// A new producer, whose id was never given before.
fn begin(log: &Log, model: &mut Model, dice: &mut Dice) -> Result<(), String> {
    let mut naming = log.new_producer();
    log.step();
    let Some(Ok(id)) = poll(&mut naming) else { return Ok(()) };
    if !model.producers.insert(id) {
        return Err(format!("producer id {id} was given twice"));
    }
    model.sessions.push(Session {
        producer: Producer { id, epoch: 0 },
        is_transactional: dice.roll(3) > 0,
        next: BTreeMap::new(),
        open: Vec::new(),
        doubt: None,
        last: None,
    });
    Ok(())
}

impl Session {
    fn choose(&mut self, model: &mut Model, dice: &mut Dice) -> Deed {
        if let Some(doubt) = self.doubt.take() {
            return doubt;
        }
        match (dice.roll(5), &self.last) {
            (0, _) if !self.open.is_empty() => self.end(model, dice),
            (1, Some((last, _))) => last.clone(),
            _ => {
                let shard = model.any_shard(dice);
                let id = model.reserve(shard.clone(), 1 + dice.roll(3));
                let values = model.values(id).to_vec();
                Deed::Batch { id, sequence: self.next.get(&shard).copied().unwrap_or(0), shard, values }
            }
        }
    }

    fn end(&self, model: &mut Model, dice: &mut Dice) -> Deed {
        let beside = (dice.roll(2) == 0).then(|| {
            let shard = model.any_shard(dice);
            let id = model.reserve(shard.clone(), 1);
            let value = model.values(id)[0].clone();
            (id, Set::of(shard, vec![evenkeel_model::Record { value: Some(value.into()), ..Default::default() }]))
        });
        Deed::End { commit: dice.roll(3) > 0, beside }
    }

    /// Does it, and notes how it went.
    fn attempt(&mut self, log: &Log, model: &mut Model, deed: Deed) -> Result<(), String> {
        match &deed {
            Deed::Batch { id, shard, sequence, values } => {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let batch = sent(self.producer, *sequence, self.is_transactional, &values);
                let outcome = put(log, Set::appends(vec![Append::batch(shard.clone(), batch)]), self.producer)?;
                self.sent(model, *id, outcome, &deed, values.len())
            }
            Deed::End { commit, beside } => {
                let mut set = beside.as_ref().map_or_else(Set::default, |(_, set)| set.clone());
                set.changes.push(Change::End { producer: self.producer, commit: *commit });
                match put(log, set, self.producer)? {
                    Outcome::Done(appended) => {
                        if let Some((id, _)) = beside {
                            model.acked(*id, &appended);
                        }
                        self.ended(model, *commit);
                    }
                    Outcome::Refused => {}
                    Outcome::Unknown => self.doubt = Some(deed),
                }
                Ok(())
            }
        }
    }

    fn sent(&mut self, model: &mut Model, id: u64, outcome: Outcome, deed: &Deed, count: usize) -> Result<(), String> {
        let Deed::Batch { shard, sequence, .. } = deed else { return Ok(()) };
        let repeats = self.last.as_ref().filter(|(last, _)| matches!(last, Deed::Batch { id: of, .. } if *of == id));
        let placed = match (outcome, repeats) {
            (Outcome::Done(appended), Some((_, base))) => {
                let placed = &appended.placed[0];
                let is_same = placed.duplicate && placed.base == *base;
                return if is_same { Ok(()) } else { Err(format!("a repeat of {base} is {placed:?}")) };
            }
            (_, Some(_)) | (Outcome::Refused, None) => return Ok(()),
            (Outcome::Unknown, None) => {
                if !self.is_transactional {
                    model.unknown(id);
                }
                self.doubt = Some(deed.clone());
                return Ok(());
            }
            (Outcome::Done(appended), None) => appended,
        };
        let (base, is_repeat) = (placed.placed[0].base, placed.placed[0].duplicate);
        // When the original was appended is not known to one who was only told that it is there.
        let at = if is_repeat { Timestamp::EPOCH } else { placed.at };
        match model.base_of(id) {
            Some(found) if found != base || !is_repeat => {
                return Err(format!("set {id} is at {found}, and its repeat was placed at {:?}", placed.placed));
            }
            Some(_) => {}
            None if self.is_transactional => self.open.push((id, at, base)),
            None => model.acked_at(id, at, vec![base]),
        }
        self.next.insert(shard.clone(), sequence + i32::try_from(count).unwrap_or(0));
        self.last = Some((deed.clone(), base));
        Ok(())
    }

    fn ended(&mut self, model: &mut Model, commit: bool) {
        for (id, at, base) in self.open.drain(..) {
            if commit {
                model.acked_at(id, at, vec![base]);
            }
        }
    }

    /// Learns after a restart whether the end that it asked for took place.
    fn settle(&mut self, log: &Log, model: &mut Model) -> Result<(), String> {
        let is_open = log.transactions().iter().any(|open| open.producer.id == self.producer.id);
        match self.doubt.take() {
            Some(Deed::End { commit, beside }) if !is_open => {
                if let Some((id, _)) = &beside {
                    // It was one fact: what stands beside the end is there now.
                    model.unknown_and_there(*id);
                }
                self.ended(model, commit);
            }
            doubt => self.doubt = doubt,
        }
        let should_be = !self.open.is_empty();
        let may_be = should_be || (self.is_transactional && self.doubt.is_some());
        if (should_be && !is_open) || (is_open && !may_be) {
            return Err(format!("{:?}: its transaction is open: {is_open}, and should be: {should_be}", self.producer));
        }
        Ok(())
    }
}

/// After a restart: what was in doubt is done again, and every open transaction is ended, so that
/// all records can be read. An error also when the log stops meanwhile.
pub(super) fn finish(log: &Log, model: &mut Model) -> Result<(), String> {
    let mut sessions = std::mem::take(&mut model.sessions);
    let mut done = Ok(());
    for session in &mut sessions {
        done = done.and_then(|()| session.settle(log, model)).and_then(|()| session.close(log, model));
    }
    model.sessions = sessions;
    done
}

impl Session {
    fn close(&mut self, log: &Log, model: &mut Model) -> Result<(), String> {
        let mut tries = 0;
        while self.doubt.is_some() || !self.open.is_empty() {
            tries += 1;
            if tries > 3 || log.status().stopped.is_some() {
                return Err("a transaction cannot be ended".to_owned());
            }
            let commit = self.producer.id % 2 == 0;
            let deed = self.doubt.take().unwrap_or(Deed::End { commit, beside: None });
            self.attempt(log, model, deed)?;
        }
        Ok(())
    }
}

fn put(log: &Log, set: Set, producer: Producer) -> Result<Outcome, String> {
    let mut appending = log.append(set);
    log.step();
    match poll(&mut appending) {
        Some(Ok(appended)) => Ok(Outcome::Done(appended)),
        Some(Err(AppendError::Stopped { .. })) | None => Ok(Outcome::Unknown),
        Some(Err(AppendError::DiskFull)) => Ok(Outcome::Refused),
        Some(Err(e)) => Err(format!("{producer:?}: {e}")),
    }
}
