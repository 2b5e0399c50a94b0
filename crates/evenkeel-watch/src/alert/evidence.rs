//! What is evidence that a service fails, and what that it no longer does.
//!
//! Both are exact binomial tests at the objective's alpha: too many bad events for one that is just
//! met, and, in the short window of an alert that fires, too few for a service that goes on failing
//! as it does over the long one. A failing service may let through half of its events by chance, so
//! recovery takes ten good events at the least (2⁻¹⁰ < 0.001); more where fewer events were bad.

use crate::gate::ln_tail;
use crate::objective::{Objective, Part};
use crate::tally::Tally;

/// However much fails, so much of it may succeed while it does.
const FAILS_MOST: f64 = 0.5;

/// Too many bad ones to be chance, if the objective were just met.
pub(super) fn is_of_failure(tallies: &[(&Part, Tally)], objective: &Objective) -> bool {
    let bad: u64 = tallies.iter().map(|(_, tally)| tally.events.bad).sum();
    let alpha = (objective.alpha / tallies.len().max(1) as f64).ln();
    let rare = |(part, tally): &(&Part, Tally)| ln_tail(tally.trials, tally.failures, part.allowed()) < alpha;
    bad >= objective.bad_min && tallies.iter().any(rare)
}

/// Too few bad ones to be chance, if each part that burns its share of the factor went on as in the long window.
pub(super) fn is_of_recovery(
    short: &[(&Part, Tally)],
    long: &[(&Part, Tally)],
    factor: f64,
    objective: &Objective,
) -> bool {
    let share = factor / long.len().max(1) as f64;
    short.iter().zip(long).all(|((_, short), (part, long))| {
        let burns = long.burn(part).is_some_and(|burn| part.weight * burn > share);
        let fails = (long.events.bad as f64 / long.events.valid().max(1) as f64).min(FAILS_MOST);
        // P(X ≤ bad) for X ~ Binomial(valid, fails). Where no event was bad, empty slices were: they say enough.
        !burns || fails == 0.0 || ln_tail(short.events.valid(), short.events.good, 1.0 - fails) < objective.alpha.ln()
    })
}
