//! What a verdict means: does it end the event, what does it spend, whom does it accuse.
//!
//! The class table of the design as one pure function; what follows from it is done elsewhere.

use evenkeel_model::{Failure, FailureClass, Outcome, Timestamp, Verdict};

use super::breakers::{Accused, Breakers};

/// A verdict, understood.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// The event has its outcome.
    Ends { outcome: Outcome, status: Option<u16>, message: String },
    /// It comes again.
    Again(Again),
}

#[derive(Debug, PartialEq)]
pub(super) struct Again {
    pub(super) class: FailureClass,
    pub(super) status: Option<u16>,
    pub(super) message: String,
    /// The handler's wish: not before this time.
    pub(super) not_before: Option<Timestamp>,
    /// True when `not_before` is the time itself, not the lower bound of a drawn one.
    pub(super) exactly: bool,
    /// Whose breakers count it as a failure.
    pub(super) accused: Accused,
    /// The breaker that the handler asked to open.
    pub(super) opens: Accused,
}

pub(super) fn meaning(verdict: Verdict, now: Timestamp, breakers: &Breakers) -> Meaning {
    match verdict {
        Verdict::Ack => ends(Outcome::Completed, None, String::new()),
        Verdict::Reject { reason } => ends(Outcome::Dead, None, reason),
        Verdict::Drop { reason } => ends(Outcome::Dropped, None, reason),
        Verdict::Failed(failure) if failure.class == FailureClass::Rejected => {
            ends(Outcome::Dead, failure.status, failure.message)
        }
        Verdict::Failed(failure) => Meaning::Again(failed(failure, now, breakers)),
        Verdict::Retry { after, message, dependency } => Meaning::Again(Again {
            not_before: after.map(|d| now + d),
            accused: dependency.map_or_else(|| breakers.unnamed(), |name| breakers.named(&name)),
            ..again(FailureClass::Failed, message)
        }),
        Verdict::Defer { until } => Meaning::Again(Again {
            not_before: Some(until),
            exactly: true,
            ..again(FailureClass::Deferred, "the handler said defer".to_owned())
        }),
        Verdict::Busy { after } => Meaning::Again(Again {
            not_before: after.map(|d| now + d),
            ..again(FailureClass::Overload, "the handler said busy".to_owned())
        }),
        Verdict::Pause { dependency } => Meaning::Again(Again {
            opens: breakers.named(&dependency),
            ..again(FailureClass::Deferred, format!("the handler said that `{dependency}` is down"))
        }),
    }
}

/// It comes again at no cost, whatever the handler said.
pub(super) fn put_off(message: String) -> Again {
    again(FailureClass::Deferred, message)
}

fn ends(outcome: Outcome, status: Option<u16>, message: String) -> Meaning {
    Meaning::Ends { outcome, status, message }
}

fn again(class: FailureClass, message: String) -> Again {
    Again {
        class,
        status: None,
        message,
        not_before: None,
        exactly: false,
        accused: Accused::NOBODY,
        opens: Accused::NOBODY,
    }
}

fn failed(failure: Failure, now: Timestamp, breakers: &Breakers) -> Again {
    Again {
        status: failure.status,
        not_before: failure.retry_after.map(|d| now + d),
        accused: accused(&failure, breakers),
        ..again(failure.class, failure.message)
    }
}

/// No answer accuses the handler; an answer that names nobody accuses what the handler depends
/// on; one that speaks of the call itself (3xx, 4xx) accuses the handler.
fn accused(failure: &Failure, breakers: &Breakers) -> Accused {
    let speaks_of_the_call = failure.status.is_some_and(|s| s < 500);
    match failure.class {
        FailureClass::Unreachable | FailureClass::Refused => Accused::HANDLER,
        FailureClass::Failed | FailureClass::SuspectedCrash if failure.unanswered || speaks_of_the_call => {
            Accused::HANDLER
        }
        FailureClass::Failed | FailureClass::SuspectedCrash => breakers.unnamed(),
        FailureClass::Overload if failure.status == Some(503) && failure.retry_after.is_none() => breakers.unnamed(),
        FailureClass::Overload | FailureClass::Rejected | FailureClass::Gone | FailureClass::Deferred => {
            Accused::NOBODY
        }
    }
}

/// True when a failure of this class spends an attempt, provisionally.
pub(super) fn spends(class: FailureClass) -> bool {
    matches!(class, FailureClass::Failed | FailureClass::Refused | FailureClass::SuspectedCrash)
}
