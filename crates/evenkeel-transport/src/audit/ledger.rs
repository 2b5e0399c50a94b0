//! What the ledger says, held against the journal record by record and outcome by outcome.

use evenkeel_delivery::ports::PortError;
use evenkeel_model::ledger::{self, Ended, LedgerEntry, LedgerRecord, Redriven};
use evenkeel_model::{Outcome, Stored, names};

use super::Cut;
use super::book::{Book, Books, NOT_ENDED, Problems};
use crate::journal::hash;
use crate::pages::Pages;

/// Reads the ledger's topic into the books.
pub(super) fn read(cut: &Cut<'_>, all: &mut [Books<'_>]) -> Result<(), PortError> {
    for shard in cut.shards(names::LEDGER_TOPIC) {
        let ends = cut.ends(&shard);
        Pages::new(cut.log, shard, ends.start, ends.high_watermark).each(|stored| {
            enter(all, stored);
            Ok(())
        })?;
    }
    Ok(())
}

fn enter(all: &mut [Books<'_>], stored: &Stored) {
    let key = stored.record.key.as_deref().unwrap_or_default();
    let mut wanted = all.iter_mut().filter(|b| b.audited.name.as_bytes() == key).peekable();
    if wanted.peek().is_none() {
        return;
    }
    let bytes = stored.record.value.as_deref().unwrap_or_default();
    let record = ledger::decode(bytes);
    let place = || format!("the ledger record at offset {}", stored.at.offset);
    for books in wanted {
        match &record {
            Err(e) => books.problems.add(format!("{} cannot be read: {}", place(), e.0)),
            Ok(record) if record.subscription != books.audited.name => {
                books.problems.add(format!("{} is of subscription `{}`", place(), record.subscription));
            }
            Ok(record) => {
                let shard = evenkeel_model::Shard::new(record.topic.clone(), record.partition);
                match books.book(&shard) {
                    Some((book, problems)) => enter_record(book, problems, record, hash(bytes)),
                    None => books.problems.add(format!(
                        "{} speaks of {}/{}, which is not read",
                        place(),
                        shard.topic,
                        shard.partition
                    )),
                }
            }
        }
    }
}

fn enter_record(book: &mut Book, problems: &mut Problems, record: &LedgerRecord, hash: u64) {
    let (topic, partition, sequence) = (&record.topic, record.partition, record.sequence);
    let truncated = book.cut_off;
    if truncated && book.journal.seals.first().is_none_or(|first| sequence < first.sequence) {
        // The journal has no word left to hold against it; what it says counts all the same.
        return enter_outcomes(book, problems, record);
    }
    let first = *book.first_record.get_or_insert(if truncated { sequence } else { 0 });
    let expected = first + book.ledger_records as u64;
    if sequence != expected {
        problems.add(format!("{topic}/{partition}: ledger record {sequence} stands where {expected} comes next"));
    }
    let base = book.journal.seals.first().map_or(0, |first| first.sequence);
    let nth = usize::try_from(expected.saturating_sub(base)).unwrap_or(usize::MAX);
    match book.journal.seals.get(nth) {
        Some(sealed) if sealed.sequence != sequence => {}
        Some(sealed) if sealed.hash == hash => {}
        Some(_) => {
            problems.add(format!("{topic}/{partition}: ledger record {sequence} is not the one that was sealed"))
        }
        None => problems.add(format!("{topic}/{partition}: ledger record {sequence} was never sealed by the journal")),
    }
    if book.ledger_records == 0 {
        book.done_before = book.journal.seals.get(nth).map_or(0, |sealed| sealed.done_before);
    }
    book.ledger_records += 1;
    for entry in &record.entries {
        if let LedgerEntry::Ended(ended) = entry {
            compare_outcome(book, problems, ended);
        }
    }
    enter_outcomes(book, problems, record);
}

/// The journal names the same outcome, in the same place of the order.
fn compare_outcome(book: &mut Book, problems: &mut Problems, ended: &Ended) {
    let (offset, rank) = (ended.offset, book.ended);
    book.ended += 1;
    match book.journal.done.get(book.done_before + rank) {
        Some(done) if *done != offset => {
            let place = book.place(offset);
            problems.add(format!("{place} is outcome number {rank} of the ledger, and {done} is that of the journal"));
        }
        _ => {}
    }
}

fn enter_outcomes(book: &mut Book, problems: &mut Problems, record: &LedgerRecord) {
    for entry in &record.entries {
        match entry {
            LedgerEntry::Ended(ended) => enter_outcome(book, problems, ended),
            LedgerEntry::Redriven(redriven) => take_up(book, problems, redriven),
            LedgerEntry::Attempt(_) | LedgerEntry::Overdue(_) => {}
        }
    }
}

fn enter_outcome(book: &mut Book, problems: &mut Problems, ended: &Ended) {
    let offset = ended.offset;
    let rank = book.ranked;
    book.ranked += 1;
    if book.cut_off && offset < book.began {
        return;
    }
    let Some(index) = book.index(offset) else {
        let place = book.place(offset);
        problems.add(format!("{place} has an outcome, and lies outside of what was appended"));
        return;
    };
    if let Some(before) = book.outcomes[index] {
        let place = book.place(offset);
        problems.add(format!("{place} has two outcomes: {}, then {}", before.name(), ended.outcome.name()));
        return;
    }
    book.outcomes[index] = Some(ended.outcome);
    if book.ranks[index] == NOT_ENDED {
        // Its order is that of its first end: what followed was not held up by the dead.
        book.ranks[index] = u32::try_from(rank).unwrap_or(u32::MAX - 1);
    }
    if ended.outcome == Outcome::Dead {
        *book.dead.entry(offset).or_default() += 1;
    }
    if ended.emitted > 0 {
        *book.emitted.entry(offset).or_default() += i64::from(ended.emitted);
    }
}

/// A dead event is open again, if the journal says so too: its last outcome will count.
fn take_up(book: &mut Book, problems: &mut Problems, redriven: &Redriven) {
    if book.cut_off && redriven.offset < book.began {
        return;
    }
    let place = book.place(redriven.offset);
    match book.journal.redriven.get_mut(&redriven.offset).filter(|left| **left > 0) {
        Some(left) => *left -= 1,
        None => problems.add(format!("{place} was redriven by the ledger, and not by the journal")),
    }
    let Some(index) = book.index(redriven.offset) else { return };
    match book.outcomes[index].take() {
        Some(Outcome::Dead) => {}
        other => {
            let ended = other.map_or("had no outcome", Outcome::name);
            problems.add(format!("{place} was redriven, and was not dead but {ended}"));
        }
    }
}
