//! Each order whose payment died was cancelled once, and inventory gave back what it held.

use super::books::Books;
use super::{Check, effects, such_as};

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let expected = books.poison.iter().map(|order| ("cancel", order.as_str())).collect();
    let holding: Vec<&str> = books.poison.iter().map(String::as_str).filter(|order| !gave_back(books, order)).collect();
    vec![
        effects::exactly_once("compensation", &books.cancels, &expected),
        Check::new(
            holding.is_empty(),
            format!(
                "released: {} of {} cancelled orders gave back exactly what they held; {} did not{}",
                books.poison.len() - holding.len(),
                books.poison.len(),
                holding.len(),
                such_as(&holding)
            ),
        ),
    ]
}

/// Reserved first, released later, the same units.
fn gave_back(books: &Books, order: &str) -> bool {
    let find = |effect: &str| books.inventory.iter().position(|e| e.order == order && e.effect == effect);
    let (Some(reserved), Some(released)) = (find("reserve"), find("release")) else { return false };
    reserved < released && books.inventory[reserved].units == books.inventory[released].units
}
