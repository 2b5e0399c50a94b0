//! Where the account of each partition begins, when retention took the oldest records of the
//! ledger or of the journal.
//!
//! What was appended after the oldest ledger record and the oldest journal record that are kept
//! ended after them, too: all that is said of it is there. So the account begins at the first
//! offset that was appended then. Of what lies before it nothing is counted, and nothing is checked.

use evenkeel_delivery::ports::PortError;
use evenkeel_log::ReadLimit;
use evenkeel_model::{Shard, Timestamp, names};

use super::Cut;
use super::book::{Book, Books};
use crate::journal;
use crate::pages::unreadable;

/// Once the journal is read: where each partition begins.
pub(super) fn begin(cut: &Cut<'_>, all: &mut [Books<'_>]) -> Result<(), PortError> {
    let ledger = oldest(cut, &Shard::new(names::LEDGER_TOPIC, 0))?;
    for books in all {
        let journal = match journal::shard_of(cut.log, &books.audited.name) {
            Ok(shard) => oldest(cut, &shard)?,
            // Nothing was ever journaled.
            Err(_) => None,
        };
        let horizon = ledger.max(journal);
        for book in &mut books.partitions {
            let since = match horizon {
                Some(time) => since(cut, book, time)?,
                None => 0,
            };
            book.begin(&mut books.problems, since);
        }
    }
    Ok(())
}

/// The first offset of a partition that counts; 0: all since the subscription began.
fn since(cut: &Cut<'_>, book: &Book, horizon: Timestamp) -> Result<u64, PortError> {
    let first = book.journal.seals.first();
    if first.is_some_and(|first| first.sequence == 0 && first.at >= horizon) {
        // It began later.
        return Ok(0);
    }
    let came = cut.log.offset_at(&book.shard, horizon).map_err(|e| unreadable(&book.shard, &e))?;
    // Where nothing ended since, progress is all that is known of where it stands.
    let known = if first.is_none() { book.journal.below } else { 0 };
    Ok(came.unwrap_or(book.end).max(known))
}

/// When the oldest record that is kept was appended; `None`, while all are.
fn oldest(cut: &Cut<'_>, shard: &Shard) -> Result<Option<Timestamp>, PortError> {
    let start = cut.ends(shard).start;
    if start == 0 {
        return Ok(None);
    }
    let first = cut.log.read(shard, start, ReadLimit::records(1)).map_err(|e| unreadable(shard, &e))?;
    // With all of it gone, nothing can be told of what was there.
    Ok(Some(first.first().map_or(Timestamp::from_micros(i64::MAX), |stored| stored.appended)))
}
