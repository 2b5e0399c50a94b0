//! Each service did each thing that it should have done exactly once, and nothing else: counted
//! in the services' own books.

use std::collections::{BTreeMap, BTreeSet};

use super::books::{Books, Effect};
use super::expected::Deed;
use super::{Check, such_as};

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let paid = |deed: &'static str| books.paid().map(move |ack| (deed, ack.id.as_str())).collect();
    vec![
        exactly_once("inventory", &books.inventory, &books.inventory_deeds()),
        exactly_once("payment", &books.payment, &paid("capture")),
        exactly_once("shipping", &books.shipping, &paid("ship")),
    ]
}

pub(super) fn exactly_once(name: &str, book: &[Effect], expected: &BTreeSet<Deed<'_>>) -> Check {
    let mut done: BTreeMap<Deed<'_>, u32> = BTreeMap::new();
    for effect in book {
        *done.entry((&effect.effect, &effect.order)).or_default() += 1;
    }
    let missing: Vec<&str> = expected.iter().filter(|deed| !done.contains_key(*deed)).map(|deed| deed.1).collect();
    let twice: Vec<&str> = done.iter().filter(|(_, times)| **times > 1).map(|(deed, _)| deed.1).collect();
    let unwanted: Vec<&str> = done.keys().filter(|deed| !expected.contains(*deed)).map(|deed| deed.1).collect();
    let holds = missing.is_empty() && twice.is_empty() && unwanted.is_empty();
    let sentence = format!(
        "effects at {name}: {} written for {} expected; {} missing{}, {} twice{}, {} unwanted{}",
        book.len(),
        expected.len(),
        missing.len(),
        such_as(&missing),
        twice.len(),
        such_as(&twice),
        unwanted.len(),
        such_as(&unwanted)
    );
    Check::new(holds, sentence)
}
