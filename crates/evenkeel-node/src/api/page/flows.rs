//! The flow's rows: topic → subscription → handler.

use std::collections::BTreeMap;

use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_delivery::{BreakerState, BreakerView, View};
use evenkeel_model::names::DEAD_SUFFIX;
use evenkeel_model::{Shard, Timestamp};
use evenkeel_transport::dead::{self, DeadLetter};
use evenkeel_transport::http::EndpointView;
use evenkeel_watch::TrendPoint;
use evenkeel_watch::objective::Indicator;
use std::time::Duration;

use super::proofs::{DEAD_READ_MAX, Proof};
use crate::api::redrives::{is_closed, seen as redriven};
use crate::config::subscribed;
use crate::page::status;
use crate::watching::Report;
use crate::wiring::{Wire, Wired, blocking};

/// A point of a plot.
const MOMENT: Duration = Duration::from_secs(30);
/// Points of a plot: an hour.
const MOMENTS: usize = 120;
pub(super) async fn flows(node: &Wired, report: Option<&Report>, proof: Option<&Proof>) -> Vec<status::Flow> {
    let wires = node.wires.all();
    let mut flows = Vec::with_capacity(wires.len());
    for wire in wires.iter() {
        flows.push(flow(node, wire, report, proof).await);
    }
    flows
}

async fn flow(node: &Wired, wire: &Wire, report: Option<&Report>, proof: Option<&Proof>) -> status::Flow {
    let view = wire.handle.view().await.unwrap_or_default();
    let name = &wire.plan.name;
    let seen = report.and_then(|r| r.snapshot.subscriptions.iter().find(|s| s.subscription == *name));
    let unread = proof.and_then(|p| p.audit.subscriptions.iter().find(|s| s.name == *name)).map_or(0, |s| s.unread);
    let (dead, dead_groups) = match &wire.plan.home {
        Some(_) => there(proof, name),
        None => here(node, wire).await,
    };
    let topic = report.and_then(|r| r.snapshot.topics.iter().find(|t| t.topic == wire.plan.topic));
    let words = subscribed(&wire.plan);
    status::Flow {
        topic: wire.plan.topic.to_string(),
        subscription: name.to_string(),
        handler: wire.plan.push.shown(),
        rate_in: topic.map_or(0.0, |t| t.arrived_per_second),
        rate_out: seen.map_or(0.0, |s| s.ended_per_second),
        p50: seen.and_then(|s| s.p50_us).map(Duration::from_micros),
        p99: seen.and_then(|s| s.p99_us).map(Duration::from_micros),
        lag: view.oldest.map(|oldest| node.clock.now().since(oldest)),
        unread,
        in_flight: view.in_flight as u64,
        parked: view.parked as u64,
        parked_keys: view.parked_keys as u64,
        dead,
        shed_below: view.shed_below,
        falls_back: wire.plan.fallback.is_some(),
        gate: gate(wire, &view),
        trouble: view.trouble.clone(),
        moments: report
            .and_then(|r| r.trends.get(name))
            .map(|trend| moments(trend, node.clock.now()))
            .unwrap_or_default(),
        moment: MOMENT,
        thresholds: thresholds(report, name),
        lanes: view.lanes.iter().map(lane).collect(),
        forced: view.breakers.iter().filter_map(forced).collect(),
        endpoints: endpoints(&wire.http.as_ref().map(|http| http.endpoints()).unwrap_or_default()),
        dead_groups,
        policy: words.lines().map(|line| line.trim().to_owned()).collect(),
    }
}

/// The last hour in [`MOMENTS`] stretches: of each the slowest ten seconds. One that was not seen is a gap, and what
/// lies before the first one that was is left out.
fn moments(trend: &[TrendPoint], now: Timestamp) -> Vec<Option<status::Moment>> {
    let mut moments: Vec<Option<status::Moment>> = vec![None; MOMENTS];
    for point in trend {
        let back = usize::try_from(now.since(point.until).as_micros() / MOMENT.as_micros()).unwrap_or(usize::MAX);
        let Some(at) = (MOMENTS - 1).checked_sub(back) else { continue };
        let moment = moments[at].get_or_insert_default();
        moment.p50 = moment.p50.max(point.p50);
        moment.p99 = moment.p99.max(point.p99);
        moment.lag = moment.lag.max(point.lag);
        moment.ended += point.ended;
    }
    let first = moments.iter().position(Option::is_some).unwrap_or(MOMENTS);
    moments.split_off(first)
}

/// What latency objectives of a subscription allow.
fn thresholds(report: Option<&Report>, name: &str) -> Vec<Duration> {
    let parts = report.into_iter().flat_map(|r| &r.objectives).flat_map(|of| &of.objective.parts);
    let of = parts.filter(|part| *part.scope.subscription == *name).filter_map(|part| match part.indicator {
        Indicator::Latency { threshold } => Some(threshold),
        Indicator::Handler { .. } | Indicator::Success => None,
    });
    let mut thresholds: Vec<Duration> = of.collect();
    thresholds.sort_unstable();
    thresholds.dedup();
    thresholds
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

fn forced(breaker: &BreakerView) -> Option<status::Forced> {
    let forced = breaker.forced.as_ref()?;
    let (dependency, reason) = (breaker.dependency.to_string(), forced.reason.clone());
    Some(status::Forced { dependency, open: forced.open, reason, at: forced.at })
}

/// Shown when there are several, or one that is not called.
fn endpoints(all: &[EndpointView]) -> Vec<status::Endpoint> {
    if all.len() < 2 && all.iter().all(|e| e.state == "in") {
        return Vec::new();
    }
    let endpoint = |e: &EndpointView| status::Endpoint {
        url: e.url.clone(),
        state: e.state.to_owned(),
        in_flight: u64::from(e.in_flight),
        until: e.until,
    };
    all.iter().map(endpoint).collect()
}

/// Dead letters in the node's own log that nobody has dealt with, and their groups.
async fn here(node: &Wired, wire: &Wire) -> (u64, Vec<status::DeadGroup>) {
    let (name, closed) = (&wire.plan.name, redriven(wire).await.closed);
    let dead = open_letters(node, name, &closed);
    (dead, if dead > 0 { dead_groups(node, name, closed).await } else { Vec::new() })
}

/// Those at its broker, as they were when they were read last.
fn there(proof: Option<&Proof>, name: &str) -> (u64, Vec<status::DeadGroup>) {
    let letters = proof.and_then(|proof| proof.letters.get(name));
    letters.map_or_else(Default::default, |letters| (letters.count, grouped(letters.first.iter())))
}

/// Letters that nobody has dealt with.
fn open_letters(node: &Wired, name: &str, closed: &[(u64, u64)]) -> u64 {
    let Ok(ends) = node.log.ends(&Shard::new(format!("{name}{DEAD_SUFFIX}"), 0)) else { return 0 };
    let (start, end) = (ends.start, ends.high_watermark);
    let dealt_with = closed.iter().map(|(from, until)| (*until).min(end).saturating_sub((*from).max(start)));
    (end - start).saturating_sub(dealt_with.sum())
}

async fn dead_groups(node: &Wired, name: &str, closed: Vec<(u64, u64)>) -> Vec<status::DeadGroup> {
    let (log, name) = (node.log.clone(), name.to_owned());
    let read = blocking(move || {
        let mut open = Vec::new();
        let all = dead::each(&log, &name, 0, |letter| {
            if !is_closed(&closed, letter.at.offset) {
                open.push(letter);
            }
            open.len() < DEAD_READ_MAX
        });
        all.map(|()| open)
    });
    let letters = read.await.ok().and_then(Result::ok).unwrap_or_default();
    grouped(letters.iter())
}

fn grouped<'l>(letters: impl Iterator<Item = &'l DeadLetter>) -> Vec<status::DeadGroup> {
    let mut groups: BTreeMap<String, status::DeadGroup> = BTreeMap::new();
    for letter in letters {
        let group = groups.entry(letter.fingerprint.clone()).or_default();
        group.count += 1;
        group.fingerprint.clone_from(&letter.fingerprint);
        group.class.clone_from(&letter.class);
        group.reason.clone_from(&letter.reason);
        group.message.clone_from(&letter.message);
        group.last_at = parse_rfc3339(&letter.last_failed_at).unwrap_or(letter.appended);
        group.example.clone_from(&letter.id);
    }
    groups.into_values().collect()
}
