//! The mishaps took place: a quiet day proves little.

use super::books::Books;
use super::{Check, such_as};

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let missed: Vec<&str> = books.mishaps.iter().filter(|m| !m.happened).map(|m| m.name.as_str()).collect();
    let took_place = books.mishaps.len() - missed.len();
    let holds = missed.is_empty() && !books.mishaps.is_empty();
    vec![Check::new(
        holds,
        format!(
            "mishaps: {took_place} of {} took place; missed: {}{}",
            books.mishaps.len(),
            missed.len(),
            such_as(&missed)
        ),
    )]
}
