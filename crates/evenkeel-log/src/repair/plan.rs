//! What a repair keeps and what it gives up. Reads only.

use super::{Live, Repaired};
use crate::OpenError;
use crate::damage::joined;
use crate::disk::Disk;
use crate::recovery::{self, Survey, behind, doing, scan};
use crate::safeguard::Guards;
use crate::state::State;
use crate::wal::{FIRST_GROUP, number};

/// Where a repaired log begins: beyond everything that the damaged one may have called its own.
pub(super) struct Beginning {
    pub(super) live: Live,
    /// The number of its first group.
    pub(super) lsn: u64,
    /// The generation before that of its first checkpoint.
    pub(super) generation: u64,
}

/// The state that is kept, where it goes on, and what is given up.
pub(super) fn plan(disk: &dyn Disk, guards: Guards) -> Result<(State, Beginning, Repaired), OpenError> {
    let Survey { slots, state, end, damage } = recovery::survey(disk, guards)?;
    let (Some(newest), Some(end)) = (slots.newest(), end) else {
        return Err(if damage.is_empty() {
            OpenError::Absent { folder: disk.name() }
        } else {
            OpenError::Corrupt { damage }
        });
    };
    let (mut lsn, mut named, mut live) = (end.position.lsn, newest.generation, Live::new());
    for name in disk.list("wal").map_err(doing("listing", "wal"))? {
        let Some(number) = number(&name) else { continue };
        live.insert(number, 0);
        let Ok(file) = scan::open_file(disk, guards, number) else { continue };
        live.insert(number, file.header.size);
        for (_, header) in behind::groups(&file, guards, FIRST_GROUP)? {
            lsn = lsn.max(header.lsn + 1);
            named = named.max(header.generation);
        }
    }
    // The slot that can be read stays until the other one is whole.
    let generation = if (named + 1) % 2 == newest.generation % 2 { named + 1 } else { named };
    let lost = joined(damage.iter().flat_map(|d| d.lost.clone()).collect());
    let cut = joined(damage.iter().flat_map(|d| d.cut.clone()).collect());
    Ok((state, Beginning { live, lsn, generation }, Repaired { damage, lost, cut }))
}
