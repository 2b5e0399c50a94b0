//! One growing file for all partitions: append the group, `fdatasync`.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::Outcome;
use crate::log::committer::{Commit, Entry, Offsets};

pub(crate) struct Growing {
    file: File,
    buffer: Vec<u8>,
    offsets: Offsets,
}

impl Growing {
    pub(crate) fn open(folder: &Path) -> Outcome<Growing> {
        Ok(Growing { file: File::create(folder.join("log"))?, buffer: Vec::new(), offsets: Offsets::default() })
    }
}

impl Commit for Growing {
    fn commit(&mut self, group: &[Entry]) -> Outcome<()> {
        self.buffer.clear();
        for entry in group {
            let numbers = [entry.partition as u64, self.offsets.next(entry.partition), entry.value.len() as u64];
            numbers.iter().for_each(|n| self.buffer.extend(n.to_le_bytes()));
            self.buffer.extend_from_slice(&entry.value);
        }
        self.file.write_all(&self.buffer)?;
        Ok(self.file.sync_data()?)
    }
}
