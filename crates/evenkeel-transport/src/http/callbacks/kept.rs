//! What was accepted with 202, and what callbacks said of it, on a log: a compacted topic, by the name of their
//! token.
//!
//! Two records belong to a name: that the call was accepted, and what the callback said; the second says all
//! that the first does, since a callback may overtake the 202. It decides nothing about events. Invariants:
//! in memory is what is on the medium or on its way there; of one event the newest acceptance counts; only headers
//! that mean something in an answer are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Append, Cleanup, Log, Retention, Set, TopicSettings};
use evenkeel_model::{Clock, Position, Record, Shard, Timestamp, names};

use super::{Of, Said};
use crate::pages::Pages;
use crate::{dead, journal};

/// Behind the name, in the key of what its callback said.
const SAID_SUFFIX: &str = "+";
/// What nobody asked for until so long after its time is forgotten when the log is opened.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(7 * 86_400);
/// The mark of a forgotten one is kept so long.
const MARKS_KEPT: Duration = Duration::from_secs(86_400);

/// An accepted call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) of: Of,
    /// Until when its callback is waited for.
    pub(super) until: Timestamp,
    /// The handler's version, as it said with the 202.
    pub(super) version: Option<Arc<str>>,
    pub(super) said: Option<Said>,
    /// An attempt was told what was said: it is not for a later one.
    pub(super) heard: bool,
}

/// The accepted calls.
pub(super) struct Book {
    log: Log,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<String, Entry>,
    /// By subscription, the name of each event's newest.
    by_place: HashMap<Arc<str>, HashMap<Position, String>>,
}

impl State {
    fn put(&mut self, name: &str, entry: Entry) -> Option<String> {
        let Of { subscription, at, .. } = &entry.of;
        let places = self.by_place.entry(subscription.clone()).or_default();
        let before = places.insert(at.clone(), name.to_owned()).filter(|before| before != name);
        self.entries.insert(name.to_owned(), entry);
        if let Some(before) = &before {
            self.entries.remove(before);
        }
        before
    }

    /// Takes out what these say is over; gives the keys of their records.
    fn take<'a>(&mut self, subscription: &str, over: impl Iterator<Item = (&'a Position, Option<u32>)>) -> Vec<String> {
        let State { entries, by_place } = self;
        let Some(places) = by_place.get_mut(subscription) else { return Vec::new() };
        let mut keys = Vec::new();
        for (at, delivery) in over {
            let Some(name) = places.get(at) else { continue };
            let is_over = entries.get(name).is_none_or(|entry| match delivery {
                None => true,
                // What nobody heard is for the next attempt.
                Some(delivery) => entry.of.delivery <= delivery && (entry.said.is_none() || entry.heard),
            });
            if let Some(name) = is_over.then(|| places.remove(at)).flatten() {
                entries.remove(&name);
                keys.extend(keys_of(&name));
            }
        }
        if places.is_empty() {
            by_place.remove(subscription);
        }
        keys
    }
}

impl Book {
    /// Reads what is there. Nothing is created.
    pub(super) fn open(log: Log, clock: Arc<dyn Clock>) -> Result<Book, PortError> {
        let mut state = State::default();
        let now = clock.now();
        if let Ok(ends) = log.ends(&shard()) {
            let mut found: HashMap<String, Entry> = HashMap::new();
            Pages::new(&log, shard(), ends.start, ends.high_watermark).each(|stored| {
                let key = String::from_utf8_lossy(stored.record.key.as_deref().unwrap_or_default()).into_owned();
                match read(&stored.record) {
                    Some(entry) => drop(found.insert(key, entry)),
                    None => drop(found.remove(&key)),
                }
                Ok(())
            })?;
            found.retain(|_, entry| entry.until + FORGOTTEN_AFTER > now);
            let (said, accepted): (Vec<_>, Vec<_>) = found.into_iter().partition(|(key, _)| key.ends_with(SAID_SUFFIX));
            for (key, entry) in accepted.into_iter().chain(said) {
                state.put(key.trim_end_matches(SAID_SUFFIX), entry);
            }
        }
        Ok(Book { log, clock, state: Mutex::new(state) })
    }

    pub(super) fn has_any_of(&self, subscription: &str) -> bool {
        self.state().by_place.contains_key(subscription)
    }

    /// The acceptance that holds for this delivery, and its name.
    pub(super) fn find(&self, of: &Of) -> Option<(String, Entry)> {
        let mut state = self.state();
        let name = state.by_place.get(&of.subscription)?.get(&of.at)?.clone();
        let now = self.clock.now();
        let entry = state.entries.get_mut(&name)?;
        let holds = match &entry.said {
            Some(_) => !entry.heard || of.delivery <= entry.of.delivery,
            None => entry.until > now,
        };
        if !holds {
            return None;
        }
        if entry.said.is_some() {
            entry.heard = true;
            entry.of.delivery = of.delivery.max(entry.of.delivery);
        }
        Some((name, entry.clone()))
    }

    /// A call was accepted.
    pub(super) async fn accept(&self, name: &str, entry: Entry) -> Result<(), PortError> {
        let mut records = vec![self.written(name.to_owned(), Some(&entry))];
        {
            let mut state = self.state();
            // Its callback overtook the 202, and said all that there is to say.
            if state.entries.contains_key(name) {
                return Ok(());
            }
            let before = state.put(name, entry);
            let forgotten = before.iter().flat_map(|before| keys_of(before));
            records.extend(forgotten.map(|key| self.written(key, None)));
        }
        self.append(records).await
    }

    /// A callback came: for an attempt that waits (`of`), or for the next one. False when it is about nothing.
    pub(super) async fn say(&self, name: &str, of: Option<Of>, said: &Said) -> Result<bool, PortError> {
        let said = (meaning(&said.0), said.1.clone());
        let record = {
            let mut state = self.state();
            let now = self.clock.now();
            let entry = match (state.entries.remove(name), of) {
                (Some(known), None) if known.said.is_some() || known.until <= now => {
                    state.entries.insert(name.to_owned(), known);
                    return Ok(false);
                }
                (None, None) => return Ok(false),
                (Some(known), of) => {
                    let heard = of.is_some();
                    Entry { of: of.unwrap_or(known.of), said: Some(said), heard, ..known }
                }
                (None, Some(of)) => Entry { of, until: now, version: None, said: Some(said), heard: true },
            };
            let record = self.written(format!("{name}{SAID_SUFFIX}"), Some(&entry));
            state.put(name, entry);
            record
        };
        self.append(vec![record]).await?;
        Ok(true)
    }

    /// Forgets what is over: of these events, those up to that delivery.
    pub(super) async fn forget<'a>(
        &self,
        subscription: &str,
        over: impl Iterator<Item = (&'a Position, Option<u32>)>,
    ) -> Result<(), PortError> {
        let keys = self.state().take(subscription, over);
        let records: Vec<Record> = keys.into_iter().map(|key| self.written(key, None)).collect();
        if records.is_empty() {
            return Ok(());
        }
        self.append(records).await
    }

    async fn append(&self, records: Vec<Record>) -> Result<(), PortError> {
        let set = Set::appends(vec![Append::records(shard(), records)]);
        let appended = self.log.append(set).await;
        appended.map(drop).map_err(|e| PortError(format!("keeping what handlers accepted: {e}")))
    }

    /// The record of that key; `None`: it is forgotten.
    fn written(&self, key: String, entry: Option<&Entry>) -> Record {
        let mut record =
            Record { key: Some(Bytes::from(key)), value: None, headers: Vec::new(), created: self.clock.now() };
        let Some(Entry { of, until, version, said, heard }) = entry else { return record };
        record.push_header(names::callback::SUBSCRIPTION, of.subscription.to_string());
        record.push_header(names::callback::ORIGIN, journal::place(&of.at));
        record.push_header(names::callback::DELIVERY, of.delivery.to_string());
        record.push_header(names::callback::UNTIL, until.micros().to_string());
        if let Some(version) = version {
            record.push_header(names::callback::VERSION, version.to_string());
        }
        record.value = Some(Bytes::new());
        if let Some((headers, body)) = said {
            record.push_header(names::callback::SAID, if *heard { "heard" } else { "kept" });
            for (name, value) in headers {
                let name = format!("{}{name}", names::callback::HEADER_PREFIX);
                record.push_header(name, Bytes::copy_from_slice(value.as_bytes()));
            }
            record.value = Some(body.clone());
        }
        record
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the topic is made with.
pub(super) fn settings() -> TopicSettings {
    let cleanup = Cleanup::Compact { dirty_percent: 50, delete_retention: MARKS_KEPT, min_lag: Duration::ZERO };
    TopicSettings { partitions: 1, retention: Retention::default(), cleanup }
}

fn keys_of(name: &str) -> [String; 2] {
    [name.to_owned(), format!("{name}{SAID_SUFFIX}")]
}

fn shard() -> Shard {
    Shard::new(names::CALLBACKS_TOPIC, 0)
}

/// Those headers of a callback that say something of the event.
fn meaning(headers: &HeaderMap) -> HeaderMap {
    let says = |name: &str| {
        name == "content-type" || name == "retry-after" || name.starts_with("ce-") || name.starts_with("evenkeel-")
    };
    headers.iter().filter(|(name, _)| says(name.as_str())).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What a record says; `None` for one that says nothing any more.
fn read(record: &Record) -> Option<Entry> {
    let text = |name: &str| record.header(name).and_then(|value| std::str::from_utf8(value).ok());
    let of = Of {
        subscription: Arc::from(text(names::callback::SUBSCRIPTION)?),
        at: dead::position(text(names::callback::ORIGIN)?)?,
        delivery: text(names::callback::DELIVERY)?.parse().ok()?,
    };
    let until = Timestamp::from_micros(text(names::callback::UNTIL)?.parse().ok()?);
    let version = text(names::callback::VERSION).map(Arc::from);
    let value = record.value.clone()?;
    let how = text(names::callback::SAID);
    let mut headers = HeaderMap::new();
    for header in &record.headers {
        let name = header.name.strip_prefix(names::callback::HEADER_PREFIX).map(str::parse::<HeaderName>);
        let value = header.value.as_deref().map(HeaderValue::from_bytes);
        if let (Some(Ok(name)), Some(Ok(value))) = (name, value) {
            headers.append(name, value);
        }
    }
    Some(Entry { of, until, version, said: how.map(|_| (headers, value)), heard: how != Some("kept") })
}
