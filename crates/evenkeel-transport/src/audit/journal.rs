//! What the journal says: where each subscription began, what ended in which order, what waits,
//! and the seal on each ledger record.

use evenkeel_delivery::ports::PortError;
use evenkeel_delivery::{Remembered, decode_journal};
use evenkeel_model::{Stored, names};

use super::Cut;
use super::book::{Book, Books, Problems, Sealed};
use crate::journal::{Envelope, Seal};
use crate::pages::Pages;

/// Reads the journal's topic into the books.
pub(super) fn read(cut: &Cut<'_>, all: &mut [Books<'_>]) -> Result<(), PortError> {
    for shard in cut.shards(names::JOURNAL_TOPIC) {
        let ends = cut.ends(&shard);
        Pages::new(cut.log, shard, ends.start, ends.high_watermark).each(|stored| {
            let name = stored.record.key.as_deref().unwrap_or_default();
            for books in all.iter_mut().filter(|b| b.audited.name.as_bytes() == name) {
                enter(books, stored, ends.start > 0);
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn enter(books: &mut Books<'_>, stored: &Stored, truncated: bool) {
    let envelope = Envelope::decode(stored.record.value.as_deref().unwrap_or_default());
    let facts = envelope.as_ref().and_then(|e| decode_journal(&e.facts).ok());
    let (Some(envelope), Some(facts)) = (envelope, facts) else {
        let at = &stored.at;
        let place = format!("{}/{} offset {}", at.shard.topic, at.shard.partition, at.offset);
        books.problems.add(format!("the journal record at {place} cannot be read"));
        return;
    };
    for seal in envelope.seals {
        match books.book(&seal.shard) {
            Some((book, problems)) => {
                let done_before = book.journal.done.len();
                let Seal { sequence, hash, .. } = seal;
                sealed(book, problems, truncated, Sealed { sequence, hash, done_before, at: stored.appended });
            }
            None => books.problems.add(format!(
                "the journal speaks of {}/{}, which the subscription does not read",
                seal.shard.topic, seal.shard.partition
            )),
        }
    }
    facts.into_iter().for_each(|fact| remember(books, fact));
}

fn sealed(book: &mut Book, problems: &mut Problems, truncated: bool, seal: Sealed) {
    let sequence = seal.sequence;
    let first = if truncated { sequence } else { 0 };
    let expected = book.journal.seals.last().map_or(first, |before| before.sequence + 1);
    if sequence != expected {
        let (topic, partition) = (&book.shard.topic, book.shard.partition);
        problems.add(format!(
            "{topic}/{partition}: the journal seals ledger record {sequence} where {expected} comes next"
        ));
    }
    book.journal.seals.push(seal);
}

fn remember(books: &mut Books<'_>, fact: Remembered) {
    match fact {
        Remembered::Done { at, .. } => {
            if let Some((book, _)) = books.book(&at.shard) {
                book.journal.waiting.remove(&at.offset);
                book.journal.open_again.remove(&at.offset);
                book.journal.done.push(at.offset);
            }
        }
        Remembered::Pending(pending) => {
            if let Some((book, _)) = books.book(&pending.at.shard) {
                book.journal.waiting.insert(pending.at.offset);
            }
        }
        Remembered::Progress { shard, below } => {
            if let Some((book, problems)) = books.book(&shard) {
                progress(book, problems, below);
            }
        }
        Remembered::Redriven(redriven) => {
            if let Some((book, _)) = books.book(&redriven.at.shard) {
                book.journal.waiting.remove(&redriven.at.offset);
                book.journal.open_again.insert(redriven.at.offset);
                *book.journal.redriven.entry(redriven.at.offset).or_default() += 1;
            }
        }
        Remembered::Overdue { .. }
        | Remembered::Breaker(_)
        | Remembered::Paused(_)
        | Remembered::Open(_)
        | Remembered::Version(_)
        | Remembered::Redrive(_)
        | Remembered::LettersClosed(_) => {}
    }
}

fn progress(book: &mut Book, problems: &mut Problems, below: u64) {
    if book.journal.first_progress.is_some() && below < book.journal.below {
        let place = book.place(below);
        problems.add(format!("progress went back to {place} from {}", book.journal.below));
    }
    book.journal.first_progress.get_or_insert(below);
    book.journal.below = book.journal.below.max(below);
}
