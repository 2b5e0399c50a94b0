//! The checker: what was acknowledged is there, whole, once and at its offsets; what was not is
//! there whole or not at all; nothing else is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use evenkeel_log::{Log, OpenError, ReadLimit, RealDisk};
use evenkeel_model::{Shard, SystemClock};

use super::load::{Name, options, parts};

/// What is known of a folder.
#[derive(Default)]
pub struct Checker {
    /// Every set that was acknowledged, with the base of each part.
    acked: BTreeMap<Name, Vec<u64>>,
    /// What was read from each partition the last time.
    known: BTreeMap<Shard, Vec<String>>,
}

impl Checker {
    /// Notes what a child said before it was killed.
    pub fn acked(&mut self, said: impl IntoIterator<Item = (Name, Vec<u64>)>) {
        self.acked.extend(said);
    }

    /// How many sets were acknowledged.
    pub fn count(&self) -> usize {
        self.acked.len()
    }

    /// Opens the folder and reads all of it.
    pub fn check(&mut self, folder: &Path) -> Result<(), String> {
        let log = match Log::open(Arc::new(RealDisk::new(folder)), options(), Arc::new(SystemClock::new())) {
            Ok(log) => log,
            Err(e @ OpenError::Locked { .. }) => return Err(format!("the killed process still has it: {e}")),
            Err(e) => return Err(format!("it does not open: {e}")),
        };
        let mut now = BTreeMap::new();
        for (shard, ends) in log.cut().into_iter().filter(|(shard, _)| &*shard.topic != "evenkeel.control") {
            if ends.start != 0 {
                return Err(format!("{shard:?} begins at {}", ends.start));
            }
            now.insert(shard.clone(), read(&log, &shard, ends.high_watermark)?);
        }
        for (shard, before) in &self.known {
            if now.get(shard).is_none_or(|now| !now.starts_with(before)) {
                return Err(format!("{shard:?} is not what it was at the last start"));
            }
        }
        self.compare(&now)?;
        self.known = now;
        log.close();
        Ok(())
    }

    fn compare(&self, now: &BTreeMap<Shard, Vec<String>>) -> Result<(), String> {
        let mut places: BTreeMap<&str, Vec<(&Shard, u64)>> = BTreeMap::new();
        let mut names = BTreeSet::new();
        for (shard, values) in now {
            for (offset, value) in (0_u64..).zip(values) {
                names.insert(name(value).ok_or_else(|| format!("{shard:?} {offset} holds {value}"))?);
                places.entry(value).or_default().push((shard, offset));
            }
        }
        if let Some(lost) = self.acked.keys().find(|name| !names.contains(name)) {
            return Err(format!("{lost:?} was acknowledged and is gone"));
        }
        for name in &names {
            self.is_whole(*name, &places)?;
            let before = name.number.checked_sub(1).map(|number| Name { number, ..*name });
            if let Some(before) = before.filter(|before| !names.contains(before)) {
                return Err(format!("{name:?} is there, and {before:?}, which came before it, is not"));
            }
        }
        let records: usize = now.values().map(Vec::len).sum();
        let expected: usize = names.iter().flat_map(|name| parts(*name)).map(|(_, values)| values.len()).sum();
        if records != expected { Err(format!("{records} records, not {expected}")) } else { Ok(()) }
    }

    /// Every record of the set stands where it should, one behind the other.
    fn is_whole(&self, name: Name, places: &BTreeMap<&str, Vec<(&Shard, u64)>>) -> Result<(), String> {
        let acked = self.acked.get(&name);
        for (index, (shard, values)) in parts(name).into_iter().enumerate() {
            let mut next = acked.map(|bases| bases[index]);
            for value in values {
                let found = places.get(value.as_str()).map_or(&[][..], Vec::as_slice);
                match found {
                    [(at, offset)] if **at == shard && next.is_none_or(|next| next == *offset) => {
                        next = Some(offset + 1);
                    }
                    found => return Err(format!("part {index} of {name:?} is at {found:?}, not {shard:?} {next:?}")),
                }
            }
        }
        Ok(())
    }
}

fn name(value: &str) -> Option<Name> {
    let mut words = value.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    Some(Name { run: number()?, writer: number()?, number: number()? })
}

fn read(log: &Log, shard: &Shard, end: u64) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    while (values.len() as u64) < end {
        let from = values.len() as u64;
        let read = log.read(shard, from, ReadLimit::default()).map_err(|e| format!("{shard:?} at {from}: {e}"))?;
        if read.is_empty() || read.iter().zip(from..).any(|(stored, offset)| stored.at.offset != offset) {
            return Err(format!("{shard:?} is not dense behind {from}"));
        }
        values.extend(
            read.iter().map(|s| String::from_utf8_lossy(s.record.value.as_deref().unwrap_or_default()).into_owned()),
        );
    }
    Ok(values)
}
