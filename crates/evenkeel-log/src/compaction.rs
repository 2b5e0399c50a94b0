//! Compaction: of each key, the newest record stays, and older ones go.
//!
//! In passes over one partition at a time: the newest offset of each key of the dirty part is
//! noted in a table of bounded size ([`latest`]); then the sealed segments are written again,
//! oldest first, without what [`rules`] lets go ([`rewrite`] has the bytes). [`plan`] says what is
//! worth a pass. What this does not do: it never touches the segment that grows, nor anything at
//! or beyond the last stable offset or an owed one, and it takes no file away.

mod cleaner;
mod pass;
mod plan;
mod latest;
mod rules;
mod rewrite;
mod output;
#[cfg(test)]
mod tests;

pub(crate) use cleaner::{Cleaner, clean};
