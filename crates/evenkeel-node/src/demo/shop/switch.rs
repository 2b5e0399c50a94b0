//! The fault switch of a service: what it does wrong, on request.
//!
//! `ok` ends every mode but `wedged`, which only `POST /recycle` ends: a wedged service is one
//! that nobody but a playbook repairs.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;

/// What may be posted to `/faults`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Fault {
    Ok,
    /// Answers with this status and does nothing.
    Down {
        status: u16,
    },
    /// Does it, then answers late.
    Slow {
        ms: u64,
    },
    /// Takes the call and never answers.
    Hang,
    /// Answers 500 until it is recycled.
    Wedged,
    /// This order makes it fail each time.
    Poison {
        order: String,
    },
    /// This order no longer does.
    Cured {
        order: String,
    },
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Turn {
    Serve { after: Duration },
    Refuse(StatusCode),
    Hang,
}

/// The switch.
#[derive(Default)]
pub(crate) struct Switch {
    state: Mutex<Turned>,
}

#[derive(Default)]
struct Turned {
    mode: Option<Fault>,
    poison: HashSet<String>,
}

impl Switch {
    pub(crate) fn turn(&self, fault: Fault) {
        let mut state = self.turned();
        match fault {
            Fault::Poison { order } => drop(state.poison.insert(order)),
            Fault::Cured { order } => drop(state.poison.remove(&order)),
            Fault::Ok if state.mode == Some(Fault::Wedged) => {}
            Fault::Ok => state.mode = None,
            other => state.mode = Some(other),
        }
    }

    /// Ends every mode, `wedged` too; the poison stays what it is.
    pub(crate) fn recycle(&self) {
        self.turned().mode = None;
    }

    pub(crate) fn meets(&self, order: &str) -> Turn {
        let state = self.turned();
        if state.poison.contains(order) {
            return Turn::Refuse(StatusCode::INTERNAL_SERVER_ERROR);
        }
        match &state.mode {
            Some(Fault::Down { status }) => {
                Turn::Refuse(StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY))
            }
            Some(Fault::Wedged) => Turn::Refuse(StatusCode::INTERNAL_SERVER_ERROR),
            Some(Fault::Hang) => Turn::Hang,
            Some(Fault::Slow { ms }) => Turn::Serve { after: Duration::from_millis(*ms) },
            _ => Turn::Serve { after: Duration::ZERO },
        }
    }

    fn turned(&self) -> std::sync::MutexGuard<'_, Turned> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::StatusCode;

    use super::{Fault, Switch, Turn};

    const SERVED: Turn = Turn::Serve { after: Duration::ZERO };

    #[test]
    fn only_a_recycle_ends_wedged() {
        let switch = Switch::default();
        switch.turn(Fault::Wedged);
        switch.turn(Fault::Ok);
        assert_eq!(switch.meets("1"), Turn::Refuse(StatusCode::INTERNAL_SERVER_ERROR));
        switch.recycle();
        assert_eq!(switch.meets("1"), SERVED);
    }

    #[test]
    fn poison_is_one_order_and_survives_other_modes() {
        let switch = Switch::default();
        switch.turn(Fault::Poison { order: "7".into() });
        switch.turn(Fault::Slow { ms: 5 });
        switch.turn(Fault::Ok);
        assert_eq!(switch.meets("7"), Turn::Refuse(StatusCode::INTERNAL_SERVER_ERROR));
        assert_eq!(switch.meets("8"), SERVED);
        switch.turn(Fault::Cured { order: "7".into() });
        assert_eq!(switch.meets("7"), SERVED);
    }

    #[test]
    fn a_fault_is_read_from_json_and_an_unknown_one_refused() {
        let down: Fault = serde_json::from_str(r#"{"mode":"down","status":502}"#).unwrap();
        assert_eq!(down, Fault::Down { status: 502 });
        assert!(serde_json::from_str::<Fault>(r#"{"mode":"tired"}"#).is_err());
    }
}
