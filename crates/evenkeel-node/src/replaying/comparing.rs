//! What came of an event now, beside what came of it then. Pure.

use evenkeel_delivery::ports::Answer;
use evenkeel_model::{Outcome, Position, Verdict};

/// Differences that are named one by one; the others are counted.
pub(super) const DIFFERENCES_MAX: usize = 100;

/// What comes of an event now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Now {
    /// The handler took it.
    Completed,
    /// It rejected it: a dead letter, were this no replay.
    Dead,
    /// It dropped it.
    Dropped,
    /// The filter passes it over, or it cannot be read.
    NotCalled,
    /// No verdict to compare: it failed, or put the event off.
    Failed,
}

impl Now {
    /// All of them.
    pub(crate) const ALL: [Now; 5] = [Now::Completed, Now::Dead, Now::Dropped, Now::NotCalled, Now::Failed];

    /// The name that users see.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Now::Completed => "completed",
            Now::Dead => "dead",
            Now::Dropped => "dropped",
            Now::NotCalled => "not_called",
            Now::Failed => "failed",
        }
    }
}

/// An event whose end is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) at: Position,
    pub(crate) id: String,
    pub(crate) was: Outcome,
    pub(crate) now: Now,
}

/// Sums of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) completed: u64,
    pub(crate) dead: u64,
    pub(crate) dropped: u64,
    pub(crate) not_called: u64,
    pub(crate) failed: u64,
    /// Events that ended then as they would now.
    pub(crate) same: u64,
    pub(crate) different: u64,
    /// Events of which the ledger knows no end that could be compared.
    pub(crate) unknown: u64,
    /// Events that the handler returned; they were dropped.
    pub(crate) returned: u64,
}

impl Counts {
    /// Counts an event; its difference, if there is one.
    pub(super) fn take(&mut self, at: &Position, id: &str, was: Option<Outcome>, now: Now) -> Option<Difference> {
        self.events += 1;
        *match now {
            Now::Completed => &mut self.completed,
            Now::Dead => &mut self.dead,
            Now::Dropped => &mut self.dropped,
            Now::NotCalled => &mut self.not_called,
            Now::Failed => &mut self.failed,
        } += 1;
        let same = match (was, now) {
            (Some(Outcome::Completed), Now::Completed)
            | (Some(Outcome::Dead), Now::Dead | Now::Failed)
            | (Some(Outcome::Dropped), Now::Dropped)
            | (Some(Outcome::Filtered | Outcome::NotAnEvent), Now::NotCalled) => true,
            (Some(Outcome::Completed | Outcome::Dead | Outcome::Dropped | Outcome::Filtered), _) => false,
            _ => {
                self.unknown += 1;
                return None;
            }
        };
        if same {
            self.same += 1;
            return None;
        }
        self.different += 1;
        was.map(|was| Difference { at: at.clone(), id: id.to_owned(), was, now })
    }
}

/// What an answer comes to; `None` when the handler wants to be asked again.
pub(super) fn verdict(answer: &Answer) -> Option<Now> {
    use evenkeel_model::FailureClass;
    match &answer.verdict {
        Verdict::Ack => Some(Now::Completed),
        Verdict::Reject { .. } => Some(Now::Dead),
        Verdict::Drop { .. } => Some(Now::Dropped),
        Verdict::Failed(failure) if failure.class == FailureClass::Rejected => Some(Now::Dead),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_model::{Outcome, Position, Shard};

    use super::{Counts, Now};

    #[test]
    fn what_ended_the_same_way_is_no_difference_and_what_did_not_is_named() {
        let mut counts = Counts::default();
        let at = Position { shard: Shard::new("t", 0), offset: 3 };
        for (was, now) in [
            (Outcome::Completed, Now::Completed),
            (Outcome::Dead, Now::Dead),
            (Outcome::Dead, Now::Failed),
            (Outcome::Dropped, Now::Dropped),
            (Outcome::Filtered, Now::NotCalled),
        ] {
            assert_eq!(counts.take(&at, "e", Some(was), now), None);
        }
        for (was, now) in [
            (Outcome::Completed, Now::Dead),
            (Outcome::Completed, Now::Failed),
            (Outcome::Dead, Now::Completed),
            (Outcome::Filtered, Now::Completed),
        ] {
            let found = counts.take(&at, "e", Some(was), now).map(|d| (d.was, d.now));
            assert_eq!(found, Some((was, now)));
        }
        for was in [None, Some(Outcome::Duplicate), Some(Outcome::Expired)] {
            assert_eq!(counts.take(&at, "e", was, Now::Completed), None);
        }
        assert_eq!((counts.same, counts.different, counts.unknown, counts.events), (5, 4, 3, 12));
    }
}
