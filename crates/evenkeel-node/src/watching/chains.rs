//! Follows chains: reads what comes into their topics, and knows how they stand.
//!
//! Counted from what the log holds, from its oldest record on, at every start: what retention took is not in it.
//! One task reads; whoever asks gets what it knows. It judges nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_log::{Log, ReadError, ReadLimit};
use evenkeel_model::{Clock, Shard, Stored, Timestamp, names};
use evenkeel_watch::{Chains, ChainsView};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::config::chains::Chain;
use crate::wiring;

/// How often is looked for more.
const EVERY: Duration = Duration::from_millis(500);

/// How the chains stand; a clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Following(Arc<Mutex<Vec<Chains>>>);

impl Following {
    fn chains(&self) -> MutexGuard<'_, Vec<Chains>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, now.
    pub(crate) fn views(&self) -> Vec<ChainsView> {
        self.chains().iter().map(Chains::view).collect()
    }
}

/// Starts to follow. Must be called in a tokio runtime.
pub(crate) fn follow(plan: &[Chain], log: Log, clock: Arc<dyn Clock>, stop: watch::Receiver<bool>) -> Following {
    let chains = plan.iter().map(|chain| Chains::new(chain.rule.clone())).collect();
    let following = Following(Arc::new(Mutex::new(chains)));
    if !plan.is_empty() {
        let tail = Tail { log, clock, plan: plan.to_vec(), following: following.clone(), next: HashMap::new() };
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
                    tracing::error!(error = %e, "chains are not followed any more");
                    return;
                }
            }
        }
    }

    /// Takes in all that came, in the order in which the log took it as far as one look can tell.
    fn read(&mut self) {
        let mut seen: Vec<(usize, Timestamp, String, String)> = Vec::new();
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
                        let Some((kind, chain)) = step(stored) else { return };
                        for at in &readers {
                            seen.push((*at, stored.appended, kind.clone(), chain.clone()));
                        }
                    });
                }
            }
        }
        seen.sort_by_key(|(_, appended, ..)| *appended);
        let mut chains = self.following.chains();
        for (at, appended, kind, chain) in seen {
            chains[at].see(&kind, &chain, appended);
        }
        let now = self.clock.now();
        chains.iter_mut().for_each(|chains| chains.tick(now));
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
fn step(stored: &Stored) -> Option<(String, String)> {
    let record = &stored.record;
    if record.header(names::dead::ORIGIN).is_some() {
        return None;
    }
    let header = |name: &str| record.header(name).and_then(|value| str::from_utf8(value).ok()).map(ToOwned::to_owned);
    if let (Some(kind), Some(id)) = (header("ce_type"), header("ce_id")) {
        return Some((kind, header("ce_correlationid").unwrap_or(id)));
    }
    let Read::Event(event) = from_record(record, &stored.at) else { return None };
    let chain = event.extension("correlationid").unwrap_or(event.id.id);
    Some((event.kind, chain))
}
