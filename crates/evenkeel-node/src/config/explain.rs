//! The plan in words: what each subscription will do, and what is not so yet.

pub(super) mod topic;
mod push;
mod gate;

use std::fmt::Write as _;
use std::time::Duration;

use evenkeel_delivery::{Effects, Exhausted, Order, RetrySchedule};

use super::plan::{Plan, SubscriptionPlan};
use super::units::show_duration;

/// What the plan means, in lines of plain English.
pub fn explain(plan: &Plan) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "HTTP is served on {}; the data folder is {}.", plan.http, plan.data.display());
    let _ = writeln!(
        text,
        "kafka: {} is accepted, but this version speaks no Kafka yet: nothing is bound there.",
        plan.kafka
    );
    let _ = writeln!(
        text,
        "An event published again within {} is stored once, and answered with the first one's place.",
        show_duration(plan.publish_dedup)
    );
    let _ = writeln!(text, "{}", remembered(plan));
    let _ = writeln!(text, "{}", reached(&plan.allow));
    for name in gate::shared(plan) {
        let _ = writeln!(text, "{name}");
    }
    for broker in &plan.brokers {
        let _ = writeln!(text, "\n{}", super::brokers::explain(broker));
    }
    for declared in &plan.topics {
        let _ = writeln!(text, "\n{}", topic::kept(declared));
    }
    for intake in &plan.intakes {
        let _ = writeln!(text, "\n{}", super::intakes::explain(intake));
    }
    for subscription in &plan.subscriptions {
        let _ = writeln!(text, "\n{}", subscribed(subscription));
    }
    if plan.subscriptions.is_empty() {
        let _ = writeln!(text, "No subscription: events are kept, and nobody is called.");
    }
    if let (Some(pattern), true) = (&plan.objectives_from, plan.objectives.is_empty()) {
        let _ = writeln!(text, "\nNo objective: no SLO was found in `{pattern}`.");
    }
    for objective in &plan.objectives {
        let _ = writeln!(text, "\n{}", super::objectives::explain(objective));
    }
    for agreement in &plan.agreements {
        let _ = writeln!(text, "\n{}", super::slas::explain(agreement, plan.ledger_retention));
    }
    for playbook in &plan.playbooks {
        let _ = writeln!(text, "\n{}", super::playbooks::explain(playbook));
    }
    for webhook in &plan.webhooks {
        let _ = writeln!(
            text,
            "\nEvery change of an alert is posted to `{}` ({}), and retried until it takes them.",
            webhook.name, webhook.url
        );
    }
    for chain in &plan.chains {
        let _ = writeln!(text, "\n{}", super::chains::explain(chain));
    }
    if let Some(otlp) = &plan.telemetry {
        let _ = writeln!(text, "\n{}", super::telemetry::explain(otlp));
    }
    let told =
        [("falls silent", plan.producers.silent), ("sends at least twice as much as usual", plan.producers.surging)];
    for (does, severity) in told.into_iter().filter_map(|(does, severity)| Some((does, severity?))) {
        let _ = writeln!(text, "\nA source that {does} is an alert ({}).", severity.name());
    }
    for receiver in &plan.receivers {
        let _ = writeln!(text, "\n{}", super::receivers::explain(receiver));
    }
    text
}

/// How far back accounts reach, and what identities cost.
fn remembered(plan: &Plan) -> String {
    format!(
        "What became of each event is kept for {}: audits, stories and objectives reach back so far. An identity that an inbox, or the way in, remembers takes 20 bits of memory: 100 million of them 250 MB.",
        show_duration(plan.ledger_retention)
    )
}

/// Which addresses handlers may have.
fn reached(allow: &[String]) -> String {
    let whom = if allow.is_empty() { "any address".to_owned() } else { format!("only {}", allow.join(", ")) };
    format!("Handlers may have {whom}; a metadata service of a cloud is called only where `handlers.allow` names it.")
}

/// What one subscription does, a sentence a line.
pub(crate) fn subscribed(plan: &SubscriptionPlan) -> String {
    let policy = &plan.policy;
    let passing = if plan.filter.is_some() { " that passes its filter" } else { "" };
    let mut lines = vec![
        format!(
            "{}: every event of `{}`{passing} goes to {}, which has {} to answer.",
            plan.name,
            plan.topic,
            plan.push.shown(),
            show_duration(policy.timeout)
        ),
        match policy.order {
            Order::Key => "Events of one key go one after the other; other keys do not wait for them.".to_owned(),
            Order::Partition => "Events of one partition go one after the other.".to_owned(),
            Order::None => "Events do not wait for each other: order is not kept.".to_owned(),
        },
        retried(&policy.retry),
        match policy.when_exhausted {
            Exhausted::Skip => {
                format!("Then it is a dead letter in `{}.dead`, and the events behind it go on.", plan.name)
            }
            Exhausted::ParkKey => "Then its key stays parked until an operator releases or skips it.".to_owned(),
            Exhausted::Pause => {
                "Then the subscription stops, with the event in its place, until it is resumed.".to_owned()
            }
        },
        format!(
            "It pauses when {} events in a row become dead letters, or more than {:.0} % of at least {} within {}.",
            policy.dead_budget.run,
            policy.dead_budget.share * 100.0,
            policy.dead_budget.min,
            show_duration(policy.dead_budget.window),
        ),
    ];
    lines.extend(push::sentences(&plan.push, policy));
    lines.extend(gate::lines(policy));
    lines.extend(gate::falls_back(plan));
    lines.push(match (policy.effects, &plan.effects_topic) {
        (Effects::Log, Some(topic)) => {
            format!("Events that it returns are stored in `{topic}` together with the outcome, or not at all.")
        }
        (Effects::Fenced, _) => {
            "A call may be repeated after a crash; the handler promises to honour its Idempotency-Key.".to_owned()
        }
        _ => "A call may be repeated after a crash (at least once): `effects` promises nothing more.".to_owned(),
    });
    lines.push(repeats(plan));
    lines.extend(stale(plan));
    lines.join("\n  ")
}

fn repeats(plan: &SubscriptionPlan) -> String {
    let by = match &plan.identity {
        Some(pick) => format!(" by {pick} (where an event has none, by its `id`), and so is its Idempotency-Key made"),
        None => String::new(),
    };
    format!("A repeat of an event is recognised for {}{by}.", show_duration(plan.policy.inbox))
}

fn stale(plan: &SubscriptionPlan) -> Option<String> {
    let (pick, keys) = (plan.sequence.as_ref()?, plan.policy.versions);
    Some(format!(
        "An event whose {} is less than that of the last completed one of its key ends as stale, and is not handled; that is remembered of the {keys} keys completed last (at most {} MB).",
        pick.to_string().trim_start_matches("the "),
        (keys * 110).div_ceil(1_000_000),
    ))
}

fn retried(retry: &RetrySchedule) -> String {
    if retry.attempts == 1 {
        return "An event that fails is not tried again.".to_owned();
    }
    format!(
        "An event that keeps failing is tried {} times over about {} (at most {}), the first pause at most {}, each {}× longer, none above {}.",
        retry.attempts,
        rounded(expected(retry)),
        rounded(longest(retry)),
        show_duration(retry.initial),
        retry.factor,
        show_duration(retry.max),
    )
}

/// The sum of all pauses when each is drawn as long as it may be, within the age.
fn longest(retry: &RetrySchedule) -> Duration {
    let mut total = Duration::ZERO;
    let mut bound = retry.initial;
    for _ in 1..retry.attempts {
        total = total.saturating_add(bound.min(retry.max));
        if total >= retry.age {
            return retry.age;
        }
        bound = Duration::try_from_secs_f64(bound.as_secs_f64() * retry.factor).unwrap_or(Duration::MAX);
    }
    total
}

/// Full jitter draws half of each bound on average.
fn expected(retry: &RetrySchedule) -> Duration {
    longest(retry) / 2
}

pub(super) fn rounded(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0 => show_duration(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(0))),
        1..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        _ => format!("{} d", s / 86_400),
    }
}
