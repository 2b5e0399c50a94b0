//! SQLite: write-ahead log, `synchronous = FULL`, one transaction per group, one prepared insert.
//!
//! The key is one integer (partition above offset), which is its fastest layout.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::Outcome;
use crate::log::committer::{Commit, Entry, Offsets};

/// Bits of the offset in a key.
const OFFSET_BITS: u32 = 40;

pub(crate) struct Sqlite {
    connection: Connection,
    offsets: Offsets,
}

impl Sqlite {
    pub(crate) fn open(folder: &Path) -> Outcome<Sqlite> {
        let connection = Connection::open(folder.join("sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, value BLOB NOT NULL)", [])?;
        Ok(Sqlite { connection, offsets: Offsets::default() })
    }
}

impl Commit for Sqlite {
    fn commit(&mut self, group: &[Entry]) -> Outcome<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO records (id, value) VALUES (?1, ?2)")?;
            for entry in group {
                let id = ((entry.partition as u64) << OFFSET_BITS) + self.offsets.next(entry.partition);
                insert.execute(params![i64::try_from(id)?, &*entry.value])?;
            }
        }
        Ok(transaction.commit()?)
    }
}
