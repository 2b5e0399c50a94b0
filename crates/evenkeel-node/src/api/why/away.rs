//! What is known of an event whose partition another node has: what its journal holds at the broker.

use evenkeel_delivery::PendingWhy;
use evenkeel_model::Timestamp;

use super::{in_a_while, place};
use crate::forms::time;
use crate::wiring::Elsewhere;

/// In sentences.
pub(super) fn says(of: &Elsewhere, now: Timestamp) -> Vec<String> {
    let partition = of.partition;
    let Some(pending) = &of.pending else {
        return vec![format!(
            "partition {partition} is another node's: it was not read there yet, or is at its handler; `why` at that node says more"
        )];
    };
    let (at, until) = (place(&pending.at), in_a_while(pending.next_at, now));
    let booked = pending.counters.attempts;
    let mut said = vec![match pending.why {
        PendingWhy::Deferred => format!("{at} was put off at no cost until {until}"),
        PendingWhy::Exhausted => {
            format!("the attempts of {at} ran out, and it waits for an operator: `parked release` or `parked skip`")
        }
        PendingWhy::Undecided => {
            format!("nobody can tell whether {at} or its handler is at fault; it is tried again at {until}")
        }
        PendingWhy::Retry => format!("{at} waits for its next try at {until}: {booked} attempts are booked"),
    }];
    said.extend(pending.failure.as_ref().map(|failure| {
        let status = failure.status.map(|s| format!(" {s}")).unwrap_or_default();
        let (at, class) = (time(failure.last_failed_at), failure.class.name());
        format!("it failed last at {at}: {class}{status}, {}", failure.message)
    }));
    said.push(format!("partition {partition} is another node's: this is what its journal holds at the broker"));
    said
}
