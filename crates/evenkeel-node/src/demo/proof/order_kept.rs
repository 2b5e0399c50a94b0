//! Per customer, each service's effects stand in the order of the offsets that the producer was
//! given.

use std::collections::HashMap;

use super::books::{Ack, Books, Effect};
use super::{Check, such_as};
use crate::demo::order::CANCELLED;

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let places: HashMap<&str, &Ack> = books.firsts().map(|ack| (ack.id.as_str(), ack)).collect();
    let mut homes: HashMap<&str, u32> = HashMap::new();
    let mut torn = Vec::new();
    for ack in books.firsts() {
        let Some(customer) = ack.customer.as_deref() else { continue };
        if *homes.entry(customer).or_insert(ack.partition) != ack.partition {
            torn.push(customer);
        }
    }
    let mut checks = vec![Check::new(
        torn.is_empty(),
        format!("order: {} customers, {} in more than one partition{}", homes.len(), torn.len(), such_as(&torn)),
    )];
    for (name, book) in [("inventory", &books.inventory), ("payment", &books.payment), ("shipping", &books.shipping)] {
        let (compared, violations) = violations(book, &places);
        checks.push(Check::new(
            violations.is_empty(),
            format!(
                "order at {name}: {compared} effects of known customers, {} violations{}",
                violations.len(),
                such_as(&violations)
            ),
        ));
    }
    checks
}

/// How many effects were compared, and the orders whose effect came after that of a later one.
fn violations<'a>(book: &'a [Effect], places: &HashMap<&str, &Ack>) -> (usize, Vec<&'a str>) {
    let mut last: HashMap<&str, u64> = HashMap::new();
    let mut violations = Vec::new();
    let mut compared = 0;
    for effect in book {
        let Some(customer) = effect.customer.as_deref() else { continue };
        let Some(ack) = places.get(effect.order.as_str()).filter(|ack| in_sequence(effect, ack)) else { continue };
        compared += 1;
        let before = last.entry(customer).or_insert(ack.offset);
        if *before > ack.offset {
            violations.push(effect.order.as_str());
        }
        *before = (*before).max(ack.offset);
    }
    (compared, violations)
}

/// The release that compensates a created order is no part of the producer's sequence.
fn in_sequence(effect: &Effect, ack: &Ack) -> bool {
    (effect.effect == "release") == (ack.kind == CANCELLED)
}
