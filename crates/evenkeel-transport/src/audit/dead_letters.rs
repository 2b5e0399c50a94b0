//! Each dead outcome has its one dead letter, and each dead letter its outcome: an event that was
//! redriven and died again has two of both.

use evenkeel_delivery::ports::PortError;
use evenkeel_model::{Stored, names};

use super::Cut;
use super::book::Books;
use crate::dead;
use crate::pages::Pages;

/// Reads the dead letters of each subscription.
pub(super) fn read(cut: &Cut<'_>, all: &mut [Books<'_>]) -> Result<(), PortError> {
    for books in all {
        let shard = dead::shard_of(&books.audited.name);
        let ends = cut.ends(&shard);
        Pages::new(cut.log, shard, ends.start, ends.high_watermark).each(|stored| {
            enter(books, stored);
            Ok(())
        })?;
        if ends.start > 0 {
            // Retention took dead letters: only those that are left need their outcomes.
            books.partitions.iter_mut().for_each(|book| book.dead.clear());
        }
    }
    Ok(())
}

fn enter(books: &mut Books<'_>, stored: &Stored) {
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
    if book.cut_off && origin.offset < book.began {
        return;
    }
    let place = book.place(origin.offset);
    match book.dead.get_mut(&origin.offset) {
        None => problems.add(format!("dead letter {offset}: {place} did not end as dead")),
        Some(0) => problems.add(format!("dead letter {offset}: {place} has another one")),
        Some(missing) => *missing -= 1,
    }
}
