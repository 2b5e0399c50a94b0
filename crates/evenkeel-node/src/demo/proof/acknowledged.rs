//! Every order was acknowledged once, at a place of its own.

use std::collections::BTreeSet;

use super::books::Books;
use super::{Check, such_as};

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let firsts = books.firsts().count() as u64;
    let ids: BTreeSet<&str> = books.firsts().map(|ack| ack.id.as_str()).collect();
    let mut places = BTreeSet::new();
    let shared: Vec<&str> =
        books.firsts().filter(|ack| !places.insert((ack.partition, ack.offset))).map(|ack| ack.id.as_str()).collect();
    vec![
        Check::new(
            firsts == books.total && ids.len() as u64 == books.total,
            format!(
                "acknowledged: {firsts} of {} orders ({} created, {} cancelled)",
                books.total,
                books.created().count(),
                books.cancelled().count()
            ),
        ),
        Check::new(
            shared.is_empty(),
            format!("places: {} orders were given a place that another has{}", shared.len(), such_as(&shared)),
        ),
    ]
}
