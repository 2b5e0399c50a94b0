//! Seeded histories: appends, several groups in the air, topics, flushes, seals, kills and power cuts, in recovery too, each
//! held against the reference model after every restart.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use evenkeel_model::Shard;

use super::model::Model;
use super::{Rig, poll, sessions};
use crate::sim::Fault;
use crate::ticket::held;
use crate::write_back::Demand;
use crate::{Append, AppendError, Appending, Data, Log, Retention, Safeguard, Set, TopicSettings};

/// Numbers for a history.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One history; what went wrong, if anything did.
pub(super) fn explore(seed: u64, without: Option<Safeguard>) -> Result<(), String> {
    history(seed, without).map(drop)
}

fn history(seed: u64, without: Option<Safeguard>) -> Result<Rig, String> {
    let mut rig = Rig::new(seed, without);
    let mut model = Model::default();
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9).wrapping_add(7));
    for _ in 0..4 {
        if dice.roll(2) == 0 {
            rig.disk.fail_in(dice.roll(30));
        }
        start(&mut rig, &mut dice, |log| model.check(log))?;
        rig.disk.fail_in(dice.roll(120));
        let mut acts = 0;
        while !rig.disk.is_off() && acts < 150 {
            act(&rig, &mut model, &mut dice)?;
            acts += 1;
        }
        crash(&mut rig, &mut dice);
    }
    start(&mut rig, &mut dice, |log| model.check(log))?;
    Ok(rig)
}

/// Opens, however often the power fails meanwhile, and then checks.
pub(super) fn start(
    rig: &mut Rig,
    dice: &mut Dice,
    mut check: impl FnMut(&Log) -> Result<(), String>,
) -> Result<(), String> {
    loop {
        match rig.open() {
            Ok(()) => {}
            Err(_) if rig.disk.is_off() => {
                crash(rig, dice);
                continue;
            }
            Err(e) => return Err(format!("it does not open: {e}")),
        }
        let checked = check(rig.log());
        if !rig.disk.is_off() {
            return checked;
        }
        crash(rig, dice);
    }
}

/// The process dies, or the power fails; the disk has room again.
pub(super) fn crash(rig: &mut Rig, dice: &mut Dice) {
    if let Some(log) = rig.log.take() {
        log.crash();
    }
    rig.disk.set_capacity(None);
    if dice.roll(3) == 0 { rig.disk.kill() } else { rig.disk.cut_power() }
}

fn act(rig: &Rig, model: &mut Model, dice: &mut Dice) -> Result<(), String> {
    if dice.roll(72) == 0 {
        mishap(rig, dice);
    }
    calm_act(rig, model, dice)
}

/// What callers and the log's threads do, on whatever disk.
pub(super) fn calm_act(rig: &Rig, model: &mut Model, dice: &mut Dice) -> Result<(), String> {
    rig.clock.advance(Duration::from_micros(dice.roll(3000)));
    match dice.roll(16) {
        0 => create(rig, model, dice),
        1 => drop(rig.log().flush()),
        2 => {
            drop(rig.log().flush());
            drop(rig.log().flush());
        }
        3 => rig.log().seal(),
        4 => drop(rig.log().prepare()),
        6 if dice.roll(3) == 0 => drop(rig.retain()),
        12 if dice.roll(2) == 0 => drop(rig.log().write_back(Demand::Usual)),
        12 => drop(rig.log().write_back(Demand::Before(u64::MAX))),
        13..=15 => sessions::act(rig.log(), model, dice)?,
        _ => append(rig, model, dice)?,
    }
    Ok(())
}

/// The disk fills up, has room again, or fails once, some time from now.
fn mishap(rig: &Rig, dice: &mut Dice) {
    let fault = match dice.roll(9) {
        0 => Fault::Write,
        1 => Fault::Flush,
        2 => Fault::DurableWrite,
        3 => Fault::SyncFolder,
        4 => Fault::Read,
        5 => Fault::ShortWrite,
        6 => Fault::ShortRead,
        7 => return rig.disk.set_capacity(Some(rig.disk.used() + dice.roll(40_000))),
        _ => return rig.disk.set_capacity(None),
    };
    rig.disk.inject(fault, dice.roll(10));
}

fn create(rig: &Rig, model: &mut Model, dice: &mut Dice) {
    let name = format!("topic{}", dice.roll(4));
    let partitions = 1 + u32::try_from(name.len() % 3).unwrap_or(0);
    let bytes = if name.ends_with('0') { Some(8 << 10) } else { None };
    let settings = TopicSettings {
        retention: Retention { bytes, ..Retention::default() },
        ..TopicSettings::partitions(partitions)
    };
    let Ok(creating) = rig.log().create_topic(&name, settings) else { return };
    rig.log().step();
    if creating.wait().is_ok() {
        model.created(&name, partitions);
    }
}

fn append(rig: &Rig, model: &mut Model, dice: &mut Dice) -> Result<(), String> {
    let topics = model.topics();
    if topics.is_empty() {
        create(rig, model, dice);
        return Ok(());
    }
    let mut pending: Vec<(u64, Appending)> = Vec::new();
    let mut air = Vec::new();
    let several = dice.roll(3) == 0;
    for _ in 0..=dice.roll(4) {
        let set = Set::appends((0..=dice.roll(3)).map(|_| part(rig, &topics, dice)).collect());
        let set = distinct(set, model);
        let id = model.submit(&set);
        pending.push((id, rig.log().append(set)));
        if several {
            rig.log().pen().handover().set_depth(4);
            air.extend(rig.log().pen().begin_by_hand());
        }
    }
    // Groups that are in the air together are written in any order.
    while !air.is_empty() {
        let next = usize::try_from(dice.roll(air.len() as u64)).unwrap_or(0);
        rig.log().pen().finish_by_hand(air.swap_remove(next));
    }
    rig.log().step();
    for (id, mut appending) in pending {
        match poll(&mut appending) {
            Some(Ok(appended)) => model.acked(id, &appended),
            Some(Err(AppendError::Stopped { .. })) | None => model.unknown(id),
            Some(Err(AppendError::TooLarge { .. } | AppendError::DiskFull)) => {}
            Some(Err(e)) => return Err(format!("set {id}: {e}")),
        }
    }
    Ok(())
}

fn part(rig: &Rig, topics: &[(String, u32)], dice: &mut Dice) -> Append {
    let (name, partitions) = &topics[usize::try_from(dice.roll(topics.len() as u64)).unwrap_or(0)];
    let partition = u32::try_from(dice.roll(u64::from(*partitions))).unwrap_or(0);
    let filling = "x".repeat(usize::try_from(dice.roll(900)).unwrap_or(0));
    let records = (0..=dice.roll(3)).map(|_| rig.record(&filling)).collect();
    Append::records(Shard::new(name.as_str(), partition), records)
}

/// Gives every record a value that occurs once.
fn distinct(mut set: Set, model: &Model) -> Set {
    for (part, append) in set.appends.iter_mut().enumerate() {
        let Data::Records(records) = &mut append.data else { continue };
        for (index, record) in records.iter_mut().enumerate() {
            let filling = super::text(record);
            record.value = Some(format!("{}.{part}.{index}.{filling}", model.submitted()).into());
        }
    }
    set
}

/// Runs that many seeds on all cores, and gives back what the lowest of those that fail said.
pub(super) fn seeds(count: u64, run: impl Fn(u64) -> Result<(), String> + Sync) -> Result<(), String> {
    let next = AtomicU64::new(0);
    let failed: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let over = seed >= count || held(&failed).is_some();
            if over {
                return;
            }
            if let Err(what) = run(seed) {
                let mut failed = held(&failed);
                if failed.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                    *failed = Some((seed, what));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        (0..std::thread::available_parallelism().map_or(1, usize::from)).for_each(|_| drop(scope.spawn(work)));
    });
    held(&failed).take().map_or(Ok(()), |(seed, what)| Err(format!("seed {seed}: {what}")))
}

/// How many seeds a test runs: what `EVENKEEL_SEEDS` says, or so many.
pub(super) fn wanted_seeds(usually: u64) -> u64 {
    std::env::var("EVENKEEL_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usually)
}

#[test]
fn acknowledged_groups_survive_power_cuts_whole_and_in_order() {
    seeds(wanted_seeds(500), |seed| explore(seed, None)).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let bytes = |seed| {
        let rig = history(seed, None).expect("a history that goes well");
        rig.disk.paths().into_iter().map(|path| (rig.disk.bytes(&path), path)).collect::<Vec<_>>()
    };
    assert!((0..8).all(|seed| bytes(seed) == bytes(seed)));
    assert!(bytes(1) != bytes(2));
}

#[test]
fn without_the_synchronous_write_acknowledged_records_are_lost() {
    let lost = (0..40).find_map(|seed| explore(seed, Some(Safeguard::GroupWrite)).err());
    assert!(lost.is_some(), "forty histories with power cuts went well without the write being synchronous");
}
