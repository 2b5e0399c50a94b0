//! Every flush, sync, checksum and chain check of the log, by name.
//!
//! Each stands in the code behind [`Guards::on`], so that a test build can take one away and see
//! a test turn red for it (`tests/mutation.rs`). In any other build all of them are on, and the
//! question costs nothing.

/// One thing without which acknowledged records could be lost, or lies believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safeguard {
    /// A group is written synchronously before it is acknowledged.
    GroupWrite,
    /// A new write-ahead file's zeros and header are flushed before it is used.
    WalFileFlush,
    /// The folder of write-ahead files is synced before a new one is used.
    WalFolderSync,
    /// What recovery read back is flushed before anybody sees it.
    RecoveredFlush,
    /// Segments are flushed before a checkpoint counts them.
    SegmentFlush,
    /// A checkpoint's append times are flushed before it counts them.
    TimesFlush,
    /// Their folder is synced after a file of them was created.
    TimesFolderSync,
    /// A partition's folder is synced after a segment was created.
    SegmentFolderSync,
    /// The folder of partitions is synced after one was created.
    TopicsFolderSync,
    /// A checkpoint's slot is written synchronously before it counts.
    SlotWrite,
    /// The folders that an empty data folder gets are synced.
    FreshFolderSync,
    /// A group matches its checksum.
    GroupChecksum,
    /// That checksum is seeded with the file's secret, its number and the place.
    GroupSeed,
    /// A group names the checksum of the one before it.
    Chain,
    /// A later group that vouches for a broken one makes it corruption.
    Vouching,
    /// A group that names a newer checkpoint than was found means that one was lost.
    Generation,
    /// A slot matches its checksum.
    SlotChecksum,
    /// A write-ahead file's header matches its checksum.
    FileChecksum,
    /// A batch that is read from a segment matches its checksum.
    BatchChecksum,
    /// A batch that a producer sends matches its checksum.
    SentChecksum,
    /// An index entry matches its checksum.
    IndexChecksum,
    /// Append times match their checksum.
    TimesChecksum,
    /// Write-ahead files are reused only when both slots lie behind them.
    BothSlots,
    /// The data folder is synced after a note of damage that a reader met was created.
    NoteFolderSync,
    /// An idle log writes an empty group that vouches for the last one.
    Sealing,
}

impl Safeguard {
    /// All of them.
    pub const ALL: [Safeguard; 25] = [
        Safeguard::GroupWrite,
        Safeguard::WalFileFlush,
        Safeguard::WalFolderSync,
        Safeguard::RecoveredFlush,
        Safeguard::SegmentFlush,
        Safeguard::TimesFlush,
        Safeguard::TimesFolderSync,
        Safeguard::SegmentFolderSync,
        Safeguard::TopicsFolderSync,
        Safeguard::SlotWrite,
        Safeguard::FreshFolderSync,
        Safeguard::GroupChecksum,
        Safeguard::GroupSeed,
        Safeguard::Chain,
        Safeguard::Vouching,
        Safeguard::Generation,
        Safeguard::SlotChecksum,
        Safeguard::FileChecksum,
        Safeguard::BatchChecksum,
        Safeguard::SentChecksum,
        Safeguard::IndexChecksum,
        Safeguard::TimesChecksum,
        Safeguard::BothSlots,
        Safeguard::NoteFolderSync,
        Safeguard::Sealing,
    ];
}

/// Which safeguards are on: all, but for the one that a test took away.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Guards {
    #[cfg(test)]
    pub(crate) without: Option<Safeguard>,
}

impl Guards {
    #[cfg(test)]
    pub(crate) fn on(self, safeguard: Safeguard) -> bool {
        self.without != Some(safeguard)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "in a test build it says which one is off")]
    pub(crate) fn on(self, _: Safeguard) -> bool {
        true
    }
}
