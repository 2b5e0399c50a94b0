//! The handler: it fails in every way until it is healed, and notes what it sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel::{Answer, Call, Event, Handler, Verdict};
use evenkeel_delivery::ports::BoxFuture;
use evenkeel_model::{Failure, FailureClass};

use super::chance::Chance;
use super::clock::pass;

/// What the world outside saw: it outlives every crash.
#[derive(Default)]
pub struct Notes {
    /// Keys whose event is at the handler, by life.
    busy: BTreeSet<String>,
    /// The newest event of each key that was handed out in this life.
    newest: BTreeMap<String, u64>,
    /// What must not have happened.
    pub wrong: Vec<String>,
    pub calls: u64,
    /// Events that may come again after later ones of their keys.
    pub redriven: BTreeSet<String>,
    /// The key of the event at each place.
    pub keys_at: BTreeMap<(u32, u64), String>,
    /// The idempotency keys of each event.
    pub keys: BTreeMap<String, BTreeSet<[u8; 16]>>,
}

pub struct Shop {
    pub notes: Arc<Mutex<Notes>>,
    chance: Mutex<Chance>,
    /// In so many of a hundred calls something goes wrong.
    pub badness: Mutex<u64>,
    ordered: bool,
    returns: bool,
}

impl Shop {
    pub fn new(seed: u64, badness: u64, ordered: bool, returns: bool) -> Shop {
        let chance = Mutex::new(Chance::new(seed ^ 0xdead));
        Shop { notes: Arc::default(), chance, badness: Mutex::new(badness), ordered, returns }
    }

    pub fn heal(&self) {
        *self.badness.lock().unwrap() = 0;
    }

    /// A new life: what was at the handler is gone.
    pub fn reborn(&self) {
        let mut notes = self.notes.lock().unwrap();
        notes.busy.clear();
        notes.newest.clear();
    }

    fn draw(&self, id: &str) -> (Duration, Outcome) {
        let mut chance = self.chance.lock().unwrap();
        let took = Duration::from_millis(chance.below(80));
        match () {
            () if id.starts_with("poison") => (took, Outcome::Says(status(500))),
            () if id.starts_with("reject") => (took, Outcome::Says(Verdict::Reject { reason: "no".to_owned() })),
            () if id.starts_with("drop") => (took, Outcome::Says(Verdict::Drop { reason: "test".to_owned() })),
            () if !chance.percent(*self.badness.lock().unwrap()) => (took, Outcome::Says(Verdict::Ack)),
            () => any(&mut chance, took),
        }
    }
}

enum Outcome {
    Says(Verdict),
    Panics,
    Hangs,
}

fn any(chance: &mut Chance, took: Duration) -> (Duration, Outcome) {
    let verdict = match chance.below(13) {
        0 => failed(FailureClass::Unreachable, None, true),
        1 => status(503),
        2 => failed(FailureClass::Overload, Some(429), false),
        3 => Verdict::Busy { after: None },
        4 => Verdict::Defer { until: super::clock::START + Duration::from_secs(chance.below(60)) },
        5 => Verdict::Retry {
            after: Some(Duration::from_millis(chance.below(2_000))),
            message: "again".to_owned(),
            dependency: None,
        },
        11 => Verdict::Pause { dependency: "bank".to_owned() },
        12 => Verdict::Retry { after: None, message: "the bank".to_owned(), dependency: Some("bank".to_owned()) },
        6 => return (took, Outcome::Panics),
        7 => return (took, Outcome::Hangs),
        // Late: just within its time.
        8 => return (Duration::from_millis(1_990), Outcome::Says(Verdict::Ack)),
        _ => status(500),
    };
    (took, Outcome::Says(verdict))
}

impl Handler for Shop {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let event = &call.delivered.event;
        let id = event.id.id.clone();
        let key = event.extension("partitionkey").map(|k| k.to_string()).unwrap_or_default();
        let number: u64 = id.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let (took, outcome) = self.draw(&id);
        let ordered = self.ordered && !key.is_empty();
        {
            let mut notes = self.notes.lock().unwrap();
            notes.calls += 1;
            let at = &call.delivered.arrival.at;
            notes.keys_at.insert((at.shard.partition, at.offset), key.clone());
            notes.keys.entry(id.clone()).or_default().insert(call.key.0);
            if ordered && !notes.redriven.contains(&id) {
                let newest = notes.newest.insert(key.clone(), number).unwrap_or(0);
                if newest > number {
                    notes.wrong.push(format!("{id} of {key} came after {newest}"));
                }
            }
            if ordered && !notes.busy.insert(key.clone()) {
                notes.wrong.push(format!("two events of {key} at once, the second is {id}"));
            }
        }
        let (notes, returns, timeout) = (self.notes.clone(), self.returns, call.timeout);
        Box::pin(async move {
            let busy = Busy { notes: ordered.then_some(notes), key };
            pass(took.min(timeout)).await;
            let verdict = match outcome {
                Outcome::Says(verdict) => verdict,
                Outcome::Panics => panic!("the shop fell over"),
                Outcome::Hangs => {
                    pass(timeout).await;
                    failed(FailureClass::Failed, None, true)
                }
            };
            drop(busy);
            let emitted = match returns && verdict == Verdict::Ack {
                true => vec![Event::new("/shop", format!("effect-of-{id}"), "Paid")],
                false => Vec::new(),
            };
            Answer { verdict, emitted, handler_version: None }
        })
    }
}

/// The key is free again when the handler is done, whichever way.
struct Busy {
    notes: Option<Arc<Mutex<Notes>>>,
    key: String,
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(notes) = &self.notes {
            notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).busy.remove(&self.key);
        }
    }
}

fn status(status: u16) -> Verdict {
    let class = if status == 503 { FailureClass::Overload } else { FailureClass::Failed };
    failed(class, Some(status), false)
}

pub fn failed(class: FailureClass, status: Option<u16>, unanswered: bool) -> Verdict {
    Verdict::Failed(Failure { class, status, unanswered, retry_after: None, message: format!("{class:?} {status:?}") })
}

/// The panics of this handler are not the test's.
pub fn quiet_panics() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<&str>().copied().unwrap_or_default();
        if text != "the shop fell over" {
            others(info);
        }
    }));
}
