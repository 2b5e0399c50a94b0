//! What the tests of this crate share: a ledger that is written by hand, and dice.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::{Ended, LedgerEntry, LedgerRecord, Overdue};
use evenkeel_model::{Outcome, Timestamp};

use crate::objective::{Indicator, Objective, Part, Scope, Window};
use crate::rule::AlertRule;

pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// splitmix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// In (0, 1].
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// The time to the next of events that come at random, `mean` apart.
    pub(crate) fn gap(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-self.unit().ln())
    }
}

/// Writes the records of partition 0 of `orders` for `payment`, one entry each.
#[derive(Default)]
pub(crate) struct Ledger {
    sequence: u64,
}

impl Ledger {
    /// Goes on with the record of this sequence.
    pub(crate) fn at(sequence: u64) -> Ledger {
        Ledger { sequence }
    }

    pub(crate) fn record(&mut self, at: Timestamp, entry: LedgerEntry) -> LedgerRecord {
        self.sequence += 1;
        LedgerRecord {
            subscription: Arc::from("payment"),
            topic: Arc::from("orders"),
            partition: 0,
            sequence: self.sequence - 1,
            at,
            entries: vec![entry],
        }
    }

    pub(crate) fn ended(&mut self, offset: u64, at: Timestamp, outcome: Outcome, latency: Duration) -> LedgerRecord {
        self.record(at, LedgerEntry::Ended(ended(offset, at, outcome, latency)))
    }

    pub(crate) fn overdue(&mut self, offset: u64, at: Timestamp, threshold: Duration) -> LedgerRecord {
        let threshold_us = threshold.as_micros() as u64;
        self.record(at, LedgerEntry::Overdue(Overdue { offset, at, threshold_us }))
    }
}

pub(crate) fn ended(offset: u64, at: Timestamp, outcome: Outcome, latency: Duration) -> Ended {
    Ended {
        handler_version: Arc::from("1"),
        created_to_ended_us: latency.as_micros() as u64,
        handler_us: 10_000,
        ..Ended::at_once(offset, outcome, "OrderCreated", "/shop", at)
    }
}

/// 99.9 % of `payment` completed, over 30 days, with the Workbook's alerts.
pub(crate) fn success() -> Objective {
    Objective {
        name: Arc::from("payment-success"),
        service: Arc::from("shop"),
        parts: vec![Part { scope: Scope::of("payment"), ..Part::default() }],
        window: Window::Rolling(30 * DAY),
        alerts: AlertRule::workbook(),
        ..Objective::default()
    }
}

/// 99.9 % of `payment` within `threshold`, over 30 days, without alerts.
pub(crate) fn latency(name: &str, threshold: Duration) -> Objective {
    let part = Part { indicator: Indicator::Latency { threshold }, ..success().parts[0].clone() };
    Objective { name: Arc::from(name), parts: vec![part], alerts: Vec::new(), ..success() }
}
