//! What must hold of a folder that does not open: the report is exact, what is served is the
//! truth, and a repair that power cuts interrupt ends with what was served before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use evenkeel_model::{Record, Shard};

use super::explore::Dice;
use super::model::Truth;
use super::report::open_damaged;
use super::{Rig, text};
use crate::{Change, Damage, Offsets, OpenError, ReadError, ReadLimit, Repair, Set, Show, dump, verify};

/// What is served: of each partition, by offset.
type Served = BTreeMap<Shard, BTreeMap<u64, String>>;

/// Holds a damaged folder against the truth, repairs it, and holds it against what was served.
pub(super) fn mend(rig: &mut Rig, truth: &Truth, damage: &[Damage], dice: &mut Dice) -> Result<(), String> {
    let disk = || Arc::new(rig.disk.clone());
    let changes = rig.disk.changes();
    let verified = verify(disk()).map_err(|e| format!("verify: {e}"))?;
    if let Some(missed) = damage.iter().find(|d| !verified.damage.contains(d)) {
        return Err(format!("verify does not find {missed}"));
    }
    let dumped = dump(disk(), Show::default()).map_err(|e| format!("dump: {e}"))?.count();
    if dumped == 0 || rig.disk.changes() != changes {
        return Err("verify or dump changed it, or showed nothing".to_owned());
    }
    open_damaged(rig);
    let served = served(rig)?;
    for (shard, records) in &served {
        let truth = truth.get(shard);
        let told = |offset| truth.and_then(|t| t.get(offset)).map(|(_, value)| value);
        if let Some((offset, value)) = records.iter().find(|(offset, value)| told(offset) != Some(*value)) {
            return Err(format!("{shard:?} {offset} is served as {value}"));
        }
    }
    // The end of a transaction may be among what was lost: then it is open, and hides what is whole.
    let hides = !rig.log().transactions().is_empty();
    if !hides {
        exact(rig, truth, &served, damage)?;
    }
    rig.log = None;
    interrupted(rig, damage, dice)?;
    if hides { Ok(()) } else { goes_on(rig, served) }
}

/// Everything that can be read.
fn served(rig: &Rig) -> Result<Served, String> {
    let mut all = Served::new();
    for (shard, ends) in rig.log().cut() {
        if &*shard.topic == "evenkeel.control" {
            continue;
        }
        let records = all.entry(shard.clone()).or_default();
        let mut from = ends.start;
        while from < ends.high_watermark {
            match rig.log().read(&shard, from, ReadLimit::records(20)) {
                Ok(read) => {
                    // Nothing is there behind a gap at the end.
                    let Some(last) = read.last() else { break };
                    from = last.at.offset + 1;
                    records.extend(read.iter().map(|s| (s.at.offset, text(&s.record))));
                }
                Err(ReadError::Corrupt { .. }) => from += 1,
                Err(e) => return Err(format!("{shard:?} at {from}: {e}")),
            }
        }
    }
    Ok(all)
}

/// Where the report says that it is exact, it names every record that is not served, and none that
/// is.
fn exact(rig: &Rig, truth: &Truth, served: &Served, damage: &[Damage]) -> Result<(), String> {
    let within = |offsets: &[Offsets], shard: &Shard, offset: u64| {
        offsets.iter().any(|o| o.shard == *shard && o.from <= offset && o.to.is_none_or(|to| offset < to))
    };
    for (shard, records) in truth {
        let ends = rig.log().ends(shard).unwrap_or_default();
        // What is behind an open transaction is there, and not served before that is decided.
        let undecided = |offset: u64| ends.last_stable < ends.high_watermark && offset >= ends.last_stable;
        for offset in records.keys().filter(|offset| **offset >= ends.start) {
            let there = served.get(shard).is_some_and(|s| s.contains_key(offset));
            let lost = damage.iter().any(|d| within(&d.lost, shard, *offset));
            let cut = damage.iter().any(|d| within(&d.cut, shard, *offset));
            if there && (lost || cut) {
                return Err(format!("{shard:?} {offset} is served and said to be lost"));
            }
            if !there && !lost && !cut && !undecided(*offset) && damage.iter().all(|d| d.exact) {
                return Err(format!("{shard:?} {offset} is not served and not in the report: {damage:?}"));
            }
        }
    }
    Ok(())
}

/// Repairs, however often the power fails meanwhile.
fn interrupted(rig: &mut Rig, damage: &[Damage], dice: &mut Dice) -> Result<(), String> {
    for attempt in 0.. {
        if attempt < 4 {
            rig.disk.fail_in(dice.roll(60));
        }
        let plan = Repair::plan(Arc::new(rig.disk.clone()), rig.options.clone());
        let done = plan.and_then(|plan| plan.run(rig.clock.clone()));
        if rig.disk.is_off() {
            rig.disk.cut_power();
            match rig.open() {
                Ok(()) => return Ok(()),
                Err(OpenError::Corrupt { damage: now }) if now == damage => continue,
                Err(e) => return Err(format!("after a power cut in repair: {e}; before it: {damage:?}")),
            }
        }
        match done {
            Ok(_) => break,
            Err(e) => return Err(format!("repair: {e}")),
        }
    }
    rig.disk.cut_power();
    rig.open().map_err(|e| format!("it does not open after the repair: {e}"))
}

/// The repaired log holds what was served, takes more, and keeps it.
fn goes_on(rig: &mut Rig, mut expected: Served) -> Result<(), String> {
    for round in 0..2 {
        let now = served(rig)?;
        if now != expected {
            return Err(format!("what the repaired log has beside what was served: {}", differing(&now, &expected)));
        }
        if round == 0 {
            expected = decided(rig, expected)?;
        }
        for (shard, records) in &mut expected {
            let record: Record = rig.record("more");
            let appending = rig.log().append(Set::of(shard.clone(), vec![record]));
            rig.log().step();
            let appended = appending.wait().map_err(|e| format!("after the repair: {e}"))?;
            records.insert(appended.placed[0].base, "more".to_owned());
        }
        if round == 0 {
            rig.log().flush().map_err(|e| e.to_string())?;
        }
        rig.kill();
        rig.open().map_err(|e| format!("it does not open again: {e}"))?;
    }
    let all = verify_closed(rig)?;
    if all.is_empty() { Ok(()) } else { Err(format!("verify finds {all:?} after the repair")) }
}

/// The offsets that have another value, or are in one only: how many, and the first.
fn differing(now: &Served, before: &Served) -> String {
    let none = BTreeMap::new();
    let mut told = Vec::new();
    for (shard, before) in before {
        let now = now.get(shard).unwrap_or(&none);
        let offsets: BTreeSet<u64> = now.keys().chain(before.keys()).copied().collect();
        let differ: Vec<u64> = offsets.into_iter().filter(|offset| now.get(offset) != before.get(offset)).collect();
        if let Some(first) = differ.first() {
            let (is, was) = (now.get(first), before.get(first));
            told.push(format!("{shard:?}: {} offsets, the first {first} was {was:?}, is {is:?}", differ.len()));
        }
    }
    told.join("; ")
}

/// Ends the transactions that are open: what waits behind them is served then, beside what was.
fn decided(rig: &Rig, before: Served) -> Result<Served, String> {
    for open in rig.log().transactions() {
        let ending = rig.log().append(Set::change(Change::End { producer: open.producer, commit: false }));
        rig.log().step();
        ending.wait().map_err(|e| format!("ending a transaction after the repair: {e}"))?;
    }
    let now = served(rig)?;
    for (shard, records) in &before {
        let there = |offset: &u64| now.get(shard).and_then(|all| all.get(offset));
        if let Some((offset, value)) = records.iter().find(|(offset, value)| there(offset) != Some(*value)) {
            return Err(format!("{shard:?} {offset} was {value} before transactions were ended"));
        }
    }
    Ok(now)
}

fn verify_closed(rig: &mut Rig) -> Result<Vec<Damage>, String> {
    rig.kill();
    verify(Arc::new(rig.disk.clone())).map(|v| v.damage).map_err(|e| e.to_string())
}
