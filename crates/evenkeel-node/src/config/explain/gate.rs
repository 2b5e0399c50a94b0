//! The gate in words: when events wait instead of being called for, and for how long.

use evenkeel_delivery::{BreakerPolicy, Freshness, Policy};

use super::super::plan::{FallbackPlan, Plan, SubscriptionPlan};
use super::super::units::{show_duration, show_rate, show_size};

/// What stands between a subscription's events and its handler.
pub(super) fn lines(policy: &Policy) -> Vec<String> {
    let mut lines = vec![format!(
        "While its handler cannot be reached, or its breaker is open, events wait and lose no attempts: it opens {}.",
        opens(&policy.handler_breaker)
    )];
    lines.push(format!(
        "Up to {} keys may be parked, and {} events behind one of them; at that, reading stops until four fifths are left. \
         While the window of {} events is full, a key whose first event is at the handler for {} is put aside as well, in memory. \
         Parked events outlive the retention of their topic: up to {} of them are held aside, and beyond that the topic keeps them.",
        policy.parking.keys,
        policy.parking.per_key,
        policy.window,
        show_duration(policy.parking.slow_after),
        show_size(policy.parking.held),
    ));
    let at_once = policy.concurrency;
    lines.push(format!(
        "At most {} at once, {} together; it begins with {}, and finds out itself how many are good for the handler: fewer (never below {}) when it says busy, 429 or 503, or takes half again as long as with little to do.",
        at_once.max,
        show_size(at_once.bytes),
        16_u32.clamp(at_once.min, at_once.max),
        at_once.min,
    ));
    if let Some(rate) = policy.rate {
        lines.push(format!(
            "At most {} in the long run, {} at once after a pause; what comes faster waits.",
            show_rate(rate.per_second),
            rate.burst,
        ));
    }
    let budget = policy.retry_budget;
    lines.push(format!(
        "For 100 first tries there are at most {:.0} retries, and {} besides; a retry beyond that waits and spends nothing.",
        budget.share * 100.0,
        show_rate(budget.min_per_second),
    ));
    lines.push(shedding(policy));
    for (name, breaker) in &policy.depends_on {
        lines.push(format!("It stops calling while `{name}` is down: {}.", opens(breaker)));
    }
    lines
}

fn shedding(policy: &Policy) -> String {
    let late = policy.backlog.map_or_else(String::new, |bound| {
        format!(", or while the most urgent event that waits is older than {}", show_duration(bound))
    });
    let first = match policy.freshness {
        Freshness::Fifo => "Within a class the oldest goes first.".to_owned(),
        Freshness::LifoWhenBacklogged { after } => {
            format!(
                "Within a class the oldest goes first, or the newest of those that were read while the oldest is older than {}; a key keeps its order.",
                show_duration(after)
            )
        }
    };
    format!(
        "While the handler sheds at its lowest concurrency{late}, events are put off for 5 to 10 s by their `priority` (0 to 9, 4 without one), the lowest first, one class more each second and never the highest that waits or came lately. {first}"
    )
}

/// Who takes what meets an open breaker.
pub(super) fn falls_back(plan: &SubscriptionPlan) -> Option<String> {
    let after = show_duration(plan.policy.fallback?.after);
    let (to, what) = match plan.fallback.as_ref()? {
        FallbackPlan::Handler(push) => (push.shown(), "what that cannot do waits"),
        FallbackPlan::Topic(topic) => (format!("topic `{topic}`"), "each in one step with its outcome"),
    };
    Some(format!(
        "When a breaker has been open for {after}, events go to {to} instead of waiting, and count as completed, with `fallback` on the record; {what}."
    ))
}

/// Dependencies that several subscriptions name, a line each.
pub(super) fn shared(plan: &Plan) -> Vec<String> {
    let sharers = |name: &str| {
        let names = |s: &&SubscriptionPlan| s.policy.depends_on.iter().any(|(n, _)| &**n == name);
        plan.subscriptions.iter().filter(names).map(|s| format!("`{}`", s.name)).collect::<Vec<_>>()
    };
    let all = plan.dependencies.iter().map(|(name, _)| (name, sharers(name)));
    all.filter(|(_, by)| by.len() > 1)
        .map(|(name, by)| {
            format!(
                "`{name}` is shared by {}: it counts only failures that name it (`retry; dependency={name}`, `pause; dependency={name}`), one probe at a time over all.",
                by.join(", ")
            )
        })
        .collect()
}

/// `after …; then it probes …`.
fn opens(breaker: &BreakerPolicy) -> String {
    let slow = breaker.slow_call.map_or_else(String::new, |bound| {
        format!(", or when {:.0} % of them take {} or more", breaker.slow_ratio * 100.0, show_duration(bound))
    });
    format!(
        "after {} failures in a row over at least two events, or when {:.0} % of at least {} calls in {} fail{slow}; the first probe goes out after {}, each that fails doubles the pause, up to {}",
        breaker.consecutive,
        breaker.failure_ratio * 100.0,
        breaker.min_calls,
        show_duration(breaker.window),
        show_duration(breaker.open),
        show_duration(breaker.longest_open()),
    )
}
