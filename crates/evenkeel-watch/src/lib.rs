//! Outcomes in, alerts out: `LedgerEntry → Indicator → Alert`.
//!
//! Does: fold ledger records into integer counts per subscription and objective, and derive
//! burn rates, error budgets and alerts from them ([`Watch`]). It reads OpenSLO v1 documents by all rules of its
//! validator ([`openslo`]). Does not: read a clock, do I/O, spawn, deliver an alert or parse YAML. Invariants: every count is an integer that came from a
//! ledger entry, never an estimate; a record that is ingested twice counts once; an event is bad
//! at most once per objective; memory is bounded by the objectives' windows, not by traffic.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use evenkeel_model::Timestamp;
//! use evenkeel_watch::objective::{Indicator, Objective, Part, Scope};
//! use evenkeel_watch::{AlertRule, Watch};
//!
//! let objective = Objective {
//!     name: Arc::from("payment-latency"),
//!     parts: vec![Part {
//!         scope: Scope::of("payment"),
//!         indicator: Indicator::Latency { threshold: Duration::from_millis(500) },
//!         target: 0.999,
//!         ..Part::default()
//!     }],
//!     alerts: AlertRule::workbook(),
//!     ..Objective::default()
//! };
//! let mut watch = Watch::new(vec![objective]).expect("a sound objective");
//! assert!(watch.tick(Timestamp::from_millis(1_795_000_000_000)).is_empty());
//! ```

mod histogram;
mod native;
mod exemplar;
mod distance;
mod trend;
mod indicators;
mod topics;
mod producers;
mod slices;
mod calendar;
pub mod objective;
mod rule;
pub mod openslo;
mod exclusion;
mod tally;
mod budget;
mod gate;
mod alert;
mod routing;
mod chains;
mod tracked;
mod watch;
pub mod sla;
mod snapshot;

#[cfg(test)]
mod testing;

/// The node's reader of YAML is among the tests, and names this crate.
#[cfg(test)]
extern crate self as evenkeel_watch;

pub use alert::{Alert, AlertEvent};
pub use budget::{Budget, Point};
pub use calendar::Calendar;
pub use chains::{AtStep, ChainEnd, ChainRule, Chains, ChainsView};
pub use distance::Pace;
pub use exclusion::{Excluded, Exclusion};
pub use exemplar::Exemplar;
pub use gate::{ln_tail, tail};
pub use histogram::Histogram;
pub use indicators::{Group, GroupKey, Indicators, Outcomes, Recent};
pub use native::{NATIVE_SCHEMA, NATIVE_ZERO_S, Native};
pub use producers::{Producer, Sending};
pub use routing::{GroupBy, Matches, Muted, Notice, Routes, Routing, Silence};
pub use rule::{AlertRule, Severity, Trigger};
pub use slices::{Counts, Slices};
pub use snapshot::{
    BUCKET_BOUNDS_US, Buckets, GroupSnapshot, ObjectiveSnapshot, Snapshot, SubscriptionSnapshot, TopicSnapshot,
};
pub use topics::Topic;
pub use tracked::BadEvent;
pub use trend::{TREND_POINTS, TREND_STEP, Trend, TrendPoint};
pub use watch::{Ingested, Watch};
