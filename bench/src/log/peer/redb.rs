//! redb with its defaults: one table, one transaction per group, durability `Immediate`.

use std::path::Path;

use redb::{Database, Durability, TableDefinition};

use crate::Outcome;
use crate::log::committer::{Commit, Entry, Offsets};

const RECORDS: TableDefinition<'_, (u32, u64), &[u8]> = TableDefinition::new("records");

pub(crate) struct Redb {
    database: Database,
    offsets: Offsets,
}

impl Redb {
    pub(crate) fn open(folder: &Path) -> Outcome<Redb> {
        Ok(Redb { database: Database::create(folder.join("redb"))?, offsets: Offsets::default() })
    }
}

impl Commit for Redb {
    fn commit(&mut self, group: &[Entry]) -> Outcome<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for entry in group {
                let key = (u32::try_from(entry.partition)?, self.offsets.next(entry.partition));
                table.insert(key, &*entry.value)?;
            }
        }
        Ok(transaction.commit()?)
    }
}
