//! The dead letters are exactly the poison orders: no outage killed a healthy one.

use std::collections::BTreeSet;

use super::Check;
use super::books::Books;

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let dead: BTreeSet<&str> = books.dead.iter().map(|dead| dead.id.as_str()).collect();
    let poison: BTreeSet<&str> = books.poison.iter().map(String::as_str).collect();
    let told: Vec<String> = books
        .dead
        .iter()
        .take(5)
        .map(|dead| format!("{} ({} after {} attempts)", dead.id, dead.reason, dead.attempts))
        .collect();
    let holds = dead == poison && books.dead.len() == poison.len();
    let told = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
    vec![Check::new(holds, format!("dead letters: {told}; poison: {}", books.poison.join(", ")))]
}
