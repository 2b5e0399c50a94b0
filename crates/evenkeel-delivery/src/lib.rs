//! A record in, exactly one outcome out.
//!
//! [`Subscription`] is the pure core: `step(now, input, &mut actions)` decides; it reads no
//! clock, does no I/O and never awaits. The `runtime` of the crate `evenkeel` drives it through
//! the [ports]: [`Source`](ports::Source), [`Handler`](ports::Handler) and
//! [`Journal`](ports::Journal). This crate names no product and no topic.
//!
//! Invariants: each event that was read ends in exactly one outcome; nothing is settled before
//! it is journaled, and a lane moves on only then; infrastructure never spends an attempt.

pub mod ports;
mod policy;
mod input;
mod fact;
mod redrive;
mod retry;
mod fingerprint;
mod random;
mod breaker;
mod dependency;
mod subscription;

pub use dependency::{Dependency, DependencyNews, DependencyReport, DependencyState, Force, Member, Standing};
pub use fact::{
    BreakerMark, Counters, Fact, Forced, JournalUnreadable, Mark, Open, Opened, Pending, PendingWhy, Remembered,
    VersionMark, Versions, decode_identities, decode_journal, encode_identities, encode_journal, encode_remembered,
};
pub use fingerprint::fingerprint;
pub use input::{Action, Alarm, Arrival, AttemptId, Command, Dispatch, Input, Round, Screen, Version};
pub use policy::{
    BreakerPolicy, Concurrency, DeadBudget, Effects, Exhausted, Fallback, Freshness, Order, Parking, Policy, Rate,
    RetryBudget, RetrySchedule,
};
pub use redrive::{
    Bring, Letter, LettersClosed, Redrive, RedriveCommand, RedrivePlan, RedriveState, Redriven, letter_number,
    letter_place,
};
pub use retry::RetryExplained;
pub use subscription::{
    BreakerState, BreakerView, FALLBACK, HANDLER, LaneView, Owed, RedrivesView, Subscription, View, Why, WhyAsked,
    WhyEvent, WhyState,
};
