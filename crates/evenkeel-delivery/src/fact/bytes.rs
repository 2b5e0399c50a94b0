//! The bytes of a journal record: what of a round's facts must be remembered.
//!
//! [`encode_journal`] takes all facts of a round and keeps what a restart needs: each outcome as
//! an offset, a time and (where there is one) a mark; pending state, progress, breakers, pauses,
//! and that an event was overdue. Attempts are the ledger's alone. It knows no topic and no I/O.
//!
//! Invariants: version 1; outcomes stand first, by partition, delta-coded (3 to 5 bytes and the
//! mark for each); no length is believed before it was compared with the bytes that are there.

mod breaker;
mod open;
mod pending;
mod redrive;
mod versions;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use evenkeel_model::varint::{get_i64, get_text, get_u64, put_i64, put_text, put_u64};
use evenkeel_model::{Position, Shard, Timestamp};

use super::{Fact, Mark, Remembered};

const VERSION: u8 = 1;
const PENDING: u8 = 1;
const PROGRESS: u8 = 2;
const PAUSED: u8 = 4;
const OVERDUE: u8 = 5;
const OPEN: u8 = 6;
const VERSION_OF_KEY: u8 = 7;
const REDRIVE: u8 = 8;

/// A journal record that cannot be read: of another version, or damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalUnreadable {
    /// What was being read.
    pub what: &'static str,
    /// How many bytes of the record were left.
    pub left: usize,
}

impl std::fmt::Display for JournalUnreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "journal record unreadable at its {} ({} bytes from its end)", self.what, self.left)
    }
}

impl std::error::Error for JournalUnreadable {}

/// What must be remembered of a round: give it all of the round's facts. A round of which
/// nothing must be remembered gives a record that decodes to nothing.
pub fn encode_journal(facts: &[Fact]) -> Bytes {
    let shards = Shards::of(facts);
    let mut out = BytesMut::with_capacity(64 + facts.len() * 24);
    out.put_u8(VERSION);
    shards.put(&mut out);
    put_done(&mut out, facts, &shards);
    for fact in facts {
        put_rest(&mut out, fact, &shards);
    }
    out.freeze()
}

/// Reads what [`encode_journal`] wrote. Outcomes come first, then the rest in its order.
pub fn decode_journal(bytes: &[u8]) -> Result<Vec<Remembered>, JournalUnreadable> {
    let mut from = bytes;
    let from = &mut from;
    let mut what = "version";
    let read = read_all(from, &mut what);
    read.ok_or(JournalUnreadable { what, left: from.len() })
}

fn read_all(from: &mut &[u8], what: &mut &'static str) -> Option<Vec<Remembered>> {
    if !from.has_remaining() || from.get_u8() != VERSION {
        return None;
    }
    *what = "partitions";
    let shards = get_shards(from)?;
    *what = "outcomes";
    let mut all = Vec::new();
    for shard in &shards {
        get_done(from, shard, &mut all)?;
    }
    while from.has_remaining() {
        all.push(get_rest(from, &shards, what)?);
    }
    Some(all)
}

/// The partitions that a record speaks of, each written once.
struct Shards<'a> {
    order: Vec<&'a Shard>,
    index: HashMap<&'a Shard, usize>,
}

impl<'a> Shards<'a> {
    fn of(facts: &'a [Fact]) -> Shards<'a> {
        let mut shards = Shards { order: Vec::new(), index: HashMap::new() };
        for shard in facts.iter().flat_map(shards_of).flatten() {
            let next = shards.order.len();
            if *shards.index.entry(shard).or_insert(next) == next {
                shards.order.push(shard);
            }
        }
        shards
    }

    fn put(&self, out: &mut BytesMut) {
        put_u64(out, self.order.len() as u64);
        for shard in &self.order {
            put_text(out, &shard.topic);
            put_u64(out, u64::from(shard.partition));
        }
    }

    fn put_index(&self, out: &mut BytesMut, shard: &Shard) {
        put_u64(out, self.index.get(shard).copied().unwrap_or(usize::MAX) as u64);
    }
}

fn shards_of(fact: &Fact) -> [Option<&Shard>; 2] {
    match fact {
        Fact::Ended { shard, .. } | Fact::Overdue { shard, .. } | Fact::Progress { shard, .. } => [Some(shard), None],
        Fact::Pending(pending) => [Some(&pending.at.shard), None],
        Fact::Redriven(redriven) => [Some(&redriven.at.shard), Some(&redriven.letter.shard)],
        Fact::Redrive(job) => [Some(&job.plan.letters), job.after.as_ref().map(|at| &at.shard)],
        Fact::LettersClosed(closed) => [Some(&closed.letters), None],
        Fact::Open(open) => [open.shard(), None],
        Fact::Attempt { .. } | Fact::Breaker(_) | Fact::Paused(_) | Fact::Version(_) => [None, None],
    }
}

fn get_shards(from: &mut &[u8]) -> Option<Vec<Shard>> {
    let count = bounded(get_u64(from)?, from, 2)?;
    let mut topics: Vec<Arc<str>> = Vec::new();
    let mut shards = Vec::with_capacity(count);
    for _ in 0..count {
        let name = get_text(from)?;
        let topic = match topics.iter().find(|t| ***t == *name) {
            Some(topic) => topic.clone(),
            None => {
                topics.push(Arc::from(name));
                topics[topics.len() - 1].clone()
            }
        };
        shards.push(Shard { topic, partition: u32::try_from(get_u64(from)?).ok()? });
    }
    Some(shards)
}

/// A count of things of at least `each` bytes, if so many can be there.
fn bounded(count: u64, from: &&[u8], each: usize) -> Option<usize> {
    let count = usize::try_from(count).ok()?;
    (count <= from.len() / each).then_some(count)
}

fn put_done(out: &mut BytesMut, facts: &[Fact], shards: &Shards<'_>) {
    let mut by_shard: Vec<Vec<(u64, Timestamp, Option<Mark>)>> = vec![Vec::new(); shards.order.len()];
    for fact in facts {
        if let Fact::Ended { shard, mark, entry } = fact {
            by_shard[shards.index[shard]].push((entry.offset, entry.at, *mark));
        }
    }
    for done in by_shard {
        put_u64(out, done.len() as u64);
        let (mut offset_before, mut time_before) = (0_i64, 0_i64);
        for (offset, when, mark) in done {
            let offset = offset.cast_signed();
            put_i64(out, offset.wrapping_sub(offset_before));
            let time = when.micros().wrapping_sub(time_before);
            put_u64(out, zigzag_with(time, mark.is_some()).0);
            if let Some(Mark(mark)) = mark {
                out.put_slice(&mark);
            }
            (offset_before, time_before) = (offset, zigzag_with(when.micros(), false).1);
        }
    }
}

/// A time difference and a flag in one number. Times beyond ±2^61 µs (73,000 years) are cut.
fn zigzag_with(v: i64, flag: bool) -> (u64, i64) {
    const BOUND: i64 = 1 << 61;
    let v = v.clamp(-BOUND, BOUND);
    let zigzag = ((v << 1) ^ (v >> 63)).cast_unsigned();
    (zigzag << 1 | u64::from(flag), v)
}

fn get_done(from: &mut &[u8], shard: &Shard, all: &mut Vec<Remembered>) -> Option<()> {
    let count = bounded(get_u64(from)?, from, 2)?;
    all.reserve(count);
    let (mut offset, mut time) = (0_i64, 0_i64);
    for _ in 0..count {
        offset = offset.wrapping_add(get_i64(from)?);
        let coded = get_u64(from)?;
        let zigzag = coded >> 1;
        time = time.checked_add((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())?;
        let mark = if coded & 1 == 1 { Some(get_mark(from)?) } else { None };
        all.push(Remembered::Done {
            at: Position { shard: shard.clone(), offset: offset.cast_unsigned() },
            mark,
            when: Timestamp::from_micros(time),
        });
    }
    Some(())
}

fn get_mark(from: &mut &[u8]) -> Option<Mark> {
    let (mark, rest) = from.split_first_chunk::<16>()?;
    *from = rest;
    Some(Mark(*mark))
}

fn put_rest(out: &mut BytesMut, fact: &Fact, shards: &Shards<'_>) {
    match fact {
        Fact::Ended { .. } | Fact::Attempt { .. } => {}
        Fact::Overdue { shard, entry } => {
            out.put_u8(OVERDUE);
            shards.put_index(out, shard);
            put_u64(out, entry.offset);
            put_u64(out, entry.threshold_us);
        }
        Fact::Pending(pending) => {
            out.put_u8(PENDING);
            pending::put(out, pending, shards);
        }
        Fact::Progress { shard, below } => {
            out.put_u8(PROGRESS);
            shards.put_index(out, shard);
            put_u64(out, *below);
        }
        Fact::Breaker(mark) => breaker::put(out, mark),
        Fact::Paused(why) => {
            out.put_u8(PAUSED);
            put_optional_text(out, why.as_deref());
        }
        Fact::Redriven(redriven) => {
            out.put_u8(REDRIVE);
            redrive::put_redriven(out, redriven, shards);
        }
        Fact::Redrive(job) => {
            out.put_u8(REDRIVE);
            redrive::put_job(out, job, shards);
        }
        Fact::LettersClosed(closed) => {
            out.put_u8(REDRIVE);
            redrive::put_closed(out, closed, shards);
        }
        Fact::Open(open) => {
            out.put_u8(OPEN);
            open::put(out, open, shards);
        }
        Fact::Version(mark) => {
            out.put_u8(VERSION_OF_KEY);
            versions::put(out, mark);
        }
    }
}

fn get_rest(from: &mut &[u8], shards: &[Shard], what: &mut &'static str) -> Option<Remembered> {
    match from.get_u8() {
        OVERDUE => {
            *what = "overdue event";
            let shard = get_shard(from, shards)?;
            let at = Position { shard, offset: get_u64(from)? };
            Some(Remembered::Overdue { at, threshold: Duration::from_micros(get_u64(from)?) })
        }
        PENDING => {
            *what = "pending event";
            Some(Remembered::Pending(pending::get(from, shards)?))
        }
        PROGRESS => {
            *what = "progress";
            Some(Remembered::Progress { shard: get_shard(from, shards)?, below: get_u64(from)? })
        }
        tag @ (breaker::PLAIN | breaker::FULL) => {
            *what = "breaker";
            Some(Remembered::Breaker(breaker::get(from, tag == breaker::FULL)?))
        }
        PAUSED => {
            *what = "pause";
            Some(Remembered::Paused(get_optional_text(from)?))
        }
        REDRIVE => redrive::get(from, shards, what),
        OPEN => {
            *what = "open attempts";
            Some(Remembered::Open(open::get(from, shards)?))
        }
        VERSION_OF_KEY => {
            *what = "version of a key";
            Some(Remembered::Version(versions::get(from)?))
        }
        _ => {
            *what = "unknown entry";
            None
        }
    }
}

fn get_shard(from: &mut &[u8], shards: &[Shard]) -> Option<Shard> {
    shards.get(usize::try_from(get_u64(from)?).ok()?).cloned()
}

fn put_optional_text(out: &mut BytesMut, text: Option<&str>) {
    out.put_u8(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(out, text);
    }
}

fn get_optional_text(from: &mut &[u8]) -> Option<Option<String>> {
    if get_flag(from)? { get_text(from).map(Some) } else { Some(None) }
}

fn get_byte(from: &mut &[u8]) -> Option<u8> {
    from.has_remaining().then(|| from.get_u8())
}

fn get_flag(from: &mut &[u8]) -> Option<bool> {
    get_byte(from).filter(|b| *b <= 1).map(|b| b == 1)
}

fn get_u32(from: &mut &[u8]) -> Option<u32> {
    u32::try_from(get_u64(from)?).ok()
}

fn get_bytes(from: &mut &[u8]) -> Option<Bytes> {
    let len = bounded(get_u64(from)?, from, 1)?;
    let (bytes, rest) = from.split_at(len);
    *from = rest;
    Some(Bytes::copy_from_slice(bytes))
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
