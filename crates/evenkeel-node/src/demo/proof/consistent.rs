//! The shop is consistent over all three services: the same units and the same money, order by
//! order.

use std::collections::HashMap;

use super::books::{Books, Effect};
use super::{Check, such_as};

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let (reserved, captured, shipped) =
        (by_order(&books.inventory, "reserve"), by_order(&books.payment, "capture"), by_order(&books.shipping, "ship"));
    let (mut units, mut pence) = (0, 0);
    let mut odd = Vec::new();
    for ack in books.paid() {
        let ordered = (ack.units, ack.pence);
        let agrees = |book: &HashMap<&str, (i64, i64)>| book.get(ack.id.as_str()) == Some(&ordered);
        if agrees(&reserved) && agrees(&captured) && agrees(&shipped) {
            units += ack.units;
            pence += ack.pence;
        } else {
            odd.push(ack.id.as_str());
        }
    }
    let held = sum(&books.inventory, "reserve") - sum_of_poison(books);
    let left = sum(&books.shipping, "ship");
    vec![Check::new(
        odd.is_empty() && held == left,
        format!(
            "the shop: {units} units reserved, paid and shipped for £{}.{:02}; {} orders on which the services \
             disagree{}; {held} units held and {left} gone",
            pence / 100,
            (pence % 100).abs(),
            odd.len(),
            such_as(&odd)
        ),
    )]
}

fn by_order<'a>(book: &'a [Effect], effect: &str) -> HashMap<&'a str, (i64, i64)> {
    let of = book.iter().filter(|e| e.effect == effect);
    of.map(|e| (e.order.as_str(), (e.units, e.pence))).collect()
}

fn sum(book: &[Effect], effect: &str) -> i64 {
    book.iter().filter(|e| e.effect == effect).map(|e| e.units).sum()
}

/// What was released because the payment died.
fn sum_of_poison(books: &Books) -> i64 {
    let released = books.inventory.iter().filter(|e| e.effect == "release" && books.is_poison(&e.order));
    released.map(|e| e.units).sum()
}
