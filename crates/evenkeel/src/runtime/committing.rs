//! A round and the bytes that go with it, on their way to the journal.
//!
//! Invariants: the events that handlers returned, and the records of dead events, go into the
//! same commit as the outcomes; a dead event whose bytes are not at hand is read again first.

use std::collections::HashMap;
use std::sync::Arc;

use evenkeel_delivery::ports::{Commit, Delivered, Journal, PortError, Source};
use evenkeel_delivery::{Alarm, AttemptId, FALLBACK, Fact, Round};
use evenkeel_model::ledger::Ended;
use evenkeel_model::{Event, Outcome, Position};

use super::happening::Committed;
use super::payloads::Payloads;

/// Where the dead letters of redriven events lie, until those end again.
pub(super) type Letters = HashMap<Position, Position>;

/// What attempts returned, until the round that ends their cause is committed.
pub(super) type Emitted = HashMap<AttemptId, Vec<Event>>;

pub(super) struct Prepared {
    round: Round,
    emitted: Vec<(Position, AttemptId, Vec<Event>)>,
    dead: Vec<Dead>,
    /// Nobody needs these any more.
    done: Vec<Arc<Delivered>>,
}

/// An event that dies, or that a fallback took: its bytes if they are at hand, and where else to look for them.
struct Dead {
    at: Position,
    payload: Option<Arc<Delivered>>,
    letter: Option<Position>,
}

/// Gathers what goes with the round, and lets go of the bytes that nobody needs after it: those
/// of events that ended, and those of events that wait durably for a later try.
pub(super) fn prepare(round: Round, payloads: &mut Payloads, emitted: &mut Emitted, letters: &mut Letters) -> Prepared {
    let (mut dead, mut done) = (Vec::new(), Vec::with_capacity(round.facts.len()));
    for fact in &round.facts {
        match fact {
            Fact::Ended { shard, entry, .. } => {
                let payload = payloads.remove(shard, entry.offset);
                let at = Position { shard: shard.clone(), offset: entry.offset };
                let letter = if letters.is_empty() { None } else { letters.remove(&at) };
                if entry.outcome == Outcome::Dead || goes_along(entry) {
                    dead.push(Dead { at, payload, letter });
                } else {
                    done.extend(payload);
                }
            }
            Fact::Pending(pending) => {
                payloads.remove(&pending.at.shard, pending.at.offset);
            }
            _ => {}
        }
    }
    let acked = round.acked.iter();
    let emitted = acked.filter_map(|(at, attempt)| Some((at.clone(), *attempt, emitted.remove(attempt)?))).collect();
    Prepared { round, emitted, dead, done }
}

/// The fallback took it: a journal that keeps a topic for such events needs its record.
fn goes_along(entry: &Ended) -> bool {
    entry.failure.as_ref().is_some_and(|failure| failure.reason == FALLBACK)
}

/// Commits it.
pub(super) async fn commit(prepared: Prepared, source: Arc<dyn Source>, journal: Arc<dyn Journal>) -> Committed {
    let round = prepared.round.number;
    // Thousands of small pieces of memory: beside the commit, not before or after it.
    let done = prepared.done;
    tokio::spawn(async move { drop(done) });
    let mut alarms = Vec::new();
    let result = match read_dead(prepared.dead, source.as_ref(), &mut alarms).await {
        Ok(dead) => {
            let commit = Commit { round: prepared.round, emitted: prepared.emitted, dead };
            journal.commit(commit).await
        }
        Err(problem) => Err(problem),
    };
    Committed { round, result, alarms }
}

async fn read_dead(
    dead: Vec<Dead>,
    source: &dyn Source,
    alarms: &mut Vec<Alarm>,
) -> Result<Vec<Arc<Delivered>>, PortError> {
    let mut records = Vec::with_capacity(dead.len());
    for Dead { at, payload, letter } in dead {
        let found = match payload {
            Some(payload) => Some(payload),
            None => source.get(letter.as_ref().unwrap_or(&at)).await?,
        };
        match found {
            Some(record) => records.push(record),
            None => alarms.push(Alarm {
                code: "dead_letter_without_record",
                message: format!(
                    "retention took {}/{} at {} before it could be dead-lettered",
                    at.shard.topic, at.shard.partition, at.offset
                ),
            }),
        }
    }
    Ok(records)
}
