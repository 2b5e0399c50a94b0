//! Subscriptions: their policies read and checked, the topics that they name found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::{BreakerPolicy, DeadBudget, Effects, Exhausted, Order, Parking, Policy, RetrySchedule};
use evenkeel_model::names;

use super::{
    begin, breaker, bridge, choice, duration, fallback, filter, gate, or, parse, pick, positive, unknown, value,
};
use crate::config::plan::{Bridge, BrokerPlan, FallbackPlan, Home, Plan, Push, SubscriptionPlan};
use crate::config::{brokers, push, raw, reading, units};
use crate::error::Error;

/// How long a sink may take.
const BRIDGED: Duration = Duration::from_secs(30);

/// All subscriptions of the file.
pub(super) fn all(
    raw: BTreeMap<String, raw::Subscription>,
    plan: &Plan,
    folder: &Path,
) -> Result<Vec<SubscriptionPlan>, Error> {
    let names: Vec<String> = raw.keys().cloned().collect();
    let mut uids = BTreeMap::new();
    let mut all = Vec::with_capacity(raw.len());
    for (name, written) in raw {
        let one = one(&name, written, plan, &names, folder)?;
        if let Some(other) = uids.insert(one.uid.clone(), name.clone()) {
            return Err(value(&format!("subscriptions.{name}.uid"), format!("`{}` is that of `{other}`", one.uid)));
        }
        all.push(one);
    }
    no_circles(&all)?;
    Ok(all)
}

/// One subscription of a request: the keys are those of the file. `plan` has everything that it
/// may name, the subscriptions that run included; relative paths are relative to the data folder.
pub(crate) fn read(name: &str, written: serde_json::Value, plan: &Plan) -> Result<SubscriptionPlan, Error> {
    let raw: raw::Subscription = reading::from_value(&format!("subscriptions.{name}"), written)?;
    let names: Vec<String> = plan.subscriptions.iter().map(|s| s.name.to_string()).collect();
    let one = one(name, raw, plan, &names, &plan.data)?;
    let others: Vec<SubscriptionPlan> = plan.subscriptions.iter().filter(|s| s.name != one.name).cloned().collect();
    if let Some(other) = others.iter().find(|s| s.uid == one.uid) {
        return Err(value(&format!("subscriptions.{name}.uid"), format!("`{}` is that of `{}`", one.uid, other.name)));
    }
    let all: Vec<SubscriptionPlan> = others.into_iter().chain([one.clone()]).collect();
    no_circles(&all)?;
    Ok(one)
}

fn one(
    name: &str,
    raw: raw::Subscription,
    plan: &Plan,
    names: &[String],
    folder: &Path,
) -> Result<SubscriptionPlan, Error> {
    let at = |key: &str| format!("subscriptions.{name}.{key}");
    named(name)?;
    let topic = raw.topic.as_deref().ok_or_else(|| value(&at("topic"), "is missing"))?;
    let home = brokers::home(&at("topic"), topic, &plan.brokers)?;
    read_there(&at("topic"), home.as_ref())?;
    if home.is_none() {
        readable(&at("topic"), topic, plan, names)?;
    }
    let handler = raw.handler.unwrap_or_default();
    let (http, bridge) = reached(&at("handler"), handler.http, handler.publish.as_deref(), topic, plan)?;
    let mirror = bridge::mirrors(&at("handler.mirror"), handler.mirror, bridge.as_ref())?;
    let (effects, effects_topic) = effects(&at("effects"), raw.effects.unwrap_or_default(), plan, home.as_ref())?;
    let picked = pick::of(&at(""), raw.identity, raw.sequence, plan.topics.iter().find(|t| *t.name == *topic))?;
    let (fallback, falls_to) = fallback::fallback(&at("fallback"), raw.fallback, topic, plan, folder)?;
    one_fact(&at("fallback.topic"), home.as_ref(), falls_to.as_ref())?;
    let backlog = fallback::backlog(&at("backlog"), &raw.backlog)?;
    let policy = Policy {
        order: order(&at("order"), &raw.order, mirror)?,
        retry: retry(&at("retry"), raw.retry.unwrap_or_default())?,
        timeout: positive(
            &at("handler.http.timeout"),
            duration(&at("handler.http.timeout"), &http.timeout, Duration::from_secs(5))?,
        )?,
        when_exhausted: when_exhausted(&at("when_exhausted"), &raw.when_exhausted)?,
        concurrency: gate::concurrency(&at("concurrency"), &raw.concurrency.unwrap_or_default())?,
        rate: gate::rate(&at("rate"), raw.rate.as_deref(), &at("burst"), raw.burst)?,
        retry_budget: gate::retry_budget(&at("retry_budget"), &raw.retry_budget.unwrap_or_default())?,
        handler_breaker: breaker::read(&at("breaker"), raw.breaker.unwrap_or_default())?,
        depends_on: depends_on(&at("depends_on"), raw.depends_on, plan)?,
        dead_budget: dead_budget(&at("dead_letter_budget"), &raw.dead_letter_budget.unwrap_or_default())?,
        parking: parking_limits(&at("parking"), &raw.parking.unwrap_or_default())?,
        inbox: inbox(&at("inbox"), &raw.inbox, plan)?,
        fallback,
        freshness: fallback::freshness(&at("freshness"), &raw.freshness, backlog)?,
        backlog,
        effects,
        versions: picked.versions,
        handler_version: Arc::from(handler.version.unwrap_or_default()),
        ..Policy::default()
    };
    // A broker that is slow is not one that is away: its own time-outs are shorter.
    let policy = if bridge.is_some() { Policy { timeout: BRIDGED, ..policy } } else { policy };
    Ok(SubscriptionPlan {
        name: Arc::from(name),
        uid: raw.uid.unwrap_or_else(|| name.to_owned()),
        topic: Arc::from(topic),
        home,
        filter: raw.filter.as_ref().map(|written| filter::read(&at("filter"), written)).transpose()?,
        filter_written: raw.filter,
        identity: picked.identity,
        sequence: picked.sequence,
        push: match bridge.as_ref().and(handler.publish) {
            None => push::read(&at("handler.http"), http, plan, folder)?,
            Some(address) => Push::to(address),
        },
        bridge,
        mirror,
        from: begin::from(&at("from"), raw.from.as_ref())?,
        effects_topic,
        fallback: falls_to,
        policy,
    })
}

fn order(at: &str, written: &Option<String>, mirror: bool) -> Result<Order, Error> {
    match or(written, if mirror { "partition" } else { "key" }) {
        other @ ("key" | "none") if mirror => {
            Err(value(at, format!("is `{other}`, and a mirror keeps that of each partition")).hint("leave it out"))
        }
        "key" => Ok(Order::Key),
        "partition" => Ok(Order::Partition),
        "none" => Ok(Order::None),
        other => Err(choice(at, other, &["key", "partition", "none"])),
    }
}

fn when_exhausted(at: &str, written: &Option<String>) -> Result<Exhausted, Error> {
    match or(written, "skip") {
        "skip" => Ok(Exhausted::Skip),
        "park_key" => Ok(Exhausted::ParkKey),
        "pause" => Ok(Exhausted::Pause),
        other => Err(choice(at, other, &["skip", "park_key", "pause"])),
    }
}

/// Declared topics, dead-letter topics of declared subscriptions, and the node's own.
/// An inbox is made again from the journal when its files are gone, so it may not be longer.
fn inbox(at: &str, raw: &Option<String>, plan: &Plan) -> Result<Duration, Error> {
    let inbox = duration(at, raw, Duration::from_secs(7 * 86_400).min(plan.ledger_retention))?;
    if inbox <= plan.ledger_retention {
        return Ok(inbox);
    }
    let (inbox, kept) = (units::show_duration(inbox), units::show_duration(plan.ledger_retention));
    let why = format!("{inbox} is longer than what it is made from is kept (`ledger.retention`: {kept})");
    Err(value(at, why).hint(format!("write `ledger: {{ retention: {inbox} }}`, or a shorter inbox")))
}

fn readable(at: &str, topic: &str, plan: &Plan, subscriptions: &[String]) -> Result<(), Error> {
    let own = [names::ALERTS_TOPIC, names::INCIDENTS_TOPIC];
    let dead: Vec<String> = subscriptions.iter().map(|s| format!("{s}{}", names::DEAD_SUFFIX)).collect();
    let known: Vec<&str> =
        plan.topics.iter().map(|t| &*t.name).chain(dead.iter().map(String::as_str)).chain(own).collect();
    if known.contains(&topic) { Ok(()) } else { Err(unknown(at, "topic", topic, &known)) }
}

fn effects(
    at: &str,
    raw: raw::Effects,
    plan: &Plan,
    home: Option<&Home>,
) -> Result<(Effects, Option<Arc<str>>), Error> {
    let mode = match or(&raw.mode, "none") {
        "none" => Effects::None,
        "fenced" => Effects::Fenced,
        "log" => Effects::Log,
        other => return Err(choice(&format!("{at}.mode"), other, &["none", "fenced", "log"])),
    };
    match (mode, raw.topic) {
        (Effects::Log, None) => {
            Err(value(&format!("{at}.topic"), "is missing: with `log`, returned events need a topic"))
        }
        (Effects::Log, Some(topic)) => {
            let there = brokers::home(&format!("{at}.topic"), &topic, &plan.brokers)?;
            match (home, there) {
                (Some(home), Some(there)) if home.broker == there.broker => return Ok((mode, Some(Arc::from(topic)))),
                (None, None) => {}
                (Some(home), _) => return Err(elsewhere(at, &topic, &home.broker)),
                (None, Some(there)) => {
                    return Err(value(
                        &format!("{at}.topic"),
                        format!(
                            "is at broker `{}`, and the outcome is journaled here: they could not be one fact",
                            there.broker.name
                        ),
                    )
                    .hint("return them to a topic of this node, and bridge that: `handler: { publish: … }`"));
                }
            }
            let known: Vec<&str> = plan.topics.iter().map(|t| &*t.name).collect();
            if !known.contains(&topic.as_str()) {
                return Err(unknown(&format!("{at}.topic"), "topic", &topic, &known));
            }
            Ok((mode, Some(Arc::from(topic))))
        }
        (_, Some(_)) => Err(value(&format!("{at}.topic"), "means something with `mode: log` only")),
        (_, None) => Ok((mode, None)),
    }
}

fn elsewhere(at: &str, topic: &str, broker: &BrokerPlan) -> Error {
    let (name, scheme) = (&broker.name, broker.kind.scheme());
    let last = topic.rsplit('/').next().unwrap_or(topic);
    value(
        &format!("{at}.topic"),
        format!("`{topic}` is not at broker `{name}`, where the outcome is journaled: they could not be one fact"),
    )
    .hint(format!("write it like `{scheme}://{name}/{last}`"))
}

fn named(name: &str) -> Result<(), Error> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.len() <= 200 && name.chars().all(legal) {
        return Ok(());
    }
    Err(value(&format!("subscriptions.{name}"), "a subscription's name is 1 to 200 of a-z, A-Z, 0-9, `_`, `-`"))
}

/// How a handler is called, or where a bridge publishes.
fn reached(
    at: &str,
    http: Option<raw::push::HttpHandler>,
    publish: Option<&str>,
    topic: &str,
    plan: &Plan,
) -> Result<(raw::push::HttpHandler, Option<Bridge>), Error> {
    match (http, publish) {
        (Some(_), Some(_)) => Err(value(at, "is called by HTTP, and publishes; one of the two")),
        (Some(http), None) => Ok((http, None)),
        (None, Some(to)) => {
            let bridge = bridge::to(&format!("{at}.publish"), to, topic, plan)?;
            Ok((raw::push::HttpHandler::default(), Some(bridge)))
        }
        (None, None) => {
            Err(value(at, "is missing").hint("write `handler: { http: { url: \"http://127.0.0.1:9002/events\" } }`"))
        }
    }
}

/// Refuses to read at a queue: its messages come into a topic of the node.
fn read_there(at: &str, home: Option<&Home>) -> Result<(), Error> {
    let Some(home) = home.filter(|home| home.broker.kind != brokers::BrokerKind::Kafka) else { return Ok(()) };
    let kind = home.broker.kind.name();
    Err(value(at, format!("what is at a {kind} comes in by an intake, into a topic of this node"))
        .hint("write `intakes: { TOPIC: { broker: … } }`, and read that topic"))
}

/// What meets an open breaker goes to a topic in one set with its outcome, so that must be journaled here.
fn one_fact(at: &str, home: Option<&Home>, falls_to: Option<&FallbackPlan>) -> Result<(), Error> {
    let (Some(home), Some(FallbackPlan::Topic(topic))) = (home, falls_to) else { return Ok(()) };
    let broker = &home.broker.name;
    let why = format!(
        "`{topic}` is a topic of this node, and outcomes are journaled at broker `{broker}`: they could not be one fact"
    );
    Err(value(at, why).hint("write `fallback: { handler: { http: { url: … } } }`"))
}

fn retry(at: &str, raw: raw::Retry) -> Result<RetrySchedule, Error> {
    let default = RetrySchedule::default();
    let attempts = raw.attempts.unwrap_or(default.attempts);
    if attempts == 0 {
        return Err(value(&format!("{at}.attempts"), "must be 1 or more: the first try counts"));
    }
    let factor = raw.factor.unwrap_or(default.factor);
    if !(1.0..=100.0).contains(&factor) {
        return Err(value(&format!("{at}.factor"), format!("{factor} is not between 1 and 100")));
    }
    Ok(RetrySchedule {
        attempts,
        initial: positive(
            &format!("{at}.initial"),
            duration(&format!("{at}.initial"), &raw.initial, default.initial)?,
        )?,
        factor,
        max: positive(&format!("{at}.max"), duration(&format!("{at}.max"), &raw.max, default.max)?)?,
        age: positive(&format!("{at}.age"), duration(&format!("{at}.age"), &raw.age, default.age)?)?,
        inline: duration(&format!("{at}.inline"), &raw.inline, default.inline)?,
    })
}

fn dead_budget(at: &str, raw: &raw::DeadLetterBudget) -> Result<DeadBudget, Error> {
    let default = DeadBudget::default();
    let (run, min) = (raw.run.unwrap_or(default.run), raw.min.unwrap_or(default.min));
    if run == 0 || min == 0 {
        return Err(value(at, "run and min must be 1 or more"));
    }
    let share = raw.share.unwrap_or(default.share);
    if !(share > 0.0 && share <= 1.0) {
        return Err(value(&format!("{at}.share"), format!("{share} is not above 0 and at most 1")));
    }
    let window = format!("{at}.window");
    Ok(DeadBudget { run, share, min, window: positive(&window, duration(&window, &raw.window, default.window)?)? })
}

fn parking_limits(at: &str, raw: &raw::Parking) -> Result<Parking, Error> {
    let default = Parking::default();
    let keys = raw.keys.map_or(default.keys, |n| n as usize);
    let per_key = raw.per_key.map_or(default.per_key, |n| n as usize);
    if keys == 0 || per_key == 0 {
        return Err(value(at, "keys and per_key must be 1 or more"));
    }
    let written = raw.held.as_deref();
    let held = written.map_or(Ok(default.held), |held| parse(&format!("{at}.held"), held, units::size))?;
    let slow_after = format!("{at}.slow_after");
    let slow_after = positive(&slow_after, duration(&slow_after, &raw.slow_after, default.slow_after)?)?;
    Ok(Parking { keys, per_key, held, slow_after })
}

fn depends_on(at: &str, named: Vec<String>, plan: &Plan) -> Result<Vec<(Arc<str>, BreakerPolicy)>, Error> {
    let known: Vec<&str> = plan.dependencies.iter().map(|(n, _)| &**n).collect();
    named
        .into_iter()
        .map(|name| match plan.dependencies.iter().find(|(n, _)| **n == *name) {
            Some((n, policy)) => Ok((n.clone(), *policy)),
            None => Err(unknown(at, "dependency", &name, &known)),
        })
        .collect()
}

/// A dead-letter topic that is read by its own subscription, directly or around a corner.
fn no_circles(all: &[SubscriptionPlan]) -> Result<(), Error> {
    for start in all {
        let mut seen = BTreeSet::new();
        let mut topic = start.topic.clone();
        while let Some(owner) = topic.strip_suffix(names::DEAD_SUFFIX).and_then(|n| all.iter().find(|s| &*s.name == n))
        {
            if !seen.insert(owner.name.clone()) || owner.name == start.name {
                return Err(value(&format!("subscriptions.{}.topic", start.name), "reads its own dead letters"));
            }
            topic = owner.topic.clone();
        }
    }
    Ok(())
}
