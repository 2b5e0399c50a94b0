//! Follows chains: reads what comes into their topics, and knows how they stand.
//!
//! Counted from what the log holds, from its oldest record on, at every start: what retention took is not in it.
//! One task reads; whoever asks gets what it knows. It judges nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_log::{Log, ReadError, ReadLimit};
use evenkeel_model::{Clock, Position, Shard, Stored, Timestamp, names};
use evenkeel_watch::{Chains, ChainsView, Watch};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::config::chains::Chain;
use crate::happenings::ChainsStopped;
use crate::wiring;

/// How often is looked for more.
const EVERY: Duration = Duration::from_millis(500);

/// How the chains stand; a clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Following(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    chains: Vec<Chains>,
    /// How often they were begun anew.
    pass: u64,
}

impl Following {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, now.
    pub(crate) fn views(&self) -> Vec<ChainsView> {
        self.state().chains.iter().map(Chains::view).collect()
    }

    /// Counts what ended or became late since the last time.
    pub(super) fn count_into(&self, watch: &mut Watch) {
        for chains in &mut self.state().chains {
            let ends = chains.take_ends();
            ends.iter().for_each(|end| watch.chain_ended(chains.rule(), end));
        }
    }

    /// All is read again, for a watch that knows nothing.
    pub(super) fn rewind(&self) {
        let mut state = self.state();
        state.pass += 1;
        for chains in &mut state.chains {
            *chains = Chains::new(chains.rule().clone());
        }
    }
}

/// Starts to follow. Must be called in a tokio runtime.
pub(crate) fn follow(plan: &[Chain], log: Log, clock: Arc<dyn Clock>, stop: watch::Receiver<bool>) -> Following {
    let chains = plan.iter().map(|chain| Chains::new(chain.rule.clone())).collect();
    let following = Following(Arc::new(Mutex::new(State { chains, pass: 0 })));
    if !plan.is_empty() {
        let tail =
            Tail { log, clock, plan: plan.to_vec(), following: following.clone(), next: HashMap::new(), pass: 0 };
        tokio::spawn(tail.run(stop));
    }
    following
}

struct Tail {
    log: Log,
    clock: Arc<dyn Clock>,
    plan: Vec<Chain>,
    following: Following,
    next: HashMap<Shard, u64>,
    /// Which pass over the topics it is.
    pass: u64,
}

/// An event that may belong to a chain.
struct Step {
    kind: String,
    chain: String,
    appended: Timestamp,
    at: Position,
}

impl Tail {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = crate::node::told_to_stop(&mut stop) => return,
            }
            let read = wiring::blocking(move || {
                self.read();
                self
            });
            match read.await {
                Ok(tail) => self = tail,
                Err(e) => {
                    ChainsStopped { error: e.to_string() }.tell();
                    return;
                }
            }
        }
    }

    /// Takes in all that came, in the order in which the log took it as far as one look can tell.
    fn read(&mut self) {
        let pass = self.following.state().pass;
        if std::mem::replace(&mut self.pass, pass) != pass {
            self.next.clear();
        }
        let mut seen: Vec<(Vec<usize>, Step)> = Vec::new();
        for (nth, chain) in self.plan.iter().enumerate() {
            for topic in &chain.topics {
                let partitions = self.log.topic(topic).map_or(0, |topic| topic.partitions);
                for partition in 0..partitions {
                    let shard = Shard::new(topic.clone(), partition);
                    let next = self.next.entry(shard.clone()).or_insert(0);
                    // A topic that two chains read is read for both at once.
                    if self.plan[..nth].iter().any(|other| other.topics.contains(topic)) {
                        continue;
                    }
                    let readers: Vec<usize> =
                        (nth..self.plan.len()).filter(|at| self.plan[*at].topics.contains(topic)).collect();
                    read_on(&self.log, &shard, next, |stored| {
                        seen.extend(step(stored).map(|step| (readers.clone(), step)));
                    });
                }
            }
        }
        seen.sort_by_key(|(_, step)| step.appended);
        let mut state = self.following.state();
        // Begun anew meanwhile: what was read belongs to the pass before.
        if state.pass != self.pass {
            return;
        }
        for (readers, Step { kind, chain, appended, at }) in seen {
            readers.iter().for_each(|reader| state.chains[*reader].see(&kind, &chain, appended, &at));
        }
        let now = self.clock.now();
        state.chains.iter_mut().for_each(|chains| chains.tick(now));
    }
}

fn read_on(log: &Log, shard: &Shard, next: &mut u64, mut see: impl FnMut(&Stored)) {
    loop {
        match log.read(shard, *next, ReadLimit::default()) {
            Ok(records) => {
                let Some(last) = records.last() else { return };
                *next = last.at.offset + 1;
                records.iter().for_each(&mut see);
            }
            Err(ReadError::BelowStart { start }) if start > *next => *next = start,
            Err(_) => return,
        }
    }
}

/// The type of an event, and the chain that it belongs to.
fn step(stored: &Stored) -> Option<Step> {
    let record = &stored.record;
    if record.header(names::dead::ORIGIN).is_some() {
        return None;
    }
    let header = |name: &str| record.header(name).and_then(|value| str::from_utf8(value).ok()).map(ToOwned::to_owned);
    let found = |kind, chain| Step { kind, chain, appended: stored.appended, at: stored.at.clone() };
    if let (Some(kind), Some(id)) = (header("ce_type"), header("ce_id")) {
        return Some(found(kind, header("ce_correlationid").unwrap_or(id)));
    }
    let Read::Event(event) = from_record(record, &stored.at) else { return None };
    let chain = event.extension("correlationid").unwrap_or(event.id.id);
    Some(found(event.kind, chain))
}
