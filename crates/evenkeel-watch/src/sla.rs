//! Service level agreements: slices of a calendar month in, availability and service credit out.
//!
//! Does: compute what was promised to a customer, by the agreement's own rules for slices, empty ones, exclusions
//! and credits, exactly and again: whoever has the slices computes the same report ([`report`]). Does not: collect slices
//! (`Watch` does, by the minute), know files or money beyond minor units. Invariants: every slice of the month is good, bad,
//! excluded or still to come, and a slice counts once; shares are compared as integers, so that 99.9 % exactly is not
//! below 99.9 %.

mod agreement;
mod month;
mod slice;
mod report;
#[cfg(test)]
mod tests;

pub use crate::watch::Monthly;
pub use agreement::{Agreement, Availability, Credits, Share, Tier};
pub use month::Month;
pub use report::{Credit, Report, report};
pub use slice::{Hiding, Minute, Sliced, sliced};
