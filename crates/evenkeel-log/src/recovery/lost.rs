//! Which records a break in the chain concerns, as far as anything on the disk tells.
//!
//! Three things tell: the state before the break, the whole groups behind it, and what the broken
//! group's own bytes still say. The last is a hint, taken only where it fits the first two.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use evenkeel_model::Shard;

use super::chain::Reader;
use super::scan::{entries, open_file};
use super::{behind, or_damage};
use crate::batch;
use crate::control::{self, Fact};
use crate::damage::joined;
use crate::disk::Disk;
use crate::safeguard::Guards;
use crate::state::{CONTROL, Place, State};
use crate::wal::files::WalFile;
use crate::wal::header::{GROUP_BYTES, GroupHeader};
use crate::wal::{Position, path};
use crate::{Damage, Offsets, OpenError};

/// A whole group behind the break.
pub(super) struct Later {
    pub(super) file: u64,
    pub(super) at: u64,
    pub(super) header: GroupHeader,
}

impl Later {
    /// All whole groups of a file from `from` on.
    pub(super) fn all(file: &WalFile, guards: Guards, from: u64) -> Result<Vec<Later>, OpenError> {
        let number = file.header.number;
        let found = behind::groups(file, guards, from)?;
        Ok(found.into_iter().map(|(at, header)| Later { file: number, at, header }).collect())
    }

    pub(super) fn place(&self) -> String {
        format!("{} byte {}", path(self.file), self.at)
    }
}

/// Fills in what `damage`, a break of the chain at `end`, concerns.
pub(super) fn trace(
    disk: &dyn Disk,
    guards: Guards,
    state: &State,
    file: Option<&WalFile>,
    end: Position,
    later: &[Later],
    damage: &mut Damage,
) -> Result<(), OpenError> {
    let mut trace = Trace::new(state);
    let own = match file {
        Some(file) => or_damage(Reader::new(file.clone(), guards).claimed(end.at))?.unwrap_or(None),
        None => None,
    };
    let own = own.filter(|(h, _, _)| h.lsn == end.lsn && h.previous == end.previous);
    let own = own.map(|(header, _, group)| (header, group.slice(GROUP_BYTES..)));
    if let Some((header, payload)) = &own {
        trace.learn(header, payload);
    }
    let mut open: Option<(u64, Reader)> = None;
    for group in later {
        let reader = match &mut open {
            Some((number, reader)) if *number == group.file => reader,
            _ => &mut open.insert((group.file, Reader::new(open_file(disk, guards, group.file)?, guards))).1,
        };
        if let Ok(Some((header, bytes))) = or_damage(reader.group(group.at))? {
            trace.whole(&header, &bytes.slice(GROUP_BYTES..));
        }
    }
    let alone = later.first().is_some_and(|l| l.header.lsn == end.lsn + 1);
    let told = own.is_some_and(|(header, payload)| trace.broken(&header, &payload));
    damage.exact = alone && told && !trace.nameless;
    damage.lost = joined(trace.lost);
    damage.cut = joined(trace.cut);
    Ok(())
}

struct Trace<'a> {
    state: &'a State,
    /// Topics that were created behind the break.
    names: HashMap<u32, String>,
    /// The next offset of each partition that a later group has.
    next: BTreeMap<Place, u64>,
    lost: Vec<Offsets>,
    cut: Vec<Offsets>,
    /// A topic is concerned whose name nothing tells.
    nameless: bool,
}

impl<'a> Trace<'a> {
    fn new(state: &'a State) -> Trace<'a> {
        let (lost, cut) = (Vec::new(), Vec::new());
        Trace { state, names: HashMap::new(), next: BTreeMap::new(), lost, cut, nameless: false }
    }

    /// Takes the names of the topics that a group creates, from batches that are whole.
    fn learn(&mut self, header: &GroupHeader, payload: &Bytes) {
        let whole = entries(header, payload).map_while(Result::ok);
        for (_, _, bytes) in whole.filter(|(place, _, bytes)| *place == CONTROL && batch::verify(bytes).is_ok()) {
            self.names.extend(control::decode(&bytes).unwrap_or_default().iter().filter_map(named));
        }
    }

    /// A whole group behind the break: what it skips is lost, what it holds would be cut off.
    fn whole(&mut self, header: &GroupHeader, payload: &Bytes) {
        self.learn(header, payload);
        for (place, head, _) in entries(header, payload).map_while(Result::ok) {
            let next = self.next(place);
            if head.base > next {
                let lost = self.offsets(place, next, head.base);
                self.lost.push(lost);
            }
            let cut = self.offsets(place, head.base, head.end());
            self.cut.push(cut);
            self.next.insert(place, next.max(head.end()));
        }
    }

    /// What the broken group says of itself, where that fits the rest. True when all of it does.
    fn broken(&mut self, header: &GroupHeader, payload: &Bytes) -> bool {
        let mut own: BTreeMap<Place, u64> = BTreeMap::new();
        let (mut left, mut told) = (payload.len(), true);
        for entry in entries(header, payload) {
            let Ok((place, head, bytes)) = entry else { return false };
            left -= crate::wal::header::ENTRY_BYTES + bytes.len();
            let known = self.state.machine.at(place).map(|p| p.ends().high_watermark);
            let next = *own.entry(place).or_insert(known.unwrap_or(0));
            if head.base != next || known.is_none() {
                told = false;
                continue;
            }
            own.insert(place, head.end());
            let lost = self.offsets(place, head.base, head.end());
            self.lost.push(lost);
        }
        told && left == 0
    }

    fn next(&self, place: Place) -> u64 {
        self.next.get(&place).copied().unwrap_or_else(|| self.state.ends(place).high_watermark)
    }

    fn offsets(&mut self, place: Place, from: u64, to: u64) -> Offsets {
        let known = self.state.machine.topics.get(place.topic).map(|entry| entry.topic.name.to_string());
        let name = known.or_else(|| self.names.get(&place.topic).cloned());
        self.nameless |= name.is_none();
        let name = name.unwrap_or_else(|| format!("topic number {}", place.topic));
        Offsets { shard: Shard::new(name.as_str(), place.partition), from, to: Some(to) }
    }
}

/// The topic that a control record creates.
fn named(fact: &Fact) -> Option<(u32, String)> {
    match fact {
        Fact::Created { number, topic } => Some((*number, topic.name.to_string())),
        _ => None,
    }
}
