//! What a test looks at in a world: what is open, what ended and how, what was asked and alarmed.

use super::*;

impl World {
    /// The ids of the events at the handler.
    pub(in crate::subscription::tests) fn flying(&self) -> Vec<String> {
        self.flights.values().map(|(at, ..)| self.ids[at].clone()).collect()
    }

    /// Events of the log without a durable outcome.
    pub(in crate::subscription::tests) fn open(&self) -> usize {
        self.log.values().map(Vec::len).sum::<usize>() - self.ended.len()
    }

    pub(in crate::subscription::tests) fn ended(&self) -> Vec<(String, Ended)> {
        let of = |fact: &Fact| match fact {
            Fact::Ended { shard, entry, .. } => {
                let at = Position { shard: shard.clone(), offset: entry.offset };
                Some((self.ids[&at].clone(), entry.clone()))
            }
            _ => None,
        };
        self.facts.iter().filter_map(of).collect()
    }

    pub(in crate::subscription::tests) fn outcome(&self, id: &str) -> Option<Ended> {
        self.ended().into_iter().find(|(i, _)| i == id).map(|(_, e)| e)
    }

    pub(in crate::subscription::tests) fn is_poison(&self, at: &Position) -> bool {
        self.ids[at].starts_with("poison")
    }

    pub(in crate::subscription::tests) fn count(&self, outcome: Outcome) -> usize {
        self.ended.values().filter(|o| **o == outcome).count()
    }

    pub(in crate::subscription::tests) fn failed_attempts(&self) -> Vec<AttemptFailed> {
        let of = |f: &Fact| if let Fact::Attempt { entry, .. } = f { Some(entry.clone()) } else { None };
        self.facts.iter().filter_map(of).collect()
    }

    pub(in crate::subscription::tests) fn overdue(&self) -> Vec<Overdue> {
        let of = |f: &Fact| if let Fact::Overdue { entry, .. } = f { Some(*entry) } else { None };
        self.facts.iter().filter_map(of).collect()
    }

    pub(in crate::subscription::tests) fn pendings(&self) -> Vec<Pending> {
        let of = |f: &Fact| if let Fact::Pending(p) = f { Some(p.clone()) } else { None };
        self.facts.iter().filter_map(of).collect()
    }

    pub(in crate::subscription::tests) fn alarmed(&self, code: &str) -> usize {
        self.alarms.iter().filter(|a| a.code == code).count()
    }

    pub(in crate::subscription::tests) fn tries(&self, id: &str) -> usize {
        self.asked.iter().filter(|a| a.id == id).count()
    }

    pub(in crate::subscription::tests) fn breaker(&self) -> BreakerState {
        self.sub.view(self.now).breakers[0].state
    }
}
