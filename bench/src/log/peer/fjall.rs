//! fjall with its defaults: one keyspace, one batch per group, persisted by `fdatasync`.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::Outcome;
use crate::log::committer::{Commit, Entry, Offsets};

pub(crate) struct Fjall {
    database: Database,
    records: Keyspace,
    offsets: Offsets,
}

impl Fjall {
    pub(crate) fn open(folder: &Path) -> Outcome<Fjall> {
        let database = Database::builder(folder.join("fjall")).open()?;
        let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
        Ok(Fjall { database, records, offsets: Offsets::default() })
    }
}

impl Commit for Fjall {
    fn commit(&mut self, group: &[Entry]) -> Outcome<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for entry in group {
            let mut key = [0; 12];
            key[..4].copy_from_slice(&u32::try_from(entry.partition)?.to_be_bytes());
            key[4..].copy_from_slice(&self.offsets.next(entry.partition).to_be_bytes());
            batch.insert(&self.records, key, &*entry.value);
        }
        Ok(batch.commit()?)
    }
}
