//! From minutes to the slices of a month: what counts of each, and what is excluded.
//!
//! Invariant: slices follow each other from the month's first instant without a gap; the last one ends with the month,
//! and may be shorter where a change of clocks left an odd number of minutes.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::slices::Counts;

/// Events of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute {
    /// When it begins.
    pub begins: Timestamp,
    /// Its events.
    pub counts: Counts,
}

/// A stretch of time that counts for nobody, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hiding {
    /// From when on; the whole minute counts as hidden.
    pub from: Timestamp,
    /// Until when; the whole minute counts as hidden.
    pub until: Timestamp,
    /// Why.
    pub reason: Arc<str>,
    /// Who said so.
    pub by: Arc<str>,
}

/// One slice of a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sliced {
    /// Events that count.
    pub counts: Counts,
    /// Events of hidden minutes.
    pub hidden: Counts,
    /// The whole slice is hidden.
    pub is_hidden: bool,
}

const MINUTE: Duration = Duration::from_secs(60);

/// The slices of `[from, until)`, each of `length`; minutes outside it are left out.
pub fn sliced(
    minutes: &[Minute],
    hidings: &[Hiding],
    (from, until): (Timestamp, Timestamp),
    length: Duration,
) -> Vec<Sliced> {
    let length = length.max(MINUTE);
    let number = |at: Timestamp| usize::try_from(at.since(from).as_micros() / length.as_micros()).unwrap_or(usize::MAX);
    let all = usize::try_from(until.since(from).as_micros().div_ceil(length.as_micros())).unwrap_or(0);
    let mut slices = vec![Sliced::default(); all];
    let is_hidden = |minute: Timestamp| hidings.iter().any(|h| h.from < minute + MINUTE && h.until > minute);
    for minute in minutes.iter().filter(|minute| minute.begins >= from && minute.begins < until) {
        let Some(slice) = slices.get_mut(number(minute.begins)) else { continue };
        let hidden = is_hidden(minute.begins);
        if hidden { &mut slice.hidden } else { &mut slice.counts }.add(&minute.counts);
    }
    // Only slices that a hiding touches can be hidden.
    for hiding in hidings.iter().filter(|h| h.from < h.until && h.until > from && h.from < until) {
        let last = hiding.until.min(until) - Duration::from_micros(1);
        let (first, last) = (number(hiding.from.max(from)), number(last));
        for (at, slice) in slices.iter_mut().enumerate().take(last.saturating_add(1)).skip(first) {
            let begins = from + length * u32::try_from(at).unwrap_or(u32::MAX);
            let ends = (begins + length).min(until);
            let count = u32::try_from(ends.since(begins).as_micros().div_ceil(MINUTE.as_micros())).unwrap_or(0);
            slice.is_hidden = (0..count).all(|minute| is_hidden(begins + MINUTE * minute));
        }
    }
    slices
}
