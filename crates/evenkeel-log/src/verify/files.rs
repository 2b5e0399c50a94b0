//! Slots and write-ahead files: copies that are damaged while another one is whole.

use super::{Note, Verified};
use crate::OpenError;
use crate::checkpoint::{Checkpoint, slot_path};
use crate::disk::Disk;
use crate::recovery::doing;
use crate::safeguard::Guards;
use crate::wal::header::{FileHeader, Unfit};
use crate::wal::{BLOCK, FIRST_GROUP, number, path};

/// Notes slots and file headers that cannot be read.
pub(super) fn look(disk: &dyn Disk, guards: Guards, verified: &mut Verified) -> Result<(), OpenError> {
    for which in [0, 1] {
        let file = slot_path(which);
        let known = verified.damage.iter().any(|d| d.file == file);
        if let Some(what) = slot(disk, guards, &file)
            && !known
        {
            verified.notes.push(Note { file, what });
        }
    }
    for name in disk.list("wal").map_err(doing("listing", "wal"))? {
        let Some(number) = number(&name) else { continue };
        let file = path(number);
        if verified.damage.iter().all(|d| d.file != file || d.at.is_some()) {
            verified.notes.extend(header(disk, guards, number).map(|what| Note { file, what }));
        }
    }
    Ok(())
}

fn slot(disk: &dyn Disk, guards: Guards, path: &str) -> Option<String> {
    let read = disk.open(path, false).and_then(|file| {
        let mut bytes = vec![0; usize::try_from(file.size()?).unwrap_or(0)];
        file.read_at(&mut bytes, 0)?;
        Ok(bytes)
    });
    match read {
        // A log that never made a second checkpoint has written one slot only.
        Ok(bytes) if bytes.iter().all(|b| *b == 0) => None,
        Ok(bytes) => match Checkpoint::decode(&bytes, guards) {
            Err(Unfit::Broken(what)) => Some(format!("{what}; the other slot counts")),
            _ => None,
        },
        Err(e) => Some(format!("it cannot be read: {e}; the other slot counts")),
    }
}

fn header(disk: &dyn Disk, guards: Guards, number: u64) -> Option<String> {
    let mut both = vec![0; usize::try_from(FIRST_GROUP).unwrap_or(0)];
    let read = disk.open(&path(number), false).and_then(|file| file.read_at(&mut both, 0));
    if let Err(e) = read {
        return Some(format!("it cannot be read: {e}"));
    }
    let copies = both.chunks_exact(BLOCK as usize);
    let broken =
        copies.filter(|block| matches!(FileHeader::decode(block, number, guards), Err(Unfit::Broken(_)))).count();
    match broken {
        0 => None,
        1 => Some("one of the two copies of its header is damaged".to_owned()),
        _ => Some("its header is damaged; no group that counts is in it".to_owned()),
    }
}
