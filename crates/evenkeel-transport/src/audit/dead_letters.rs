//! Each dead outcome has its one dead letter, and each dead letter its outcome.

use evenkeel_delivery::ports::PortError;
use evenkeel_model::{Outcome, Stored, names};

use super::Cut;
use super::book::Books;
use crate::dead;
use crate::pages::Pages;

/// Reads the dead letters of each subscription.
pub(super) fn read(cut: &Cut<'_>, all: &mut [Books<'_>]) -> Result<(), PortError> {
    for books in all {
        let shard = dead::shard_of(&books.audited.name);
        let ends = cut.ends(&shard);
        if ends.start > 0 {
            // Retention took dead letters: those that are left still need their outcomes.
            books.partitions.iter_mut().for_each(|book| book.dead.clear());
        }
        Pages::new(cut.log, shard, ends.start, ends.high_watermark).each(|stored| {
            enter(books, stored, ends.start > 0);
            Ok(())
        })?;
    }
    Ok(())
}

fn enter(books: &mut Books<'_>, stored: &Stored, incomplete: bool) {
    let text = |name: &str| stored.record.header(name).and_then(|v| std::str::from_utf8(v).ok());
    let (Some(origin), Some(subscription)) = (text(names::dead::ORIGIN), text(names::dead::SUBSCRIPTION)) else {
        return;
    };
    if *subscription != *books.audited.name {
        return;
    }
    let offset = stored.at.offset;
    if text(names::dead::RECORD_GONE).is_some() {
        books.problems.add(format!("dead letter {offset}: the event at `{origin}` was gone before it died"));
    }
    let Some(origin) = dead::position(origin) else {
        books.problems.add(format!("dead letter {offset}: its origin `{origin}` is not `topic;partition;offset`"));
        return;
    };
    let Some((book, problems)) = books.book(&origin.shard) else {
        books.problems.add(format!("dead letter {offset} comes from a topic that is not read"));
        return;
    };
    let is_dead = book.index(origin.offset).is_some_and(|i| book.outcomes[i] == Some(Outcome::Dead));
    let place = book.place(origin.offset);
    if !is_dead {
        problems.add(format!("dead letter {offset}: {place} did not end as dead"));
    } else if !book.dead.remove(&origin.offset) && !incomplete {
        problems.add(format!("dead letter {offset}: {place} has another one"));
    }
}
