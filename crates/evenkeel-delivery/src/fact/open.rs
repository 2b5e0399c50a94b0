//! Which attempts were open when a process ended: what makes crash suspects.
//!
//! Only attempts inside the process can crash it, and only those are told here, before they begin. An event is
//! open from then on until it has its outcome, or its state is carried ([`crate::Fact::Pending`]).
//!
//! Invariants: what is left open at the end of a journal was, or may have been, at the handler when the
//! process died; a crash is counted for nobody but one that ran alone, and was the last to begin.

use std::collections::BTreeMap;

use evenkeel_model::{Position, Shard};

/// Attempts inside this process, before they begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    /// From here on these events of a partition may be at the handler, each beside others.
    Among {
        /// The partition.
        shard: Shard,
        /// Their offsets.
        offsets: Vec<u64>,
    },
    /// A suspect runs alone: if the process dies now, it is this one's fault.
    Alone {
        /// Where it is.
        at: Position,
        /// How often the process died before while it ran alone.
        crashes: u32,
    },
    /// A suspect that does not run, or whose crash would not be counted.
    Suspect {
        /// Where it is.
        at: Position,
        /// How often the process died while it ran alone.
        crashes: u32,
    },
    /// The process goes down of its own will: nothing that is open is suspect, but for those that are named
    /// after this.
    Nobody,
}

impl Open {
    /// The partition that it speaks of.
    pub fn shard(&self) -> Option<&Shard> {
        match self {
            Open::Among { shard, .. } => Some(shard),
            Open::Alone { at, .. } | Open::Suspect { at, .. } => Some(&at.shard),
            Open::Nobody => None,
        }
    }
}

/// What several [`Open`]s come to, with what ended in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Crashes while it ran alone, before the last time.
    open: BTreeMap<Position, u32>,
    alone: Option<Position>,
}

impl Opened {
    /// Takes in the next one.
    pub fn take(&mut self, open: &Open) {
        self.alone = None;
        match open {
            Open::Among { shard, offsets } => {
                for offset in offsets {
                    self.open.entry(Position { shard: shard.clone(), offset: *offset }).or_default();
                }
            }
            Open::Alone { at, crashes } => {
                self.open.insert(at.clone(), *crashes);
                self.alone = Some(at.clone());
            }
            Open::Suspect { at, crashes } => drop(self.open.insert(at.clone(), *crashes)),
            Open::Nobody => self.open.clear(),
        }
    }

    /// That event has its outcome, or waits with its state carried.
    pub fn close(&mut self, at: &Position) {
        if self.open.is_empty() {
            return;
        }
        self.open.remove(at);
        self.alone.take_if(|alone| alone == at);
    }

    /// Keeps those of which this is true.
    pub fn retain(&mut self, keep: impl Fn(&Position) -> bool) {
        self.open.retain(|at, _| keep(at));
        self.alone.take_if(|alone| !keep(alone));
    }

    /// What says the same again, in order.
    pub fn facts(&self) -> Vec<Open> {
        let mut among: BTreeMap<&Shard, Vec<u64>> = BTreeMap::new();
        let mut rest = Vec::new();
        for (at, crashes) in &self.open {
            match crashes {
                0 => among.entry(&at.shard).or_default().push(at.offset),
                _ => rest.push(Open::Suspect { at: at.clone(), crashes: *crashes }),
            }
        }
        let among = among.into_iter().map(|(shard, offsets)| Open::Among { shard: shard.clone(), offsets });
        let mut facts: Vec<Open> = among.chain(rest).collect();
        facts.extend(
            self.alone
                .iter()
                .map(|at| Open::Alone { at: at.clone(), crashes: self.open.get(at).copied().unwrap_or(0) }),
        );
        facts
    }

    /// If the process died at this point: who is suspect, and how often each crashed it alone.
    pub fn suspects(self) -> impl Iterator<Item = (Position, u32)> {
        let alone = self.alone;
        self.open.into_iter().map(move |(at, crashes)| {
            let counted = u32::from(alone.as_ref() == Some(&at));
            (at, crashes.saturating_add(counted))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Position {
        Position { shard: Shard::new("orders", 0), offset }
    }

    fn among(offsets: &[u64]) -> Open {
        Open::Among { shard: Shard::new("orders", 0), offsets: offsets.to_vec() }
    }

    fn suspects(opened: &Opened) -> Vec<(u64, u32)> {
        opened.clone().suspects().map(|(at, crashes)| (at.offset, crashes)).collect()
    }

    #[test]
    fn a_crash_counts_for_the_one_that_ran_alone_and_for_nobody_else() {
        let mut opened = Opened::default();
        opened.take(&among(&[1, 2, 3]));
        assert_eq!(suspects(&opened), [(1, 0), (2, 0), (3, 0)], "among others nobody is guilty");
        opened.close(&at(2));
        opened.take(&Open::Alone { at: at(1), crashes: 1 });
        assert_eq!(suspects(&opened), [(1, 2), (3, 0)]);
        let mut again = Opened::default();
        opened.facts().iter().for_each(|fact| again.take(fact));
        assert_eq!(again, opened, "a snapshot says the same");
        opened.take(&Open::Alone { at: at(3), crashes: 0 });
        assert_eq!(suspects(&opened), [(1, 1), (3, 1)], "whoever begins later shows that the earlier one came back");
        opened.close(&at(3));
        assert_eq!(suspects(&opened), [(1, 1)]);
        opened.take(&Open::Nobody);
        opened.take(&Open::Suspect { at: at(1), crashes: 1 });
        assert_eq!(suspects(&opened), [(1, 1)], "who goes down of its own will accuses nobody");
    }
}
