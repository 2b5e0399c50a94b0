//! The topics themselves: events of one key ended in their order, and what handlers returned is
//! there, once for each that the ledger names. Each topic is read once for all subscriptions.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use evenkeel_delivery::Order;
use evenkeel_delivery::ports::PortError;
use evenkeel_model::{Outcome, Shard, Stored};

use super::Cut;
use super::book::{Books, NOT_ENDED};
use crate::held;
use crate::journal::CausedBy;
use crate::pages::Pages;

/// Reads all topics that are read by, or that take the effects of, one of the subscriptions.
pub(super) fn read(cut: &Cut<'_>, all: &mut [Books<'_>]) -> Result<(), PortError> {
    let names = all.iter().flat_map(|b| [Some(b.audited.topic.clone()), b.audited.effects.clone()]).flatten();
    let topics: BTreeSet<Arc<str>> = names.collect();
    for topic in topics {
        for shard in cut.shards(&topic) {
            read_partition(cut, all, &shard)?;
        }
    }
    // Where retention took returned events, those that are left still need their cause.
    for books in all {
        let effects = books.audited.effects.as_deref().unwrap_or_default();
        if cut.shards(effects).iter().any(|shard| cut.ends(shard).start > 0) {
            books.partitions.iter_mut().for_each(|book| book.emitted.retain(|_, missing| *missing < 0));
        }
    }
    Ok(())
}

fn read_partition(cut: &Cut<'_>, all: &mut [Books<'_>], shard: &Shard) -> Result<(), PortError> {
    let mut lanes: Vec<Lanes> = all.iter().map(|_| Lanes::new()).collect();
    let ends = cut.ends(shard);
    // What is held aside came before what the partition still has.
    for (books, lanes) in all.iter_mut().zip(&mut lanes) {
        if *books.audited.topic == *shard.topic {
            let held = held::below(cut.log, &books.audited.name, shard, ends.start)?;
            held.iter().for_each(|stored| keep_order(books, lanes, stored));
        }
    }
    Pages::new(cut.log, shard.clone(), ends.start, ends.high_watermark).each(|stored| {
        for (books, lanes) in all.iter_mut().zip(&mut lanes) {
            if *books.audited.topic == *shard.topic {
                keep_order(books, lanes, stored);
            }
        }
        enter_effect(all, stored);
        Ok(())
    })
}

/// By lane: the last that ended so far.
type Lanes = HashMap<u64, Lane>;

#[derive(Clone, Copy)]
struct Lane {
    /// The highest rank so far, and whose it is.
    rank: u32,
    offset: u64,
    /// An event before waits durably.
    parked: bool,
}

fn keep_order(books: &mut Books<'_>, lanes: &mut Lanes, stored: &Stored) {
    let Some(lane) = lane_of(books.audited.order, stored) else { return };
    let (offset, infers) = (stored.at.offset, books.infers_parked());
    let Some((book, problems)) = books.book(&stored.at.shard) else { return };
    let Some(index) = book.index(offset) else { return };
    if book.outcomes[index].is_some_and(needs_no_order) {
        return;
    }
    let rank = book.ranks[index];
    let before = lanes.entry(lane).or_insert(Lane { rank, offset, parked: false });
    if infers && rank == NOT_ENDED {
        if before.parked {
            book.behind.insert(offset);
        }
        before.parked |= book.journal.waiting.contains(&offset);
    }
    if rank < before.rank {
        let (place, earlier) = (book.place(offset), before.offset);
        problems.add(format!("{place} ended before {earlier}, which has the same key and came first"));
        books.order_violations += 1;
    } else {
        (before.rank, before.offset) = (rank, offset);
    }
}

/// Outcomes for which no handler was asked, and which may be given at any time.
fn needs_no_order(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Duplicate | Outcome::Stale | Outcome::Filtered | Outcome::Expired | Outcome::NotAnEvent => true,
        Outcome::Completed | Outcome::Dead | Outcome::Dropped => false,
    }
}

/// The lane of a record: a hash of its key. A record without a key waits for nobody.
fn lane_of(order: Order, stored: &Stored) -> Option<u64> {
    match order {
        Order::None => None,
        Order::Partition => Some(0),
        Order::Key => stored.record.key.as_deref().map(|key| {
            let mut hasher = DefaultHasher::new();
            hasher.write(key);
            hasher.finish()
        }),
    }
}

fn enter_effect(all: &mut [Books<'_>], stored: &Stored) {
    let Some(cause) = CausedBy::of(&stored.record) else { return };
    let subscribed = all.iter_mut().filter(|b| *b.audited.name == *cause.subscription);
    for books in subscribed.filter(|b| b.audited.effects.as_deref() == Some(&*stored.at.shard.topic)) {
        match books.book(&cause.at.shard) {
            Some((book, _)) if book.cut_off && cause.at.offset < book.began => {}
            Some((book, _)) => *book.emitted.entry(cause.at.offset).or_default() -= 1,
            None => books.problems.add(format!(
                "the event at {}/{} offset {} was caused by {}/{}, which is not read",
                stored.at.shard.topic,
                stored.at.shard.partition,
                stored.at.offset,
                cause.at.shard.topic,
                cause.at.shard.partition
            )),
        }
    }
}
