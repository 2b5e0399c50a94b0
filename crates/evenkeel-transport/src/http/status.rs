//! What a status means, when the answer says nothing more: the table of docs/semantics.md.

use std::time::Duration;

use evenkeel_model::FailureClass;

/// What a 202 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Accepted {
    /// Done: the service took responsibility for the event.
    #[default]
    Ack,
    /// Failed: from this service only an answer after the work is done counts.
    Failed,
    /// Not yet: a callback says what came of it, within this time.
    Pending {
        /// How long it is waited for.
        within: Duration,
    },
}

/// What a status says of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Done,
    Failure(FailureClass),
}

/// The table.
pub(super) fn meaning(status: u16, accepted: Accepted) -> Meaning {
    match status {
        202 if accepted != Accepted::Ack => Meaning::Failure(FailureClass::Failed),
        200..=299 => Meaning::Done,
        429 | 503 => Meaning::Failure(FailureClass::Overload),
        400 | 413 | 415 | 422 => Meaning::Failure(FailureClass::Rejected),
        410 => Meaning::Failure(FailureClass::Gone),
        408 | 409 | 425 => Meaning::Failure(FailureClass::Failed),
        300..=499 => Meaning::Failure(FailureClass::Refused),
        _ => Meaning::Failure(FailureClass::Failed),
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_model::FailureClass::{self, Failed, Gone, Overload, Refused, Rejected};

    use super::{Accepted, Meaning, meaning};

    #[test]
    fn every_status_means_what_the_table_says() {
        let mut table: Vec<(u16, Option<FailureClass>)> = vec![
            (429, Some(Overload)),
            (503, Some(Overload)),
            (410, Some(Gone)),
            (101, Some(Failed)),
            (999, Some(Failed)),
        ];
        table.extend([400, 413, 415, 422].map(|s| (s, Some(Rejected))));
        table.extend([500, 501, 502, 504, 507, 599, 408, 409, 425].map(|s| (s, Some(Failed))));
        table.extend([300, 301, 302, 303, 304, 307, 308, 399].map(|s| (s, Some(Refused))));
        table.extend([401, 402, 403, 404, 405, 406, 418, 451, 499].map(|s| (s, Some(Refused))));
        table.extend([200, 201, 202, 203, 204, 206, 299].map(|s| (s, None)));
        for (status, class) in table {
            let expected = class.map_or(Meaning::Done, Meaning::Failure);
            assert_eq!(meaning(status, Accepted::Ack), expected, "{status}");
        }
    }

    #[test]
    fn a_202_fails_only_where_the_setting_says_so() {
        assert_eq!(meaning(202, Accepted::Failed), Meaning::Failure(Failed));
        assert_eq!(meaning(200, Accepted::Failed), Meaning::Done);
    }
}
