//! The machine in bytes, for a checkpoint: what its other sections do not say. They have the topics
//! that are there, and the ends and the leader epoch of each partition.
//!
//! Version 2, all numbers little-endian; docs/format.md has the table. Maps are written in order, so
//! that the same machine has the same bytes. Version 1 has no growths. Counts are not believed before the bytes are there.

use std::sync::Arc;

use bytes::{Buf, BufMut};
use evenkeel_model::Timestamp;

use super::aborts::{Abort, Aborts};
use super::producers::{Line, RECENT, Recent, Sent, Session};
use super::{Machine, Partition};
use crate::Aborted;
use crate::state::Place;

const VERSION: u8 = 2;
const WITHOUT_GROWTHS: u8 = 1;

/// What of a machine goes into a checkpoint's section: taken quickly, written at leisure.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    next_topic: u32,
    next_producer: i64,
    swept: Timestamp,
    lines: Vec<((Place, i64), Line)>,
    sessions: Vec<(i64, Session)>,
    aborts: Vec<(Place, Aborts)>,
    grown: Vec<(u32, Vec<Arc<[u64]>>)>,
}

impl Machine {
    /// The state of this moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let producers = &self.producers;
        let aborted = self.topics.places().filter(|(_, _, partition)| !partition.aborts.is_empty());
        let grown = self.topics.iter().filter(|(_, entry)| !entry.grown.is_empty());
        Snapshot {
            next_topic: self.topics.next_number(),
            next_producer: self.next_producer,
            swept: producers.swept,
            lines: producers.lines.iter().map(|(key, line)| (*key, *line)).collect(),
            sessions: producers.sessions.iter().map(|(id, session)| (*id, session.clone())).collect(),
            aborts: aborted.map(|(place, _, partition)| (place, partition.aborts.clone())).collect(),
            grown: grown.map(|(number, entry)| (number, entry.grown.clone())).collect(),
        }
    }

    /// Takes such bytes into a machine that has the topics and ends of the same checkpoint. None at
    /// all, as in version 1 of a slot, say nothing.
    pub(crate) fn restore(&mut self, mut from: &[u8]) -> Result<(), String> {
        if from.is_empty() {
            return Ok(());
        }
        let grows = match from.get_u8() {
            VERSION => true,
            WITHOUT_GROWTHS => false,
            version => return Err(format!("the machine's section has version {version}")),
        };
        let got = self.get(&mut from).and_then(|()| if grows { self.get_growths(&mut from) } else { Some(()) });
        got.filter(|()| from.is_empty()).ok_or("the machine's section cannot be read".into())
    }

    fn get(&mut self, from: &mut &[u8]) -> Option<()> {
        self.topics.skip_to(from.try_get_u32_le().ok()?)?;
        self.give_producers(from.try_get_i64_le().ok()?).ok()?;
        self.producers.swept = get_time(from)?;
        for _ in 0..from.try_get_u32_le().ok()? {
            let (key, line) = get_line(from)?;
            self.producers.lines.insert(key, line);
        }
        for _ in 0..from.try_get_u32_le().ok()? {
            let (id, session) = get_session(from)?;
            for (place, first) in &session.open {
                self.at_mut(*place)?.open.insert(*first, id);
            }
            self.producers.sessions.insert(id, session);
        }
        for _ in 0..from.try_get_u32_le().ok()? {
            let place = get_place(from)?;
            get_aborts(from, self.at_mut(place)?)?;
        }
        Some(())
    }

    fn get_growths(&mut self, from: &mut &[u8]) -> Option<()> {
        for _ in 0..from.try_get_u32_le().ok()? {
            let entry = self.topics.get_mut(from.try_get_u32_le().ok()?)?;
            for _ in 0..from.try_get_u32_le().ok()? {
                let count = from.try_get_u32_le().ok()?;
                let ends: Option<Arc<[u64]>> = (0..count).map(|_| from.try_get_u64_le().ok()).collect();
                entry.grown.push(ends.filter(|ends| ends.len() < entry.partitions.len())?);
            }
        }
        Some(())
    }
}

impl Snapshot {
    /// The bytes of a checkpoint's machine section.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.put_u32_le(self.next_topic);
        out.put_i64_le(self.next_producer);
        out.put_i64_le(self.swept.micros());
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_unstable_by_key(|(key, _)| *key);
        put_all(&mut out, lines.into_iter(), put_line);
        put_all(&mut out, self.sessions.iter(), put_session);
        put_all(&mut out, self.aborts.iter(), put_aborts);
        put_all(&mut out, self.grown.iter(), put_growths);
        out
    }
}

fn put_all<'a, T: 'a>(out: &mut Vec<u8>, all: impl ExactSizeIterator<Item = &'a T>, put: impl Fn(&mut Vec<u8>, &T)) {
    out.put_u32_le(count(all.len()));
    all.for_each(|one| put(out, one));
}

fn put_line(out: &mut Vec<u8>, ((place, id), line): &((Place, i64), Line)) {
    put_place(out, *place);
    out.put_i64_le(*id);
    out.put_i16_le(line.epoch);
    out.put_i64_le(line.last_at.micros());
    out.put_u8(u8::try_from(line.recent.all().len()).unwrap_or(u8::MAX));
    for sent in line.recent.all() {
        out.put_i32_le(sent.first);
        out.put_i32_le(sent.last);
        out.put_u64_le(sent.base);
    }
}

fn put_session(out: &mut Vec<u8>, (id, session): &(i64, Session)) {
    out.put_i64_le(*id);
    out.put_i16_le(session.epoch);
    out.put_i64_le(session.last_at.micros());
    out.put_i64_le(session.since.micros());
    out.put_u32_le(count(session.open.len()));
    for (place, first) in &session.open {
        put_place(out, *place);
        out.put_u64_le(*first);
    }
}

fn put_aborts(out: &mut Vec<u8>, (place, aborts): &(Place, Aborts)) {
    put_place(out, *place);
    out.put_u32_le(count(aborts.iter().len()));
    for abort in aborts.iter() {
        out.put_i64_le(abort.range.producer);
        out.put_u64_le(abort.range.first);
        out.put_u64_le(abort.range.last);
        out.put_u64_le(abort.stable);
    }
}

fn put_growths(out: &mut Vec<u8>, (number, grown): &(u32, Vec<Arc<[u64]>>)) {
    out.put_u32_le(*number);
    out.put_u32_le(count(grown.len()));
    for ends in grown {
        out.put_u32_le(count(ends.len()));
        ends.iter().for_each(|end| out.put_u64_le(*end));
    }
}

fn get_line(from: &mut &[u8]) -> Option<((Place, i64), Line)> {
    let key = (get_place(from)?, from.try_get_i64_le().ok()?);
    let (epoch, last_at) = (from.try_get_i16_le().ok()?, get_time(from)?);
    let sent = |from: &mut &[u8]| {
        let (first, last) = (from.try_get_i32_le().ok()?, from.try_get_i32_le().ok()?);
        Some(Sent { first, last, base: from.try_get_u64_le().ok()? })
    };
    let count = from.try_get_u8().ok().filter(|count| usize::from(*count) <= RECENT)?;
    let recent = (0..count).try_fold(Recent::default(), |recent, _| Some(recent.with(sent(from)?)))?;
    Some((key, Line { epoch, last_at, recent }))
}

fn get_session(from: &mut &[u8]) -> Option<(i64, Session)> {
    let id = from.try_get_i64_le().ok()?;
    let epoch = from.try_get_i16_le().ok()?;
    let (last_at, since) = (get_time(from)?, get_time(from)?);
    let place = |from: &mut &[u8]| Some((get_place(from)?, from.try_get_u64_le().ok()?));
    let open = (0..from.try_get_u32_le().ok()?).map(|_| place(from)).collect::<Option<_>>()?;
    Some((id, Session { epoch, last_at, since, open }))
}

fn get_aborts(from: &mut &[u8], partition: &mut Partition) -> Option<()> {
    for _ in 0..from.try_get_u32_le().ok()? {
        let producer = from.try_get_i64_le().ok()?;
        let (first, last) = (from.try_get_u64_le().ok()?, from.try_get_u64_le().ok()?);
        let stable = from.try_get_u64_le().ok()?;
        partition.aborts.push(Abort { range: Aborted { producer, first, last }, stable });
    }
    Some(())
}

fn put_place(out: &mut Vec<u8>, place: Place) {
    out.put_u32_le(place.topic);
    out.put_u32_le(place.partition);
}

fn get_place(from: &mut &[u8]) -> Option<Place> {
    Some(Place { topic: from.try_get_u32_le().ok()?, partition: from.try_get_u32_le().ok()? })
}

fn get_time(from: &mut &[u8]) -> Option<Timestamp> {
    from.try_get_i64_le().ok().map(Timestamp::from_micros)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
