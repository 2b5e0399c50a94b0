//! The flow's rows: topic → subscription → handler.

use std::collections::BTreeMap;

use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_delivery::{BreakerState, View};
use evenkeel_model::Outcome;
use evenkeel_transport::audit::Audit;
use evenkeel_transport::dead::{Filter, list};
use std::time::Duration;

use crate::config::subscribed;
use crate::page::status;
use crate::watching::Report;
use crate::wiring::{Wire, Wired, blocking};

/// At most so many dead letters are grouped for the page.
const DEAD_READ_MAX: usize = 1_000;

pub(super) async fn flows(node: &Wired, report: Option<&Report>, audit: Option<&Audit>) -> Vec<status::Flow> {
    let wires = node.wires.all();
    let mut flows = Vec::with_capacity(wires.len());
    for wire in wires.iter() {
        flows.push(flow(node, wire, report, audit).await);
    }
    flows
}

async fn flow(node: &Wired, wire: &Wire, report: Option<&Report>, audit: Option<&Audit>) -> status::Flow {
    let view = wire.handle.view().await.unwrap_or_default();
    let name = &wire.plan.name;
    let seen = report.and_then(|r| r.snapshot.subscriptions.iter().find(|s| s.subscription == *name));
    let unread = audit.and_then(|a| a.subscriptions.iter().find(|s| s.name == *name)).map_or(0, |s| s.unread);
    let dead = seen.and_then(|s| s.outcomes.iter().find(|(o, _)| *o == Outcome::Dead)).map_or(0, |(_, n)| *n);
    let ended_per_second = seen.map_or(0.0, |s| s.ended_per_second);
    let words = subscribed(&wire.plan);
    status::Flow {
        topic: wire.plan.topic.to_string(),
        subscription: name.to_string(),
        handler: wire.plan.push.shown(),
        rate_in: ended_per_second,
        rate_out: ended_per_second,
        p50: seen.and_then(|s| s.p50_us).map(Duration::from_micros),
        p99: seen.and_then(|s| s.p99_us).map(Duration::from_micros),
        lag: view.oldest.map(|oldest| node.clock.now().since(oldest)),
        unread,
        in_flight: view.in_flight as u64,
        parked: view.parked as u64,
        parked_keys: view.parked_keys as u64,
        dead,
        gate: gate(wire, &view),
        lanes: view.lanes.iter().map(lane).collect(),
        dead_groups: if dead > 0 { dead_groups(node, name).await } else { Vec::new() },
        policy: words.lines().map(|line| line.trim().to_owned()).collect(),
    }
}

fn gate(wire: &Wire, view: &View) -> status::Gate {
    if let Some(why) = wire.handle.is_stopped() {
        return status::Gate::Stopped { why };
    }
    if let Some(why) = &view.paused {
        return status::Gate::Paused { why: why.clone() };
    }
    let Some(breaker) = view.breakers.iter().find(|b| b.state != BreakerState::Closed) else {
        return status::Gate::Flowing;
    };
    let dependency = breaker.dependency.to_string();
    match breaker.state {
        BreakerState::HalfOpen => status::Gate::Probing { dependency, since: breaker.since },
        _ => status::Gate::Holding { dependency, since: breaker.since, next_probe: breaker.next_probe },
    }
}

fn lane(view: &evenkeel_delivery::LaneView) -> status::Lane {
    status::Lane {
        key: crate::forms::key(view.key.as_ref()),
        partition: view.at.shard.partition,
        offset: view.at.offset,
        behind: view.behind as u64,
        next_at: Some(view.next_at),
        attempts: view.attempts,
        message: view.message.clone(),
    }
}

async fn dead_groups(node: &Wired, name: &str) -> Vec<status::DeadGroup> {
    let (log, name) = (node.log.clone(), name.to_owned());
    let page = blocking(move || list(&log, &name, &Filter::default(), 0, DEAD_READ_MAX)).await;
    let letters = page.ok().and_then(Result::ok).map(|p| p.items).unwrap_or_default();
    let mut groups: BTreeMap<String, status::DeadGroup> = BTreeMap::new();
    for letter in letters {
        let group = groups.entry(letter.fingerprint.clone()).or_default();
        group.count += 1;
        group.fingerprint = letter.fingerprint;
        group.class = letter.class;
        group.reason = letter.reason;
        group.message = letter.message;
        group.last_at = parse_rfc3339(&letter.last_failed_at).unwrap_or(letter.appended);
        group.example = letter.id;
    }
    groups.into_values().collect()
}
