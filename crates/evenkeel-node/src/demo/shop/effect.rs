//! An effect: one line in a service's book, from which its answer can be given again.

use serde::{Deserialize, Serialize};

use super::book::Line;
use super::call::Call;

/// What a service did, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Effect {
    pub(crate) key: String,
    /// `reserve`, `release`, `capture`, `ship`, `cancel`, or `alert`.
    pub(crate) effect: String,
    pub(crate) order: String,
    pub(crate) event: String,
    pub(crate) customer: Option<String>,
    pub(crate) units: i64,
    pub(crate) pence: i64,
    pub(crate) attempt: u32,
    pub(crate) at: String,
}

impl Line for Effect {
    fn key(&self) -> String {
        self.key.clone()
    }
}

impl Effect {
    pub(crate) fn of(call: &Call, effect: &str, at: String) -> Effect {
        Effect {
            key: call.key.clone(),
            effect: effect.to_owned(),
            order: call.order(),
            event: call.id.clone(),
            customer: call.customer.clone(),
            units: 0,
            pence: 0,
            attempt: call.attempt,
            at,
        }
    }
}
