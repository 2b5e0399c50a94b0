//! Seeded histories of producers that behave as Kafka's clients do: they repeat what was not
//! answered, write transactions over several partitions, and end them; a coordinator fences some. The
//! power fails, the process dies. After each restart every client repeats what it does not know the
//! outcome of; then each record that counts must be there once, at the offset that was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel_model::Shard;

use super::explore::{Dice, seeds, wanted_seeds};
use super::{Rig, sent, text};
use crate::{Append, AppendError, Appended, Change, Producer, ReadLimit, Set};

const PARTITIONS: u32 = 3;

/// One client and what it knows.
struct Client {
    producer: Producer,
    /// The next sequence of each partition.
    next: [i32; PARTITIONS as usize],
    /// Sent, and not answered.
    unanswered: Option<Vec<Batch>>,
    /// What its open transaction wrote.
    written: Option<Vec<(u32, u64, String)>>,
    /// The end that it asked for, and was not told of.
    ending: Option<End>,
}

#[derive(Clone)]
struct Batch {
    partition: u32,
    sequence: i32,
    values: Vec<String>,
    transactional: bool,
}

#[derive(Clone, Copy)]
struct End {
    producer: Producer,
    commit: bool,
}

/// What must be read: of each partition, by offset.
#[derive(Default)]
struct World {
    clients: Vec<Client>,
    committed: [BTreeMap<u64, String>; PARTITIONS as usize],
    starts: [u64; PARTITIONS as usize],
    values: u64,
    /// Partitions whose start may have moved.
    asked: BTreeSet<(u32, u64)>,
}

impl Client {
    fn send(&self, rig: &Rig, batches: &[Batch]) -> Result<Appended, AppendError> {
        let append = |b: &Batch| {
            let values: Vec<&str> = b.values.iter().map(String::as_str).collect();
            Append::batch(Shard::new("t", b.partition), sent(self.producer, b.sequence, b.transactional, &values))
        };
        rig.put(Set::appends(batches.iter().map(append).collect()))
    }

    /// Makes a set of batches for one to three partitions.
    fn compose(&mut self, values: &mut u64, dice: &mut Dice) -> Vec<Batch> {
        let transactional = self.written.is_some();
        let (first, partitions) = (dice.roll(u64::from(PARTITIONS)), 1 + dice.roll(3));
        let batch = |n: u64| {
            let partition = u32::try_from((first + n) % u64::from(PARTITIONS)).unwrap_or(0);
            let sequence = self.next[partition as usize];
            let count = 1 + dice.roll(3);
            *values += 1;
            let values = (0..count).map(|n| format!("{values}.{n} {}", "x".repeat(300))).collect();
            self.next[partition as usize] += i32::try_from(count).unwrap_or(0);
            Batch { partition, sequence, values, transactional }
        };
        (0..partitions).map(batch).collect()
    }
}

impl World {
    /// Sends what client `who` has to send, and takes the answer in.
    fn push(&mut self, rig: &Rig, who: usize) -> Result<(), String> {
        let Some(batches) = self.clients[who].unanswered.clone() else { return Ok(()) };
        match self.clients[who].send(rig, &batches) {
            Ok(appended) => self.landed(who, &batches, &appended),
            Err(AppendError::Stopped { .. } | AppendError::DiskFull) => Ok(()),
            Err(e) => Err(format!("client {who}: {e}")),
        }
    }

    fn landed(&mut self, who: usize, batches: &[Batch], appended: &Appended) -> Result<(), String> {
        self.clients[who].unanswered = None;
        for (batch, placed) in batches.iter().zip(&appended.placed) {
            if placed.count as usize != batch.values.len() {
                return Err(format!("{} records are said to be {}", batch.values.len(), placed.count));
            }
            for (offset, value) in (placed.base..).zip(&batch.values) {
                match &mut self.clients[who].written {
                    Some(written) => written.push((batch.partition, offset, value.clone())),
                    None => self.commit(batch.partition, offset, value.clone())?,
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, partition: u32, offset: u64, value: String) -> Result<(), String> {
        match self.committed[partition as usize].insert(offset, value) {
            Some(other) => Err(format!("offset {offset} of partition {partition} was told twice: {other}")),
            None => Ok(()),
        }
    }

    /// Asks for the end of client `who`'s transaction, if it wants that, and takes the answer in.
    fn end(&mut self, rig: &Rig, who: usize) -> Result<(), String> {
        let Some(End { producer, commit }) = self.clients[who].ending else { return Ok(()) };
        match rig.put(Set::change(Change::End { producer, commit })) {
            // It was over already: the end that nobody was told of is there.
            Ok(_) | Err(AppendError::NoTransaction { .. }) => {}
            Err(AppendError::Stopped { .. } | AppendError::DiskFull) => return Ok(()),
            Err(e) => return Err(format!("client {who} ends: {e}")),
        }
        let client = &mut self.clients[who];
        client.ending = None;
        let written = client.written.take().unwrap_or_default();
        if client.producer.epoch != producer.epoch {
            client.producer = producer;
            client.next = [0; PARTITIONS as usize];
        }
        if commit {
            written.into_iter().try_for_each(|(partition, offset, value)| self.commit(partition, offset, value))?;
        }
        Ok(())
    }

    fn act(&mut self, rig: &Rig, dice: &mut Dice) -> Result<(), String> {
        rig.clock.advance(Duration::from_micros(dice.roll(3000)));
        let who = usize::try_from(dice.roll(self.clients.len() as u64)).unwrap_or(0);
        match dice.roll(12) {
            0 => drop(rig.log().flush()),
            1 => rig.log().seal(),
            2 => drop(rig.log().prepare()),
            3 => drop(rig.log().write_back(crate::write_back::Demand::Before(u64::MAX))),
            4 => self.start(rig, dice),
            5 | 6 => self.begin_or_end(rig, who, dice)?,
            _ => {
                self.end(rig, who)?;
                self.write(rig, who, dice)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, rig: &Rig, who: usize, dice: &mut Dice) -> Result<(), String> {
        let (client, values) = (&mut self.clients[who], &mut self.values);
        if client.ending.is_none() && client.unanswered.is_none() {
            client.unanswered = Some(client.compose(values, dice));
        }
        self.push(rig, who)
    }

    fn begin_or_end(&mut self, rig: &Rig, who: usize, dice: &mut Dice) -> Result<(), String> {
        let client = &mut self.clients[who];
        if client.unanswered.is_some() || client.ending.is_some() {
            return Ok(());
        }
        match &client.written {
            None => client.written = Some(Vec::new()),
            Some(written) if written.is_empty() => client.written = None,
            Some(_) => {
                // A coordinator that gave up on the client aborts in its name, with a newer epoch.
                let fences = dice.roll(4) == 0;
                let producer = Producer { epoch: client.producer.epoch + i16::from(fences), ..client.producer };
                client.ending = Some(End { producer, commit: !fences && dice.roll(3) > 0 });
            }
        }
        self.end(rig, who)
    }

    fn start(&mut self, rig: &Rig, dice: &mut Dice) {
        let partition = u32::try_from(dice.roll(u64::from(PARTITIONS))).unwrap_or(0);
        let shard = Shard::new("t", partition);
        let Ok(ends) = rig.log().ends(&shard) else { return };
        let offset = ends.start + dice.roll(ends.last_stable - ends.start + 1) / 2;
        self.asked.insert((partition, offset));
        drop(rig.put(Set::change(Change::Start { shard, offset })));
    }

    /// Repeats what has no answer; then everything must be as it was told.
    fn check(&mut self, rig: &Rig) -> Result<(), String> {
        for who in 0..self.clients.len() {
            self.push(rig, who)?;
            self.end(rig, who)?;
            let client = &self.clients[who];
            if client.unanswered.is_some() || client.ending.is_some() {
                return Err(format!("client {who} got no answer: {:?}", rig.log().status().stopped));
            }
        }
        self.check_transactions(rig)?;
        (0..PARTITIONS).try_for_each(|partition| self.check_partition(rig, partition))
    }

    fn check_transactions(&self, rig: &Rig) -> Result<(), String> {
        let is_open = |client: &&Client| client.written.as_ref().is_some_and(|written| !written.is_empty());
        let expected: BTreeSet<_> = self.clients.iter().filter(is_open).map(|client| client.producer).collect();
        let open: BTreeSet<_> = rig.log().transactions().iter().map(|open| open.producer).collect();
        if open == expected { Ok(()) } else { Err(format!("open are {open:?}, and should be {expected:?}")) }
    }

    fn check_partition(&mut self, rig: &Rig, partition: u32) -> Result<(), String> {
        let shard = Shard::new("t", partition);
        let ends = rig.log().ends(&shard).map_err(|e| e.to_string())?;
        let start = &mut self.starts[partition as usize];
        if ends.start != *start && !self.asked.contains(&(partition, ends.start)) || ends.start < *start {
            return Err(format!("partition {partition} begins at {}, and began at {start}", ends.start));
        }
        *start = ends.start;
        let mut read = BTreeMap::new();
        let mut from = ends.start;
        loop {
            let records = rig.log().read(&shard, from, ReadLimit::records(40)).map_err(|e| e.to_string())?;
            let Some(last) = records.last() else { break };
            from = last.at.offset + 1;
            read.extend(records.iter().map(|s| (s.at.offset, text(&s.record))));
        }
        // Behind the last stable offset nobody may look yet.
        let expected = self.committed[partition as usize].range(ends.start..ends.last_stable);
        if read.iter().eq(expected.clone()) {
            return Ok(());
        }
        let expected: BTreeMap<_, _> = expected.map(|(o, v)| (*o, v.clone())).collect();
        let (more, less) =
            (read.keys().find(|o| !expected.contains_key(o)), expected.keys().find(|o| !read.contains_key(o)));
        Err(format!("partition {partition}: offset {more:?} should not be there, {less:?} should"))
    }
}

/// One history; what went wrong, if anything did.
fn explore(seed: u64) -> Result<(), String> {
    let mut rig = Rig::new(seed, None);
    rig.open().map_err(|e| e.to_string())?;
    rig.create("t", PARTITIONS);
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9).wrapping_add(11));
    let mut world = World::default();
    for _ in 0..3 {
        let producer = rig.producer();
        world.clients.push(Client { producer, next: [0; 3], unanswered: None, written: None, ending: None });
    }
    for _ in 0..5 {
        // Now and then nothing fails, and what is replayed must be what was seen.
        rig.disk.fail_in(if dice.roll(3) == 0 { u64::MAX } else { 20 + dice.roll(160) });
        let mut acts = 0;
        while !rig.disk.is_off() && acts < 120 {
            world.act(&rig, &mut dice)?;
            acts += 1;
        }
        restart(&mut rig, &mut dice)?;
        world.check(&rig)?;
    }
    Ok(())
}

/// Dies, and opens again, however often the power fails meanwhile.
fn restart(rig: &mut Rig, dice: &mut Dice) -> Result<(), String> {
    let before =
        (!rig.disk.is_off() && rig.log().status().stopped.is_none()).then(|| rig.log().state().machine.clone());
    let mut killed = true;
    loop {
        if let Some(log) = rig.log.take() {
            log.crash();
        }
        killed &= before.is_some() && dice.roll(2) == 0;
        if killed {
            rig.disk.kill()
        } else {
            rig.disk.cut_power()
        }
        if dice.roll(3) == 0 {
            rig.disk.fail_in(dice.roll(20));
        }
        let opened = rig.open();
        if rig.disk.is_off() {
            continue;
        }
        rig.disk.fail_in(u64::MAX);
        opened.map_err(|e| format!("it does not open: {e}"))?;
        let same = before.is_none_or(|before| before == rig.log().state().machine);
        return if same { Ok(()) } else { Err("a replay gives another machine than was seen".to_owned()) };
    }
}

#[test]
fn what_counts_is_there_once_whatever_is_repeated_and_whenever_the_power_fails() {
    seeds(wanted_seeds(100), explore).unwrap_or_else(|e| panic!("{e}"));
}
