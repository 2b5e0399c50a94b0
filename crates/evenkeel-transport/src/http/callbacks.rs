//! Answers that come later: a handler that said 202 says what came of it with a callback.
//!
//! Each call carries the URL of its callback, with a token that nobody can guess. The attempt stays under way until
//! the callback comes, or its time is over. Where there is a log (`kept`), what was accepted and what was said
//! of it outlive the process: the event goes out again after a restart, and the attempt waits on for the callback
//! instead of calling, or finds it there.
//!
//! Invariants: a token is good for one callback; one that is unknown, late or used changes nothing; what a kept
//! callback said is on the medium before its sender hears so; what one attempt was told is never told to a later
//! one, but for a callback that no attempt waited for, which the next one finds.

mod kept;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::http::HeaderMap;
use bytes::Bytes;
use evenkeel_delivery::ports::{Call, PortError};
use evenkeel_delivery::{Fact, Mark, Round};
use evenkeel_log::{Log, TopicSettings};
use evenkeel_model::{Clock, Position, Timestamp};
use rustls::crypto::SecureRandom;
use tokio::sync::oneshot;

use kept::{Book, Entry};

/// What a callback says: headers and body, as those of an answer with status 200.
pub(super) type Said = (HeaderMap, Bytes);

/// The callbacks that are waited for.
pub struct Callbacks {
    /// What a callback's URL begins with.
    base: String,
    /// By the name of the token.
    waiting: Mutex<HashMap<String, Waiter>>,
    book: Option<Book>,
    random: &'static dyn SecureRandom,
}

/// An attempt that waits.
struct Waiter {
    tell: oneshot::Sender<Said>,
    /// What it is about, where that is kept.
    of: Option<Of>,
}

/// Which delivery of which event a callback is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Of {
    pub(super) subscription: Arc<str>,
    pub(super) at: Position,
    pub(super) delivery: u32,
}

impl Of {
    pub(super) fn call(subscription: &Arc<str>, call: &Call) -> Of {
        let at = call.delivered.arrival.at.clone();
        Of { subscription: subscription.clone(), at, delivery: call.delivery }
    }
}

/// What is known of an event that was accepted already.
pub(super) enum Found<'c> {
    /// Its callback came.
    Said(Said, Option<Arc<str>>),
    /// Its callback is waited for until then.
    Awaited(Waiting<'c>, Timestamp, Option<Arc<str>>),
}

/// What a round settles of the events that were accepted.
#[derive(Debug)]
pub struct Settling {
    subscription: Arc<str>,
    reopened: Vec<Position>,
    /// With the delivery that ended; `None`: the event did.
    ended: Vec<(Position, Option<u32>)>,
}

impl Callbacks {
    /// In memory only. `base` is the node's own URL, as handlers reach it: `http://127.0.0.1:8080`.
    pub fn new(base: impl Into<String>) -> Callbacks {
        let random = rustls::crypto::ring::default_provider().secure_random;
        Callbacks { base: base.into(), waiting: Mutex::default(), book: None, random }
    }

    /// Kept on this log, in [`names::CALLBACKS_TOPIC`](evenkeel_model::names::CALLBACKS_TOPIC): reads what was left
    /// there. Blocks while it reads.
    pub fn kept(base: impl Into<String>, log: Log, clock: Arc<dyn Clock>) -> Result<Callbacks, PortError> {
        Ok(Callbacks { book: Some(Book::open(log, clock)?), ..Callbacks::new(base) })
    }

    /// What the topic is made with.
    pub fn settings() -> TopicSettings {
        kept::settings()
    }

    /// Passes on what a callback says; where it is kept, it is on the medium first. False: nobody waits for that
    /// token, or not any more. An error: it is not known whether it counts.
    pub async fn answer(&self, token: &str, headers: HeaderMap, body: Bytes) -> Result<bool, PortError> {
        let name = name_of(token);
        let waiter = self.waiting().remove(&name);
        let said = (headers, body);
        let (tell, of) = match waiter {
            Some(Waiter { tell, of }) => (Some(tell), of),
            None => (None, None),
        };
        let is_kept = match &self.book {
            Some(book) if tell.is_none() || of.is_some() => book.say(&name, of, &said).await?,
            _ => false,
        };
        Ok(tell.map_or(is_kept, |tell| tell.send(said).is_ok()))
    }

    /// How many are waited for.
    pub fn len(&self) -> usize {
        self.waiting().len()
    }

    /// True when none is waited for.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the round that is about to be committed settles; `None` when it is nothing.
    pub fn settling(&self, subscription: &Arc<str>, round: &Round) -> Option<Settling> {
        self.book.as_ref().filter(|book| book.has_any_of(subscription))?;
        let mut settling = Settling { subscription: subscription.clone(), reopened: Vec::new(), ended: Vec::new() };
        for fact in &round.facts {
            let at = |shard: &evenkeel_model::Shard, offset| Position { shard: shard.clone(), offset };
            match fact {
                Fact::Ended { shard, entry, .. } => settling.ended.push((at(shard, entry.offset), None)),
                Fact::Attempt { shard, entry } => {
                    settling.ended.push((at(shard, entry.offset), Some(entry.delivery)));
                }
                Fact::Redriven(redriven) => settling.reopened.push(redriven.at.clone()),
                _ => {}
            }
        }
        Some(settling).filter(|s| !s.reopened.is_empty() || !s.ended.is_empty())
    }

    /// Before the round is committed: a redriven event begins anew, whatever was said of it before.
    pub async fn begin_anew(&self, settling: &Settling) -> Result<(), PortError> {
        let Some(book) = &self.book else { return Ok(()) };
        book.forget(&settling.subscription, settling.reopened.iter().map(|at| (at, None))).await
    }

    /// After the round is durable: what its attempts were told is not needed any more.
    pub async fn settled(&self, settling: Settling) -> Result<(), PortError> {
        let Some(book) = &self.book else { return Ok(()) };
        book.forget(&settling.subscription, settling.ended.iter().map(|(at, delivery)| (at, *delivery))).await
    }

    /// A new one, waited for until it is dropped, and where the handler calls.
    pub(super) fn open(&self, of: Option<Of>) -> Result<(Waiting<'_>, String), PortError> {
        let mut secret = [0; 16];
        self.random.fill(&mut secret).map_err(|_| PortError("the system gives no random numbers".to_owned()))?;
        let token: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let url = format!("{}/v1/callbacks/{token}", self.base);
        Ok((self.wait_for(name_of(&token), of), url))
    }

    /// What is known of the event, if a call of it was accepted.
    pub(super) fn found(&self, of: &Of) -> Option<Found<'_>> {
        let (name, Entry { until, version, said, .. }) = self.book.as_ref()?.find(of)?;
        Some(match said {
            Some(said) => Found::Said(said, version),
            None => Found::Awaited(self.wait_for(name, Some(of.clone())), until, version),
        })
    }

    /// The call was accepted: on the medium when this returns, where that is kept.
    pub(super) async fn accepted(
        &self,
        waiting: &Waiting<'_>,
        of: Of,
        until: Timestamp,
        version: Option<Arc<str>>,
    ) -> Result<(), PortError> {
        match &self.book {
            Some(book) => book.accept(&waiting.name, Entry { of, until, version, said: None, heard: true }).await,
            None => Ok(()),
        }
    }

    fn wait_for(&self, name: String, of: Option<Of>) -> Waiting<'_> {
        let (tell, said) = oneshot::channel();
        self.waiting().insert(name.clone(), Waiter { tell, of });
        Waiting { callbacks: self, name, said }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A callback that is waited for.
pub(super) struct Waiting<'c> {
    callbacks: &'c Callbacks,
    name: String,
    pub(super) said: oneshot::Receiver<Said>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.callbacks.waiting().remove(&self.name);
    }
}

/// What a token is called wherever it may be read: who has its name cannot answer with it.
fn name_of(token: &str) -> String {
    Mark::of("callback", "", token).to_hex()
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Callbacks({} waited for)", self.len())
    }
}

#[cfg(test)]
mod tests;
