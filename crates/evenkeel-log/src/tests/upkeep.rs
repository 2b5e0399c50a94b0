//! Seeded histories of topics that come, change, are compacted, lose records and go, with power cuts
//! anywhere, each held against a plain table after every restart.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{Clock, Record, Shard};

use super::explore::{Dice, crash, seeds, start, wanted_seeds};
use super::{Rig, poll, text};
use crate::sim::Fault;
use crate::write_back::Demand;
use crate::{AppendError, Cleanup, Log, ReadLimit, Retention, Safeguard, Set, TopicError, TopicSettings};

/// A record as it was appended: its key, and its value, which occurs once; none is a tombstone.
type Line = (Option<String>, Option<String>);

/// One partition of one incarnation of a topic.
#[derive(Clone, Debug, Default)]
struct Part {
    start: u64,
    next: u64,
    lines: BTreeMap<u64, Line>,
    /// Nobody knows whether it was appended.
    perhaps: Vec<Line>,
    /// Perhaps it begins here.
    starts: BTreeSet<u64>,
}

#[derive(Clone, Debug, Default)]
struct Topic {
    parts: Vec<Part>,
    compacted: bool,
    /// Perhaps it has so many partitions.
    grows: Option<usize>,
    /// Perhaps it is gone.
    goes: bool,
}

/// What the log must hold.
#[derive(Default)]
struct Table {
    topics: BTreeMap<String, Topic>,
    /// Perhaps these were created, with one partition.
    perhaps: BTreeSet<String>,
    next: u64,
}

fn settings(name: &str, partitions: usize) -> TopicSettings {
    let second = Duration::from_secs(1);
    let cleanup = match name {
        "c" => Cleanup::Compact { dirty_percent: 20, delete_retention: second, min_lag: Duration::ZERO },
        _ => Cleanup::Delete,
    };
    let bytes = (name == "r").then_some(9 << 10);
    let retention = Retention { bytes, ..Retention::default() };
    TopicSettings { retention, cleanup, ..TopicSettings::partitions(u32::try_from(partitions).unwrap_or(1)) }
}

fn explore(seed: u64, without: Option<Safeguard>) -> Result<(), String> {
    let mut rig = Rig::new(seed, without);
    let mut table = Table::default();
    let mut dice = Dice(seed.wrapping_mul(0x51_7cc1).wrapping_add(3));
    for _ in 0..4 {
        if dice.roll(2) == 0 {
            rig.disk.fail_in(dice.roll(30));
        }
        start(&mut rig, &mut dice, |log| table.check(log))?;
        rig.disk.fail_in(dice.roll(400));
        let mut acts = 0;
        while !rig.disk.is_off() && rig.log().status().stopped.is_none() && acts < 250 {
            act(&rig, &mut table, &mut dice)?;
            acts += 1;
        }
        crash(&mut rig, &mut dice);
    }
    start(&mut rig, &mut dice, |log| table.check(log))?;
    nothing_is_left_over(&mut rig)
}

fn act(rig: &Rig, table: &mut Table, dice: &mut Dice) -> Result<(), String> {
    rig.clock.advance(Duration::from_millis(dice.roll(80)));
    match dice.roll(24) {
        0 | 1 => create(rig, table, dice),
        2 if dice.roll(2) == 0 => delete(rig, table, dice),
        3 => grow(rig, table, dice),
        4 => delete_records(rig, table, dice),
        5 => retain(rig, table),
        6 => drop(rig.log().flush()),
        7 => {
            drop(rig.log().flush());
            drop(rig.log().flush());
        }
        8 => drop(rig.log().write_back(Demand::Before(u64::MAX))),
        9 => drop(rig.log().write_back(Demand::Usual)),
        10..=13 => clean(rig, dice)?,
        14 if dice.roll(8) == 0 => mishap(rig, dice),
        _ => append(rig, table, dice)?,
    }
    Ok(())
}

fn mishap(rig: &Rig, dice: &mut Dice) {
    match dice.roll(6) {
        0 => rig.disk.inject(Fault::Write, dice.roll(6)),
        1 => rig.disk.inject(Fault::Flush, dice.roll(6)),
        2 => rig.disk.inject(Fault::SyncFolder, dice.roll(4)),
        3 => rig.disk.inject(Fault::Read, dice.roll(20)),
        4 => rig.disk.set_capacity(Some(rig.disk.used() + dice.roll(20_000))),
        _ => rig.disk.set_capacity(None),
    }
}

fn clean(rig: &Rig, dice: &mut Dice) -> Result<(), String> {
    let cleaned = rig.log().clean(1 + dice.roll(30_000));
    let damaged = |p: &&String| p.contains("checksum") || p.contains("does not belong");
    cleaned.problems.iter().find(damaged).map_or(Ok(()), |problem| Err(problem.clone()))
}

fn create(rig: &Rig, table: &mut Table, dice: &mut Dice) {
    let name = ["c", "r", "p"][usize::try_from(dice.roll(3)).unwrap_or(0)];
    if table.topics.contains_key(name) {
        return;
    }
    let Ok(creating) = rig.log().create_topic(name, settings(name, 1)) else { return };
    rig.log().step();
    match creating.wait() {
        Ok(_) => drop(table.topics.insert(name.into(), Topic::of(name))),
        Err(TopicError::Append(AppendError::Stopped { .. })) => drop(table.perhaps.insert(name.into())),
        Err(_) => {}
    }
}

fn delete(rig: &Rig, table: &mut Table, dice: &mut Dice) {
    let Some(name) = table.any(dice) else { return };
    let Ok(deleting) = rig.log().delete_topic(&name) else { return };
    rig.log().step();
    match deleting.wait() {
        Ok(_) => drop(table.topics.remove(&name)),
        Err(TopicError::Append(AppendError::Stopped { .. })) => table.topic(&name).goes = true,
        Err(_) => {}
    }
}

fn grow(rig: &Rig, table: &mut Table, dice: &mut Dice) {
    let Some(name) = table.any(dice) else { return };
    let wanted = (table.topic(&name).parts.len() + 1).min(3);
    let Ok(growing) = rig.log().add_partitions(&name, u32::try_from(wanted).unwrap_or(1)) else { return };
    rig.log().step();
    match growing.wait() {
        Ok(_) => table.topic(&name).parts.resize_with(wanted, Part::default),
        Err(TopicError::Append(AppendError::Stopped { .. })) => table.topic(&name).grows = Some(wanted),
        Err(_) => {}
    }
}

fn delete_records(rig: &Rig, table: &mut Table, dice: &mut Dice) {
    let Some((name, number)) = table.any_part(dice) else { return };
    let part = &mut table.topic(&name).parts[number];
    if dice.roll(3) > 0 {
        return;
    }
    let before = part.start + dice.roll(part.next - part.start + 1);
    let shard = Shard::new(name.as_str(), u32::try_from(number).unwrap_or(0));
    let mut deleting = rig.log().delete_records(&shard, before);
    rig.log().step();
    match poll(&mut deleting) {
        Some(Ok(_)) => part.start = part.start.max(before),
        Some(Err(AppendError::DiskFull)) => {}
        _ => drop(part.starts.insert(before)),
    }
}

fn retain(rig: &Rig, table: &mut Table) {
    let removals = rig.log().removals();
    let mut retaining = rig.log().append(crate::retention::set(&removals));
    rig.log().step();
    let outcome = poll(&mut retaining);
    for removal in removals {
        let part = &mut table.topic(&removal.shard.topic).parts[removal.shard.partition as usize];
        match &outcome {
            Some(Ok(_)) => part.start = part.start.max(removal.start),
            Some(Err(AppendError::DiskFull)) => {}
            _ => drop(part.starts.insert(removal.start)),
        }
    }
}

fn append(rig: &Rig, table: &mut Table, dice: &mut Dice) -> Result<(), String> {
    let Some((name, number)) = table.any_part(dice) else { return Ok(()) };
    let lines: Vec<Line> = (0..=dice.roll(3)).map(|_| table.line(dice)).collect();
    let record = |(key, value): &Line| Record {
        key: key.as_ref().map(|k| Bytes::copy_from_slice(k.as_bytes())),
        value: value.as_ref().map(|v| Bytes::copy_from_slice(v.as_bytes())),
        created: rig.clock.now(),
        ..Record::default()
    };
    let shard = Shard::new(name.as_str(), u32::try_from(number).unwrap_or(0));
    let mut appending = rig.log().append(Set::of(shard, lines.iter().map(record).collect()));
    rig.log().step();
    let part = &mut table.topic(&name).parts[number];
    match poll(&mut appending) {
        Some(Ok(appended)) if appended.placed[0].base != part.next => {
            return Err(format!("{name}-{number} goes on at {}, not at {}", appended.placed[0].base, part.next));
        }
        Some(Ok(_)) => lines.into_iter().for_each(|line| part.push(line)),
        Some(Err(AppendError::DiskFull)) => {}
        Some(Err(AppendError::Stopped { .. })) | None => part.perhaps = lines,
        Some(Err(e)) => return Err(format!("appending to {name}-{number}: {e}")),
    }
    Ok(())
}

impl Topic {
    fn of(name: &str) -> Topic {
        Topic { parts: vec![Part::default()], compacted: name == "c", ..Topic::default() }
    }
}

impl Part {
    fn push(&mut self, line: Line) {
        self.lines.insert(self.next, line);
        self.next += 1;
    }
}

impl Table {
    fn topic(&mut self, name: &str) -> &mut Topic {
        self.topics.get_mut(name).expect("the topic is there")
    }

    fn any(&self, dice: &mut Dice) -> Option<String> {
        let count = self.topics.len() as u64;
        let at = usize::try_from(dice.roll(count.max(1))).unwrap_or(0);
        self.topics.keys().nth(at).cloned()
    }

    fn any_part(&self, dice: &mut Dice) -> Option<(String, usize)> {
        let name = self.any(dice)?;
        let parts = self.topics[&name].parts.len() as u64;
        Some((name, usize::try_from(dice.roll(parts)).unwrap_or(0)))
    }

    /// A record that never was.
    fn line(&mut self, dice: &mut Dice) -> Line {
        self.next += 1;
        let key = (dice.roll(8) > 0).then(|| format!("k{}", dice.roll(7)));
        let filling = "x".repeat(usize::try_from(dice.roll(500)).unwrap_or(0));
        let value = (key.is_none() || dice.roll(6) > 0).then(|| format!("{}.{filling}", self.next));
        (key, value)
    }

    fn check(&mut self, log: &Log) -> Result<(), String> {
        self.settle_topics(log)?;
        for (name, topic) in &mut self.topics {
            for (number, part) in (0..).zip(&mut topic.parts) {
                let shard = Shard::new(name.as_str(), number);
                part.check(log, &shard, topic.compacted).map_err(|what| format!("{name}-{number}: {what}"))?;
            }
        }
        Ok(())
    }

    fn settle_topics(&mut self, log: &Log) -> Result<(), String> {
        for name in std::mem::take(&mut self.perhaps) {
            if log.topic(&name).is_some() {
                self.topics.insert(name.clone(), Topic::of(&name));
            }
        }
        self.topics.retain(|name, topic| !(topic.goes && log.topic(name).is_none()));
        for (name, topic) in &mut self.topics {
            let Some(found) = log.topic(name) else { return Err(format!("topic {name} is gone")) };
            let partitions = found.partitions as usize;
            if let Some(grown) = topic.grows.take().filter(|grown| *grown == partitions) {
                topic.parts.resize_with(grown, Part::default);
            }
            if topic.parts.len() != partitions {
                return Err(format!("topic {name} has {partitions} partitions, not {}", topic.parts.len()));
            }
            topic.goes = false;
        }
        let known = |name: &str| name == "evenkeel.control" || self.topics.contains_key(name);
        match log.topics().iter().find(|t| !known(&t.name)) {
            Some(topic) => Err(format!("topic {} came back", topic.name)),
            None => Ok(()),
        }
    }
}

impl Part {
    fn check(&mut self, log: &Log, shard: &Shard, compacted: bool) -> Result<(), String> {
        let ends = log.ends(shard).map_err(|e| e.to_string())?;
        let perhaps = std::mem::take(&mut self.perhaps);
        if !perhaps.is_empty() && ends.high_watermark == self.next + perhaps.len() as u64 {
            perhaps.into_iter().for_each(|line| self.push(line));
        }
        let starts = std::mem::take(&mut self.starts);
        if ends.start != self.start && !starts.contains(&ends.start) {
            return Err(format!("it begins at {}, not at {}", ends.start, self.start));
        }
        self.start = ends.start;
        if ends.high_watermark != self.next {
            return Err(format!("it ends at {}, not at {}", ends.high_watermark, self.next));
        }
        let found = read_all(log, shard, ends.start)?;
        for (offset, line) in &found {
            if self.lines.get(offset) != Some(line) {
                return Err(format!("offset {offset} is {line:?}, not {:?}", self.lines.get(offset)));
            }
        }
        let newest = self.newest();
        for (offset, (key, value)) in self.lines.range(self.start..) {
            let outdated = key.as_ref().is_some_and(|key| newest[key] > *offset);
            let may_go = compacted && (outdated || (key.is_some() && value.is_none()));
            if !found.contains_key(offset) && !may_go {
                return Err(format!("offset {offset} is gone: {key:?} {value:?}"));
            }
        }
        self.nothing_rises(&found, &newest)
    }

    /// The newest offset of each key.
    fn newest(&self) -> BTreeMap<String, u64> {
        self.lines.iter().filter_map(|(offset, (key, _))| Some((key.clone()?, *offset))).collect()
    }

    /// A tombstone goes after all that it deleted.
    fn nothing_rises(&self, found: &BTreeMap<u64, Line>, newest: &BTreeMap<String, u64>) -> Result<(), String> {
        for (key, offset) in newest.iter().filter(|(_, offset)| **offset >= self.start) {
            let older = found.range(..*offset).any(|(_, (of, _))| of.as_ref() == Some(key));
            if older && !found.contains_key(offset) {
                return Err(format!("{key} was deleted at {offset} and rises again"));
            }
        }
        Ok(())
    }
}

fn read_all(log: &Log, shard: &Shard, start: u64) -> Result<BTreeMap<u64, Line>, String> {
    let mut found = BTreeMap::new();
    let mut from = start;
    loop {
        let read = log.read(shard, from, ReadLimit::records(20)).map_err(|e| format!("at {from}: {e}"))?;
        let Some(last) = read.last() else { return Ok(found) };
        from = last.at.offset + 1;
        for stored in read {
            let key = stored.record.key.as_deref().map(|k| String::from_utf8_lossy(k).into_owned());
            let value = stored.record.value.is_some().then(|| text(&stored.record));
            found.insert(stored.at.offset, (key, value));
        }
    }
}

/// After two checkpoints and a restart the folders of topics hold what the log has, and no more.
fn nothing_is_left_over(rig: &mut Rig) -> Result<(), String> {
    for _ in 0..2 {
        rig.log().flush().map_err(|e| e.to_string())?;
        rig.log().flush().map_err(|e| e.to_string())?;
        rig.kill();
        rig.open().map_err(|e| e.to_string())?;
    }
    rig.log().flush().map_err(|e| e.to_string())?;
    rig.log().flush().map_err(|e| e.to_string())?;
    let wanted = rig.log().segment_paths();
    let there = rig.disk.paths().into_iter().filter(|p| p.starts_with("topics/") && p.ends_with(".log"));
    match there.into_iter().find(|path| !wanted.contains(path)) {
        Some(path) => Err(format!("{path} is left over")),
        None => Ok(()),
    }
}

#[test]
fn topics_come_change_and_go_and_nothing_else_does_whenever_the_power_fails() {
    seeds(wanted_seeds(300), |seed| explore(seed, None)).unwrap_or_else(|e| panic!("{e}"));
}
