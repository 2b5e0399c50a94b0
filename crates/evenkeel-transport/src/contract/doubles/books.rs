//! What commits leave behind: facts, returned events, dead letters, each commit whole or not at all.

use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::{Commit, PortError};
use evenkeel_delivery::{Fact, Remembered, decode_journal, encode_journal};
use evenkeel_model::{Outcome, Position, Record, Shard, Stored, names};

use crate::journal::dead_record;
use crate::source::{Names, SourceSettings, deliver};

/// The topic that both read, and the subscription that reads it.
pub(super) const TOPIC: &str = "orders";
pub(super) const SUBSCRIPTION: &str = "payment";

#[derive(Default)]
pub(super) struct Books {
    /// Of each commit.
    rounds: Vec<Vec<Fact>>,
    pub(super) effects: Vec<Record>,
    pub(super) dead: Vec<Record>,
}

impl Books {
    /// Enters a commit, or refuses it whole.
    pub(super) fn enter(&mut self, commit: &Commit) -> Result<(), PortError> {
        let mut effects = Vec::new();
        let mut dead = Vec::new();
        for fact in &commit.round.facts {
            let Fact::Ended { shard, entry, .. } = fact else { continue };
            let at = Position { shard: shard.clone(), offset: entry.offset };
            let returned = commit.emitted.iter().filter(|(cause, ..)| *cause == at).flat_map(|(_, _, events)| events);
            let before = effects.len();
            for event in returned {
                let mut record = to_record(event, entry.at);
                let cause = format!("{SUBSCRIPTION};{};{};{}", shard.topic, shard.partition, entry.offset);
                record.push_header(names::CAUSED_BY, cause);
                effects.push(record);
            }
            if (effects.len() - before) as u64 != u64::from(entry.emitted) {
                return Err(PortError(format!("{at:?} returned {} events, and others came", entry.emitted)));
            }
            if entry.outcome == Outcome::Dead {
                let original = commit.dead.iter().find(|d| d.arrival.at == at).map(|d| &d.record);
                dead.push(dead_record(SUBSCRIPTION, &at, original, entry));
            }
        }
        self.rounds.push(commit.round.facts.clone());
        self.effects.append(&mut effects);
        self.dead.append(&mut dead);
        Ok(())
    }

    /// What is remembered of these partitions, and of the subscription as a whole.
    pub(super) fn load(&self, given: impl Fn(&Shard) -> bool) -> Result<Vec<Remembered>, PortError> {
        let mut all = Vec::new();
        for facts in &self.rounds {
            let facts: Vec<Fact> = facts.iter().filter(|fact| shard_of(fact).is_none_or(&given)).cloned().collect();
            all.extend(decode_journal(&encode_journal(&facts)).map_err(|e| PortError(e.to_string()))?);
        }
        Ok(all)
    }

    /// How many outcomes were committed.
    pub(super) fn ended(&self) -> usize {
        self.rounds.iter().flatten().filter(|fact| matches!(fact, Fact::Ended { .. })).count()
    }

    /// All that was committed, in order.
    pub(super) fn facts(&self) -> Vec<Fact> {
        self.rounds.iter().flatten().cloned().collect()
    }
}

/// Of which partition a fact speaks.
pub(super) fn shard_of(fact: &Fact) -> Option<&Shard> {
    match fact {
        Fact::Ended { shard, .. }
        | Fact::Attempt { shard, .. }
        | Fact::Overdue { shard, .. }
        | Fact::Progress { shard, .. } => Some(shard),
        Fact::Pending(pending) => Some(&pending.at.shard),
        Fact::Open(open) => open.shard(),
        _ => None,
    }
}

/// A record as the runtime gets it.
pub(super) fn given(stored: Stored) -> evenkeel_delivery::ports::Delivered {
    deliver(&SourceSettings::new(SUBSCRIPTION, TOPIC), stored, &mut Names::default())
}
