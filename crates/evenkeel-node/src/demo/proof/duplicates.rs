//! Every order that was sent a second time was answered as a duplicate, at the first one's place.

use std::collections::HashMap;

use super::books::Books;
use super::{Check, such_as};

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let firsts: HashMap<&str, (u32, u64)> =
        books.firsts().map(|ack| (ack.id.as_str(), (ack.partition, ack.offset))).collect();
    let again: Vec<_> = books.acks.iter().filter(|ack| ack.again).collect();
    let taken_anew: Vec<&str> = again
        .iter()
        .filter(|ack| !ack.duplicate || firsts.get(ack.id.as_str()) != Some(&(ack.partition, ack.offset)))
        .map(|ack| ack.id.as_str())
        .collect();
    let suppressed = again.len() - taken_anew.len();
    let unknown = books.firsts().filter(|ack| ack.duplicate).count();
    vec![Check::new(
        taken_anew.is_empty() && again.len() as u64 == books.again_sent && books.again_sent > 0,
        format!(
            "duplicates: {} sent on purpose, {suppressed} suppressed{}; besides, {unknown} orders were sent again \
             because their answer was lost, and were there already",
            books.again_sent,
            such_as(&taken_anew)
        ),
    )]
}
