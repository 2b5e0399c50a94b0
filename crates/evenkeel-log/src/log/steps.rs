//! The steps of the log's threads, by hand, for tests.

use super::Log;
use crate::pen::Pen;
use crate::ticket::held;

impl Log {
    /// The writer's steps, by hand, until nothing waits.
    pub(crate) fn step(&self) {
        while self.0.shared.handover.try_turn() {
            self.0.pen.turn();
        }
    }

    /// Who writes, for steps by hand.
    pub(crate) fn pen(&self) -> &Pen {
        &self.0.pen
    }

    /// One step of the flusher, by hand.
    pub(crate) fn flush(&self) -> std::io::Result<()> {
        self.0.shared.flush()
    }

    /// One step of the write-back, by hand.
    pub(crate) fn write_back(&self, demand: crate::write_back::Demand) -> std::io::Result<()> {
        self.0.shared.write_back(demand)
    }

    /// How often it wrote back.
    pub(crate) fn write_back_turns(&self) -> u64 {
        held(&self.0.shared.write_back).turns()
    }

    /// What the batches in memory take.
    pub(crate) fn tail_bytes(&self) -> usize {
        self.0.shared.state().tail_bytes()
    }

    /// True when what waits of a partition is worth a write.
    pub(crate) fn has_worthy(&self) -> bool {
        self.0.shared.state().has_worthy()
    }

    /// Makes the next write-ahead file ahead of time.
    pub(crate) fn prepare(&self) -> std::io::Result<()> {
        self.0.shared.files.prepare()
    }

    /// What readers see.
    pub(crate) fn state(&self) -> std::sync::RwLockReadGuard<'_, crate::state::State> {
        self.0.shared.state()
    }

    /// True when nothing is left to vouch for.
    pub(crate) fn is_sealed(&self) -> bool {
        self.0.pen.is_sealed()
    }

    /// Seals, as an idle writer does.
    pub(crate) fn seal(&self) {
        self.0.pen.seal();
    }

    /// The batches of all segments that count.
    pub(crate) fn segment_paths(&self) -> std::collections::BTreeSet<String> {
        let state = self.0.shared.state();
        let paths = state.places().flat_map(|(place, _, _, partition)| {
            let folder = state.folder(place);
            partition.segments.iter().map(move |s| crate::segment::log_path(&folder, s.base, s.revision))
        });
        paths.collect()
    }

    /// Forgets the log as a crash would: nothing is written any more.
    pub(crate) fn crash(self) {
        held(&self.0.lock).take();
    }
}
