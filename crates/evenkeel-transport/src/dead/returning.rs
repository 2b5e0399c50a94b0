//! Dead letters that other frameworks wrote go back to the topic that they came from.
//!
//! Each goes back in one atomic set: its record, without what the framework said of its death, and a
//! note of it in `evenkeel.redrives`. So what is cut off goes on where it was, and no letter goes back
//! twice, whoever asks. Which letters are meant, how many at a time and how fast is the caller's.
//!
//! A letter whose topic is not here, or not said, stays where it is and is counted with the reason.
//! One that came from a broker goes back there ([`Abroad`]): it is published, and noted when the broker
//! has it, so that whoever is cut off in between sends it once more.
//!
//! Notes are kept as they are: `topic` as the key, and as the value JSON
//! `{"letters":[[partition,offset],…],"to":…,"reason":…}`.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{Outgoing, PortError};
use evenkeel_log::{Append, Log, Set, TopicSettings};
use evenkeel_model::{Record, Shard, Timestamp, names, partition_for_key};
use serde_json::{Value, json};

use super::{DeadLetter, Filter, each_of_topic, foreign};
use crate::pages::{Pages, unreadable};

/// One atomic set holds at most so many letters, and so many bytes of them (and at least one).
const LETTERS_MAX: usize = 64;
const BYTES_MAX: usize = 1 << 20;

/// A letter's place in its topic: partition and offset.
pub type Place = (u32, u64);

/// What is to go back.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Which letters.
    pub filter: &'a Filter,
    /// From this place on.
    pub from: Place,
    /// At most so many.
    pub limit: usize,
    /// To this topic, or this address at a broker; without one each goes where it came from.
    pub to: Option<&'a str>,
    /// Why, for the record.
    pub reason: &'a str,
    /// Only count.
    pub dry_run: bool,
}

/// Where a letter belongs that came in from a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// In this topic, which takes in what is in the queue that it died in.
    Topic(String),
    /// At this address.
    Address(String),
}

/// The brokers that letters may go back to.
pub trait Abroad {
    /// Where a letter belongs that says it died in this queue; `None`: no broker is behind the topic.
    fn belongs(&self, queue: &str) -> Option<Belongs>;
    /// Publishes at an address; one answer for each, an error says why it stays.
    fn send(&self, address: &str, letters: Vec<Outgoing>) -> Vec<Result<(), String>>;
}

/// No broker.
pub struct AtHome;

impl Abroad for AtHome {
    fn belongs(&self, _: &str) -> Option<Belongs> {
        None
    }

    fn send(&self, address: &str, letters: Vec<Outgoing>) -> Vec<Result<(), String>> {
        vec![Err(format!("`{address}` is at no broker that is known here")); letters.len()]
    }
}

/// Where a letter goes.
enum Target {
    Here(Shard),
    There(String),
}

/// What went back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    /// How many letters, by the topic or address that they went to.
    pub given: BTreeMap<String, u64>,
    /// How many stayed, by why.
    pub stayed: BTreeMap<String, u64>,
    /// How many had gone back before.
    pub passed_over: u64,
    /// Where to go on, when there may be more.
    pub next: Option<Place>,
}

/// The letters of one topic, and which of them went back.
pub struct Returns {
    log: Log,
    topic: String,
    gone: HashSet<Place>,
    /// Up to where the notes were read.
    read: u64,
}

impl Returns {
    /// Of that topic. It writes nothing until something goes back.
    pub fn of(log: Log, topic: &str) -> Returns {
        Returns { log, topic: topic.to_owned(), gone: HashSet::new(), read: 0 }
    }

    /// Reads the notes that came since it was asked last.
    pub fn look(&mut self) -> Result<(), PortError> {
        let shard = notes();
        if self.log.topic(&shard.topic).is_none() {
            return Ok(());
        }
        let end = self.log.ends(&shard).map_err(|e| unreadable(&shard, &e))?.high_watermark;
        let (gone, topic) = (&mut self.gone, self.topic.as_bytes());
        Pages::new(&self.log, shard, self.read, end).each(|stored| {
            if stored.record.key.as_deref() == Some(topic) {
                gone.extend(noted(stored.record.value.as_deref().unwrap_or_default()));
            }
            Ok(())
        })?;
        self.read = end;
        Ok(())
    }

    /// True for a letter that went back.
    pub fn has(&self, place: Place) -> bool {
        self.gone.contains(&place)
    }

    /// Gives back what is wanted, and says how far it came. Must be called by one at a time.
    pub fn give_back(
        &mut self,
        wanted: &Wanted<'_>,
        abroad: &dyn Abroad,
        now: Timestamp,
    ) -> Result<GivenBack, PortError> {
        self.look()?;
        let (mut done, letters) = self.meant(wanted)?;
        let mut set = Vec::new();
        let mut bytes = 0;
        let mut parcels: BTreeMap<String, Vec<DeadLetter>> = BTreeMap::new();
        for letter in letters {
            match self.target(&letter, wanted.to, abroad) {
                Ok(Target::Here(shard)) => {
                    *done.given.entry(shard.topic.to_string()).or_default() += 1;
                    bytes += letter.record.value.as_ref().map_or(0, Bytes::len);
                    set.push((letter, shard));
                }
                Ok(Target::There(address)) if letter.event.is_some() => {
                    parcels.entry(address).or_default().push(letter);
                }
                Ok(Target::There(_)) => {
                    *done.stayed.entry("its record cannot be read as an event".to_owned()).or_default() += 1;
                }
                Err(why) => *done.stayed.entry(why).or_default() += 1,
            }
            if set.len() == LETTERS_MAX || bytes >= BYTES_MAX {
                self.commit(std::mem::take(&mut set), wanted, now)?;
                bytes = 0;
            }
        }
        self.commit(set, wanted, now)?;
        for (address, letters) in parcels {
            self.send(&address, letters, wanted, abroad, now, &mut done)?;
        }
        Ok(done)
    }

    /// The letters that are wanted and did not go back yet, and where to go on.
    fn meant(&self, wanted: &Wanted<'_>) -> Result<(GivenBack, Vec<DeadLetter>), PortError> {
        let mut letters = Vec::new();
        let mut passed_over = 0;
        let mut next = None;
        each_of_topic(&self.log, &self.topic, wanted.from, |letter| {
            let place = (letter.at.shard.partition, letter.at.offset);
            if !wanted.filter.matches(&letter) {
                return true;
            }
            if self.gone.contains(&place) {
                passed_over += 1;
            } else if letters.len() == wanted.limit {
                next = Some(place);
            } else {
                letters.push(letter);
            }
            next.is_none()
        })?;
        Ok((GivenBack { passed_over, next, ..GivenBack::default() }, letters))
    }

    /// Publishes at a broker, and notes what it has.
    fn send(
        &mut self,
        address: &str,
        letters: Vec<DeadLetter>,
        wanted: &Wanted<'_>,
        abroad: &dyn Abroad,
        now: Timestamp,
        done: &mut GivenBack,
    ) -> Result<(), PortError> {
        for part in letters.chunks(LETTERS_MAX) {
            let outgoing: Vec<Outgoing> = part.iter().filter_map(|letter| outgoing(letter, &self.topic)).collect();
            let answers = if wanted.dry_run { vec![Ok(()); part.len()] } else { abroad.send(address, outgoing) };
            let mut there = Vec::new();
            for (letter, answer) in part.iter().zip(answers) {
                match answer {
                    Ok(()) => there.push((letter.at.shard.partition, letter.at.offset)),
                    Err(why) => *done.stayed.entry(why).or_default() += 1,
                }
            }
            *done.given.entry(address.to_owned()).or_default() += there.len() as u64;
            if !wanted.dry_run && !there.is_empty() {
                self.note(BTreeMap::new(), there, wanted, now)?;
            }
        }
        done.given.retain(|_, count| *count > 0);
        Ok(())
    }

    /// Where a letter goes, or why it stays.
    fn target(&self, letter: &DeadLetter, to: Option<&str>, abroad: &dyn Abroad) -> Result<Target, String> {
        let from = letter.origin.as_ref().map_or(letter.from.as_str(), |at| &at.shard.topic);
        if let Some(address) = to.filter(|to| to.contains("://")) {
            return Ok(Target::There(address.to_owned()));
        }
        let queue = foreign::queue_named(from);
        let belongs = if to.is_none() && !queue.is_empty() { abroad.belongs(queue) } else { None };
        let name = match &belongs {
            Some(Belongs::Address(address)) => return Ok(Target::There(address.clone())),
            Some(Belongs::Topic(topic)) => topic,
            None => to.unwrap_or(from),
        };
        if name.is_empty() {
            return Err("it does not say where it came from".to_owned());
        }
        if name == self.topic || names::is_own(name) {
            return Err(format!("`{name}` is no topic that it may go to"));
        }
        let topic = self.log.topic(name).ok_or_else(|| format!("there is no topic `{name}` here"))?;
        // As it lay before, whatever partitioner its producer has.
        let was = letter.origin.as_ref().filter(|at| *at.shard.topic == *name).map(|at| at.shard.partition);
        let offset = letter.at.offset.to_be_bytes();
        let by_key = || partition_for_key(letter.key.as_deref().unwrap_or(&offset), topic.partitions);
        Ok(Target::Here(Shard::new(topic.name, was.filter(|p| *p < topic.partitions).unwrap_or_else(by_key))))
    }

    fn commit(
        &mut self,
        letters: Vec<(DeadLetter, Shard)>,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<(), PortError> {
        if letters.is_empty() || wanted.dry_run {
            return Ok(());
        }
        let places: Vec<Place> =
            letters.iter().map(|(letter, _)| (letter.at.shard.partition, letter.at.offset)).collect();
        let mut parts: BTreeMap<Shard, Vec<Record>> = BTreeMap::new();
        for (letter, shard) in letters {
            parts.entry(shard).or_default().push(as_it_was(letter));
        }
        self.note(parts, places, wanted, now)
    }

    /// Notes that the letters at these places went back, in one set with what goes to topics here.
    fn note(
        &mut self,
        mut parts: BTreeMap<Shard, Vec<Record>>,
        places: Vec<Place>,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<(), PortError> {
        self.make_notes()?;
        let note = json!({ "letters": places, "to": wanted.to, "reason": wanted.reason }).to_string();
        let note = Record {
            key: Some(Bytes::copy_from_slice(self.topic.as_bytes())),
            value: Some(note.into()),
            headers: Vec::new(),
            created: now,
        };
        parts.insert(notes(), vec![note]);
        let appends = parts.into_iter().map(|(shard, records)| Append::records(shard, records)).collect();
        let appended = self.log.append(Set::appends(appends)).wait();
        appended.map_err(|e| PortError(format!("giving back letters of `{}`: {e}", self.topic)))?;
        self.gone.extend(places);
        Ok(())
    }

    fn make_notes(&self) -> Result<(), PortError> {
        if self.log.topic(names::REDRIVES_TOPIC).is_some() {
            return Ok(());
        }
        let created = self.log.create_topic(names::REDRIVES_TOPIC, TopicSettings::partitions(1));
        let created = created.map_err(|e| PortError(e.to_string()))?;
        created.wait().map(|_| ()).map_err(|e| PortError(e.to_string()))
    }
}

fn notes() -> Shard {
    Shard::new(names::REDRIVES_TOPIC, 0)
}

/// The places of a note; none of what is no note.
fn noted(value: &[u8]) -> Vec<Place> {
    let note: Value = serde_json::from_slice(value).unwrap_or_default();
    let place = |letter: &Value| Some((u32::try_from(letter.get(0)?.as_u64()?).ok()?, letter.get(1)?.as_u64()?));
    note["letters"].as_array().into_iter().flatten().filter_map(place).collect()
}

/// The record without what was said of its death, and with where it lay as a letter.
fn as_it_was(letter: DeadLetter) -> Record {
    let DeadLetter { at, mut record, .. } = letter;
    let of_its_way = [names::REDRIVEN_FROM, names::INTAKE, names::BROKER_DELIVERIES];
    record.headers.retain(|h| !foreign::is_of_death(&h.name) && !of_its_way.contains(&&*h.name));
    record.push_header(names::REDRIVEN_FROM, crate::journal::place(&at));
    record
}

/// A letter on its way to a broker: the event without what was said of its death. Equal over repeats.
fn outgoing(letter: &DeadLetter, topic: &str) -> Option<Outgoing> {
    let event = letter.event.clone()?;
    let id = Mark::of(names::REDRIVES_TOPIC, topic, &crate::journal::place(&letter.at));
    let record = as_it_was(letter.clone());
    let own = |name: &str| !name.starts_with("ce_") && name != "content-type";
    let headers = record.headers.into_iter().filter(|header| own(&header.name)).collect();
    Some(Outgoing { event, key: record.key, headers, created: record.created, id })
}

#[cfg(test)]
mod tests;
