//! What a user has instead. Each keeps records by (partition, offset), durable per commit.

#[cfg(feature = "peers")]
mod fjall;
mod file;
#[cfg(feature = "peers")]
mod redb;
#[cfg(feature = "peers")]
mod sqlite;

use std::path::Path;

use super::committer::Commit;
use super::row::Who;
use crate::Outcome;

/// Opens a peer in an empty folder.
pub(crate) fn open(who: Who, folder: &Path) -> Outcome<Box<dyn Commit>> {
    match who {
        Who::File => Ok(Box::new(file::Growing::open(folder)?)),
        #[cfg(feature = "peers")]
        Who::Fjall => Ok(Box::new(fjall::Fjall::open(folder)?)),
        #[cfg(feature = "peers")]
        Who::Redb => Ok(Box::new(redb::Redb::open(folder)?)),
        #[cfg(feature = "peers")]
        Who::Sqlite => Ok(Box::new(sqlite::Sqlite::open(folder)?)),
        #[cfg(not(feature = "peers"))]
        Who::Fjall | Who::Redb | Who::Sqlite => Err("built without the peers: `cargo xtask bench log` has them".into()),
        Who::Evenkeel | Who::Bare => Err("not a peer".into()),
    }
}
