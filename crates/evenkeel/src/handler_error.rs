//! What a handler says when it is not done: the verdicts but `ack`.

use std::time::Duration;

use evenkeel_model::{Timestamp, Verdict};

/// Why a handler did not do its work, and what is to become of the event.
///
/// Every [`std::error::Error`] becomes one with `?`, and means "try again".
///
/// ```
/// use evenkeel::HandlerError;
/// fn amount(text: &str) -> Result<u64, HandlerError> {
///     // A database that does not answer would be retried just so, by `?`; a wrong amount will
///     // be wrong for ever.
///     text.parse().map_err(|_| HandlerError::reject(format!("`{text}` is no amount")))
/// }
/// assert!(amount("12").is_ok());
/// assert!(amount("twelve").is_err());
/// ```
// Not an `Error` itself: that is what lets every other error become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerError(Verdict);

impl HandlerError {
    /// It failed: try again, by the schedule of the subscription.
    pub fn retry(message: impl Into<String>) -> HandlerError {
        HandlerError(Verdict::Retry { after: None, message: message.into(), dependency: None })
    }

    /// It failed: try again, but not earlier than in `after`.
    pub fn retry_after(after: Duration, message: impl Into<String>) -> HandlerError {
        HandlerError(Verdict::Retry { after: Some(after), message: message.into(), dependency: None })
    }

    /// It failed because of that dependency: try again, and let its breaker count it. A breaker that several
    /// subscriptions share counts only such failures.
    pub fn retry_blaming(dependency: impl Into<String>, message: impl Into<String>) -> HandlerError {
        let dependency = Some(dependency.into());
        HandlerError(Verdict::Retry { after: None, message: message.into(), dependency })
    }

    /// It never will succeed: dead-letter the event now.
    pub fn reject(reason: impl Into<String>) -> HandlerError {
        HandlerError(Verdict::Reject { reason: reason.into() })
    }

    /// The event is not wanted; that goes on the record.
    pub fn drop(reason: impl Into<String>) -> HandlerError {
        HandlerError(Verdict::Drop { reason: reason.into() })
    }

    /// Not now: come again at `until`. Spends no attempt.
    pub fn defer(until: Timestamp) -> HandlerError {
        HandlerError(Verdict::Defer { until })
    }

    /// Overloaded: come again, in `after` if that is known, with fewer at once. Spends no attempt.
    pub fn busy(after: Option<Duration>) -> HandlerError {
        HandlerError(Verdict::Busy { after })
    }

    /// That dependency is down: open its breaker.
    pub fn pause(dependency: impl Into<String>) -> HandlerError {
        HandlerError(Verdict::Pause { dependency: dependency.into() })
    }

    /// The verdict that it stands for.
    pub fn verdict(&self) -> &Verdict {
        &self.0
    }

    pub(crate) fn into_verdict(self) -> Verdict {
        self.0
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> HandlerError {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        HandlerError::retry(message)
    }
}
