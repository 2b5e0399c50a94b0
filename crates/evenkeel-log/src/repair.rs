//! Going on behind damage, because an operator said so.
//!
//! A repair keeps everything whole before the damage and gives up the rest: the log ends before a
//! broken group, a lost segment is a gap. What was kept becomes the newest checkpoint, which points
//! at a fresh write-ahead file, and then a second one, so that neither slot knows of the damage.
//!
//! Invariants: until the first of these checkpoints is whole on the medium the folder is as damaged
//! as before, and nothing that can be read of it is touched; from then on it is repaired. A crash
//! anywhere leaves the one or the other, and a repair can always be done again.

mod plan;
mod segments;

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_model::{Clock, Shard};

use crate::calendar::Counted;
use crate::disk::Disk;
use crate::options::Options;
use crate::recovery::{self, Recovered, doing};
use crate::segment::append::Site;
use crate::state::State;
use crate::stats::Stats;
use crate::wal::files::Files;
use crate::wal::{FIRST_GROUP, Position};
use crate::write_back::WriteBack;
use crate::{Damage, DamageKind, Log, Offsets, OpenError};
use plan::Beginning;

/// A repair that is planned and not done. It has the folder until it is dropped.
pub struct Repair {
    disk: Arc<dyn Disk>,
    options: Options,
    lock: Box<dyn Send + Sync>,
    state: State,
    beginning: Beginning,
    outcome: Repaired,
}

/// What a repair gives up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What is damaged; none when there is nothing to repair.
    pub damage: Vec<Damage>,
    /// Records that are lost already.
    pub lost: Vec<Offsets>,
    /// Whole records behind the damage that are cut off.
    pub cut: Vec<Offsets>,
    /// The partitions that are cut, or may be, with their new leader epochs: offsets from their
    /// ends on are given anew.
    pub epochs: Vec<(Shard, u32)>,
}

impl Repair {
    /// Looks at a folder and says what a repair would do ([`Repair::outcome`]). Changes nothing.
    pub fn plan(disk: Arc<dyn Disk>, options: Options) -> Result<Repair, OpenError> {
        let options = options.checked();
        let lock = recovery::take(&*disk)?;
        let (state, beginning, outcome) = plan::plan(&*disk, options.guards(), options.memory())?;
        Ok(Repair { disk, options, lock, state, beginning, outcome })
    }

    /// What is damaged and would be given up.
    pub fn outcome(&self) -> &Repaired {
        &self.outcome
    }

    /// Does it. A folder that is whole is left as it is.
    pub fn run(self, clock: Arc<dyn Clock>) -> Result<Repaired, OpenError> {
        let Repair { disk, options, lock, mut state, beginning, outcome } = self;
        if outcome.damage.is_empty() {
            return Ok(outcome);
        }
        let stats = Arc::new(Stats::default());
        let Beginning { mut live, lsn, generation, unproven } = beginning;
        let site = Site { disk: &*disk, options: &options, stats: &stats };
        if unproven {
            segments::make_durable(site, &state).map_err(doing("flushing", "segments"))?;
        }
        for damage in outcome.damage.iter().filter(|d| d.kind == DamageKind::Segment) {
            segments::rewrite(site, &mut state, &damage.file).map_err(doing("writing anew", &damage.file))?;
        }
        disk.create_folder("wal").map_err(doing("creating", "wal"))?;
        let files = Files::new(disk.clone(), options.clone(), stats.clone(), live.clone());
        let file = files.next(0).map_err(doing("creating", "a fresh write-ahead file"))?;
        live.insert(file.header.number, file.header.size);
        let position = Position { file: file.header.number, at: FIRST_GROUP, lsn, previous: 0 };
        state.wal = position;
        state.generation = generation;
        let times = Counted { extent: state.times, ..Counted::default() };
        let recovered = Recovered {
            state,
            file,
            position,
            live,
            slots: [None, None],
            unflushed: 0,
            write_back: WriteBack::default(),
            times,
            read_only: None,
            damage: Vec::new(),
        };
        let log = Log::of(disk, options, clock, stats, lock, recovered);
        log.checkpoint_twice().map_err(doing("writing", "the repaired checkpoints"))?;
        log.close();
        Ok(outcome)
    }
}

/// The write-ahead files that are there, by number and size.
type Live = BTreeMap<u64, u64>;
