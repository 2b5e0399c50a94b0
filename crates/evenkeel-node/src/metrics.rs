//! `/metrics`: what the watch counted, in Prometheus' text form.
//!
//! Every count comes from the ledger, so it survives a restart and can be recomputed.

pub mod names;
mod log;
mod text;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use evenkeel_delivery::{BreakerState, View};
use evenkeel_transport::HeldSize;
use evenkeel_watch::{ObjectiveSnapshot, Pace, Snapshot, SubscriptionSnapshot, TopicSnapshot};

use crate::api::Node;
use text::Text;

/// All metrics now.
pub(crate) async fn show(State(node): Node) -> Response {
    let wires = node.wires.all();
    let mut views = Vec::with_capacity(wires.len());
    let held: Vec<_> = wires.iter().map(|wire| (wire.plan.name.clone(), wire.held.size())).collect();
    for wire in wires.iter() {
        views.push((wire.plan.name.to_string(), wire.handle.view().await.unwrap_or_default()));
    }
    let snapshot = node.watching.report().await.map(|report| report.snapshot);
    let uptime = node.clock.now().since(node.started_at);
    let disk_free = crate::doctor::free_bytes(&node.plan().data);
    let log = log::look(&node.log, node.clock.now(), node.wal_bytes_max, disk_free);
    let mut text = render(snapshot.as_ref(), &views, &log, uptime);
    held_aside(&mut text, &held);
    let body = text.finish();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body).into_response()
}

fn render(snapshot: Option<&Snapshot>, views: &[(String, View)], seen: &log::Seen, uptime: Duration) -> Text {
    let mut text = Text::default();
    text.one(&names::UPTIME, &[], uptime.as_secs_f64());
    log::add(&mut text, seen);
    if let Some(snapshot) = snapshot {
        subscriptions(&mut text, &snapshot.subscriptions);
        groups(&mut text, &snapshot.subscriptions);
        topics(&mut text, &snapshot.topics);
        objectives(&mut text, &snapshot.objectives);
    }
    live(&mut text, views);
    text
}

fn held_aside(text: &mut Text, held: &[(Arc<str>, HeldSize)]) {
    for (name, size) in held {
        let labels = [(names::SUBSCRIPTION, &**name)];
        text.one(&names::HELD, &labels, size.events as f64);
        text.one(&names::HELD_BYTES, &labels, size.bytes as f64);
    }
}

fn subscriptions(text: &mut Text, all: &[SubscriptionSnapshot]) {
    for seen in all {
        let name = &*seen.subscription;
        for (outcome, count) in &seen.outcomes {
            let labels = [(names::SUBSCRIPTION, name), (names::OUTCOME, outcome.name())];
            text.one(&names::EVENTS, &labels, *count as f64);
        }
        for (class, count) in &seen.failures {
            let labels = [(names::SUBSCRIPTION, name), (names::CLASS, class.name())];
            text.one(&names::FAILED_ATTEMPTS, &labels, *count as f64);
        }
        let labels = [(names::SUBSCRIPTION, name)];
        text.one(&names::DELIVERIES, &labels, seen.deliveries as f64);
        text.one(&names::EMITTED, &labels, seen.emitted as f64);
        text.one(&names::OVERDUE, &labels, seen.overdue as f64);
        text.one(&names::NOT_BELIEVED, &labels, seen.not_believed as f64);
        text.one(&names::LEDGER_GAPS, &labels, seen.gaps as f64);
        text.one(&names::LAG, &labels, seen.lag.as_secs_f64());
        text.one(&names::DISTANCE, &labels, seen.distance as f64);
        text.one(&names::DISTANCE_TIME, &labels, seen.distance_in_time.as_secs_f64());
        text.one(&names::COMPLETION_RATE, &labels, seen.ended_per_second);
        text.one(&names::FOLDED, &labels, seen.folded as f64);
        for pace in Pace::ALL {
            let labels = [labels[0], (names::STATE, pace.name())];
            text.one(&names::PACE, &labels, f64::from(u8::from(pace == seen.pace)));
        }
        text.histogram(&names::LATENCY, &labels, &seen.latency);
        text.histogram(&names::HANDLER, &labels, &seen.handler);
    }
}

fn groups(text: &mut Text, all: &[SubscriptionSnapshot]) {
    for (seen, group) in all.iter().flat_map(|seen| seen.groups.iter().map(move |group| (seen, group))) {
        let labels = [
            (names::SUBSCRIPTION, &*seen.subscription),
            (names::TOPIC, &*group.key.topic),
            (names::TYPE, &*group.key.kind),
            (names::SOURCE, &*group.key.source),
            (names::HANDLER_VERSION, &*group.key.handler_version),
        ];
        for (outcome, count) in &group.outcomes {
            let labels: Vec<_> = labels.into_iter().chain([(names::OUTCOME, outcome.name())]).collect();
            text.one(&names::GROUP_EVENTS, &labels, *count as f64);
        }
        if let Some(p99) = group.p99_us {
            text.one(&names::GROUP_LATENCY, &labels, p99 as f64 / 1e6);
        }
    }
}

fn topics(text: &mut Text, all: &[TopicSnapshot]) {
    for seen in all {
        let labels = [(names::TOPIC, &*seen.topic)];
        text.one(&names::ARRIVAL_RATE, &labels, seen.arrived_per_second);
        text.one(&names::DELIVERED, &labels, seen.delivered as f64);
        text.one(&names::UNDELIVERED, &labels, seen.failed as f64);
        text.one(&names::UNJOINED, &labels, seen.unjoined as f64);
    }
}

fn objectives(text: &mut Text, all: &[ObjectiveSnapshot]) {
    for seen in all {
        let labels = [(names::OBJECTIVE, &*seen.budget.objective), (names::SUBSCRIPTION, &*seen.subscription)];
        text.one(&names::OBJECTIVE_TARGET, &labels, seen.budget.target);
        text.one(&names::OBJECTIVE_GOOD, &labels, seen.budget.good as f64);
        text.one(&names::OBJECTIVE_BAD, &labels, seen.budget.bad as f64);
        text.one(&names::BUDGET_REMAINING, &labels, seen.budget.remaining);
        text.one(&names::ALERTS_FIRING, &labels, seen.firing as f64);
        for (window, burn) in &seen.budget.burn {
            let window = crate::config::units::show_duration(*window);
            let labels = [labels[0], labels[1], (names::WINDOW, window.as_str())];
            text.one(&names::BURN, &labels, burn.unwrap_or(0.0));
        }
    }
}

fn live(text: &mut Text, views: &[(String, View)]) {
    for (name, view) in views {
        let labels = [(names::SUBSCRIPTION, name.as_str())];
        text.one(&names::IN_FLIGHT, &labels, view.in_flight as f64);
        text.one(&names::QUEUED, &labels, view.queued as f64);
        text.one(&names::PARKED, &labels, view.parked as f64);
        text.one(&names::PARKED_KEYS, &labels, view.parked_keys as f64);
        text.one(&names::CONCURRENCY, &labels, f64::from(view.concurrency));
        text.one(&names::IN_FLIGHT_BYTES, &labels, view.in_flight_bytes as f64);
        text.one(&names::UNPAID_RETRIES, &labels, view.unpaid_retries as f64);
        text.one(&names::SUSPECTS, &labels, view.suspects as f64);
        text.one(&names::VERSIONS, &labels, view.versions as f64);
        text.one(&names::UNVERSIONED, &labels, view.unversioned as f64);
        text.one(&names::SHED, &labels, view.shed as f64);
        text.one(&names::SHED_BELOW, &labels, f64::from(view.shed_below));
        text.one(&names::FELL_BACK, &labels, view.fell_back as f64);
        text.one(&names::PAUSED, &labels, f64::from(u8::from(view.paused.is_some())));
        for breaker in &view.breakers {
            let labels = [labels[0], (names::DEPENDENCY, &*breaker.dependency)];
            let open = f64::from(u8::from(breaker.state != BreakerState::Closed));
            text.one(&names::BREAKER_OPEN, &labels, open);
            let forced = breaker.forced.as_ref().map_or(0.0, |f| if f.open { 1.0 } else { -1.0 });
            text.one(&names::BREAKER_FORCED, &labels, forced);
            if let Some(at) = breaker.next_probe {
                text.one(&names::BREAKER_PROBE, &labels, at.micros() as f64 / 1e6);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use evenkeel_model::ledger::{Ended, LedgerEntry, LedgerRecord};
    use evenkeel_model::{Outcome, Timestamp};
    use evenkeel_watch::Watch;

    #[test]
    fn metrics_are_folded_from_the_ledger_and_typed_once() {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let mut watch = Watch::new(Vec::new()).unwrap();
        let ended = Ended {
            offset: 0,
            outcome: Outcome::Completed,
            kind: Arc::from("OrderCreated"),
            source: Arc::from("/shop"),
            handler_version: Arc::from("1"),
            at,
            created_to_ended_us: 12_000,
            handler_us: 4_000,
            created_believed: true,
            overdue: false,
            attempts: 1,
            deliveries: 1,
            deferrals: 0,
            crashes: 0,
            emitted: 0,
            failure: None,
        };
        watch.ingest(&LedgerRecord {
            subscription: Arc::from("pay\"ment"),
            topic: Arc::from("orders"),
            partition: 0,
            sequence: 0,
            at,
            entries: vec![LedgerEntry::Ended(ended)],
        });
        let seen = super::log::Seen {
            disk_free: Some(4096),
            topics: [(Arc::from("orders"), (812, 1))].into(),
            ..super::log::Seen::default()
        };
        let text = super::render(Some(&watch.snapshot(at)), &[], &seen, Duration::from_millis(1500)).finish();
        assert!(text.contains(&format!("{}{{topic=\"orders\"}} 812\n", super::names::TOPIC_BYTES.name)), "{text}");
        assert!(text.contains(&format!("{} 4096\n", super::names::DISK_FREE.name)), "{text}");
        let events = super::names::EVENTS.name;
        assert!(
            text.contains(&format!("{events}{{subscription=\"pay\\\"ment\",outcome=\"completed\"}} 1\n")),
            "{text}"
        );
        let latency = super::names::LATENCY.name;
        assert!(text.contains(&format!("{latency}_bucket{{subscription=\"pay\\\"ment\",le=\"0.025\"}} 1\n")), "{text}");
        assert_eq!(text.matches(&format!("# TYPE {events} counter")).count(), 1);
        assert!(text.ends_with('\n'));
    }
}
