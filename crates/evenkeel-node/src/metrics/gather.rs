//! Gathers what a metrics page shows: first everything that is known at one moment ([`Seen`]), then its series.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::{BreakerState, View};
use evenkeel_model::Timestamp;
use evenkeel_transport::{HeldSize, IntakeView};
use evenkeel_watch::{ChainsView, ObjectiveSnapshot, Pace, Sending, Snapshot, SubscriptionSnapshot, TopicSnapshot};

use super::exemplars::Known;
use super::exposition::Exposition;
use super::process::Usage;
use super::{labels, log, names, process};
use crate::happenings;
use crate::telemetry::{Sent, Telemetry};
use crate::wiring::Wired;

/// Everything that is known at one moment.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) uptime: Duration,
    pub(super) log: log::Seen,
    pub(super) usage: Usage,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) views: Vec<(Arc<str>, View)>,
    pub(super) held: Vec<(Arc<str>, HeldSize)>,
    /// What comes in from brokers: by topic, and from which.
    pub(super) intakes: Vec<(Arc<str>, Arc<str>, IntakeView)>,
    pub(super) now: Timestamp,
    pub(super) chains: Vec<ChainsView>,
    /// What telemetry sent, where it sends.
    pub(super) sent: Vec<Sent>,
    /// Log lines that were not written.
    pub(super) left_out: Vec<(String, u64)>,
    /// The events behind exemplars.
    pub(super) known: Known,
}

impl Seen {
    pub(super) async fn look(node: &Wired) -> Seen {
        let wires = node.wires.all();
        let mut views = Vec::with_capacity(wires.len());
        for wire in wires.iter() {
            views.push((wire.plan.name.clone(), wire.handle.view().await.unwrap_or_default()));
        }
        let disk_free = crate::doctor::free_bytes(&node.plan().data);
        Seen {
            uptime: node.clock.now().since(node.started_at),
            log: log::look(&node.log, node.clock.now(), node.wal_bytes_max, disk_free),
            usage: Usage::read(),
            snapshot: node.watching.snapshot().await,
            views,
            held: wires.iter().map(|wire| (wire.plan.name.clone(), wire.held.size())).collect(),
            intakes: node.intakes.all().map(|(p, view)| (p.topic.clone(), p.broker.name.clone(), view)).collect(),
            sent: node.telemetry.as_ref().map(Telemetry::sent).unwrap_or_default(),
            now: node.clock.now(),
            chains: node.chains.views(),
            left_out: crate::logs::left_out(),
            known: Known::default(),
        }
    }
}

/// All series.
pub(super) fn page(seen: &Seen) -> Exposition<'_> {
    let mut page = Exposition::default();
    page.alone(&names::UPTIME, seen.uptime.as_secs_f64());
    log::add(&mut page, &seen.log);
    process::add(&mut page, &seen.usage);
    happenings(&mut page, &seen.left_out);
    sent(&mut page, &seen.sent);
    seen.chains.iter().for_each(|view| chain(&mut page, view, seen.now, &seen.known));
    if let Some(snapshot) = &seen.snapshot {
        subscriptions(&mut page, &snapshot.subscriptions, &seen.known);
        groups(&mut page, &snapshot.subscriptions);
        topics(&mut page, &snapshot.topics);
        objectives(&mut page, &snapshot.objectives);
        producers(&mut page, snapshot);
    }
    seen.views.iter().for_each(|(name, view)| live(&mut page, name, view));
    for (name, size) in &seen.held {
        let labels = [(names::SUBSCRIPTION, &**name)];
        page.one(&names::HELD, &labels, size.events as f64);
        page.one(&names::HELD_BYTES, &labels, size.bytes as f64);
    }
    seen.intakes.iter().for_each(|(topic, broker, view)| intake(&mut page, topic, broker, view));
    let series = page.series();
    page.alone(&names::SERIES, series as f64);
    page
}

/// All kinds are there from the start, so that the first of a kind is seen as an increase.
fn happenings<'a>(page: &mut Exposition<'a>, left_out: &'a [(String, u64)]) {
    for kind in happenings::all() {
        let level = kind.level.as_str().to_ascii_lowercase();
        let labels = [(names::KIND, Cow::Borrowed(kind.name)), (names::LEVEL, Cow::Owned(level))];
        page.one(&names::HAPPENED, &labels, kind.count() as f64);
    }
    for (kind, lines) in left_out {
        page.one(&names::LINES_LEFT_OUT, &[(names::KIND, kind.as_str())], *lines as f64);
    }
}

fn intake<'a>(page: &mut Exposition<'a>, topic: &'a str, broker: &'a str, view: &IntakeView) {
    let labels = [(names::TOPIC, topic), (names::BROKER, broker)];
    page.one(&names::INTAKE_CONNECTED, &labels, f64::from(u8::from(view.connected)));
    page.one(&names::INTAKE_HELD, &labels, view.held as f64);
    page.one(&names::INTAKE_RECEIVED, &labels, view.received as f64);
    page.one(&names::INTAKE_PLACED, &labels, view.placed as f64);
    page.one(&names::INTAKE_AGAIN, &labels, view.again as f64);
    page.one(&names::INTAKE_SETTLED, &labels, view.settled as f64);
    page.one(&names::INTAKE_RENEWED, &labels, view.renewed as f64);
    page.one(&names::INTAKE_OVERSIZED, &labels, view.oversized as f64);
}

fn sent(page: &mut Exposition<'_>, signals: &[Sent]) {
    for of in signals {
        let labels = [(names::SIGNAL, of.signal.name())];
        page.one(&names::OTLP_SENT, &labels, of.sent as f64);
        page.one(&names::OTLP_DROPPED, &labels, of.dropped as f64);
        page.one(&names::OTLP_QUEUED, &labels, of.queued as f64);
    }
}

fn chain<'a>(page: &mut Exposition<'a>, view: &'a ChainsView, now: Timestamp, known: &'a Known) {
    let own = (names::CHAIN, &*view.rule.name);
    for (metric, count) in [
        (&names::CHAINS_BEGUN, view.begun),
        (&names::CHAINS_COMPLETED, view.completed),
        (&names::CHAINS_LATE, view.late),
        (&names::CHAINS_FORGOTTEN, view.forgotten),
    ] {
        page.one(metric, &[own], count as f64);
    }
    for (step, at) in view.rule.steps.iter().zip(&view.at) {
        let labels = [own, (names::STEP, &**step)];
        page.one(&names::CHAINS_OPEN, &labels, at.open as f64);
        if let Some((_, since)) = &at.oldest {
            page.one(&names::CHAINS_OLDEST, &labels, now.since(*since).as_secs_f64());
        }
    }
    page.histogram(&names::CHAINS_TOOK, &[own], &view.buckets, known);
}

fn subscriptions<'a>(page: &mut Exposition<'a>, all: &'a [SubscriptionSnapshot], known: &'a Known) {
    for seen in all {
        let labels = [(names::SUBSCRIPTION, &*seen.subscription)];
        for (outcome, count) in &seen.outcomes {
            page.one(&names::EVENTS, &[labels[0], (names::OUTCOME, outcome.name())], *count as f64);
        }
        for (class, count) in &seen.failures {
            page.one(&names::FAILED_ATTEMPTS, &[labels[0], (names::CLASS, class.name())], *count as f64);
        }
        for (class, count) in &seen.dead {
            page.one(&names::DEAD, &[labels[0], (names::CLASS, class.name())], *count as f64);
        }
        for (metric, count) in [
            (&names::DELIVERIES, seen.deliveries),
            (&names::ATTEMPTS, seen.attempts),
            (&names::UNKNOWN, seen.unknown),
            (&names::EMITTED, seen.emitted),
            (&names::OVERDUE, seen.overdue),
            (&names::NOT_BELIEVED, seen.not_believed),
            (&names::LEDGER_GAPS, seen.gaps),
            (&names::DISTANCE, seen.distance),
            (&names::FOLDED, seen.folded),
        ] {
            page.one(metric, &labels, count as f64);
        }
        page.one(&names::LAG, &labels, seen.lag.as_secs_f64());
        page.one(&names::DISTANCE_TIME, &labels, seen.distance_in_time.as_secs_f64());
        page.one(&names::COMPLETION_RATE, &labels, seen.ended_per_second);
        for pace in Pace::ALL {
            let is_it = f64::from(u8::from(pace == seen.pace));
            page.one(&names::PACE, &[labels[0], (names::STATE, pace.name())], is_it);
        }
        page.histogram(&names::LATENCY, &labels, &seen.latency, known);
        page.histogram(&names::HANDLER, &labels, &seen.handler, known);
    }
}

fn groups<'a>(page: &mut Exposition<'a>, all: &'a [SubscriptionSnapshot]) {
    for group in all.iter().flat_map(labels::groups) {
        if let Some(p99) = group.p99_us {
            page.one(&names::GROUP_LATENCY, &group.labels, p99 as f64 / 1e6);
        }
        let mut with_outcome = group.labels;
        with_outcome.push((names::OUTCOME, Cow::Borrowed("")));
        for (outcome, count) in group.outcomes {
            if let Some(last) = with_outcome.last_mut() {
                last.1 = Cow::Borrowed(outcome);
            }
            page.one(&names::GROUP_EVENTS, &with_outcome, count as f64);
        }
    }
}

fn topics<'a>(page: &mut Exposition<'a>, all: &'a [TopicSnapshot]) {
    for seen in all {
        let labels = [(names::TOPIC, &*seen.topic)];
        page.one(&names::ARRIVAL_RATE, &labels, seen.arrived_per_second);
        page.one(&names::DELIVERED, &labels, seen.delivered as f64);
        page.one(&names::UNDELIVERED, &labels, seen.failed as f64);
        page.one(&names::UNJOINED, &labels, seen.unjoined as f64);
    }
}

fn objectives<'a>(page: &mut Exposition<'a>, all: &'a [ObjectiveSnapshot]) {
    for seen in all {
        let (budget, own) = (&seen.budget, [&*seen.budget.objective, &*seen.service, &*seen.subscription]);
        let names = [names::OBJECTIVE, names::SERVICE, names::SUBSCRIPTION];
        let labels: Vec<_> = names.into_iter().zip(own).collect();
        page.one(&names::OBJECTIVE_TARGET, &labels, budget.target);
        page.one(&names::OBJECTIVE_GOOD, &labels, budget.good as f64);
        page.one(&names::OBJECTIVE_BAD, &labels, budget.bad as f64);
        page.one(&names::BUDGET_REMAINING, &labels, budget.remaining);
        page.one(&names::ALERTS_FIRING, &labels, seen.firing as f64);
        for (window, burn) in budget.burn.iter().filter_map(|(window, burn)| Some((window, (*burn)?))) {
            let window = (names::WINDOW, Cow::Owned(prometheus_duration(*window)));
            let owned = labels.iter().map(|(name, value)| (*name, Cow::Borrowed(*value)));
            let labels: Vec<_> = owned.chain([window]).collect();
            page.one(&names::BURN, &labels, burn);
            page.one(&names::OBJECTIVE_ERROR, &labels, burn * (1.0 - budget.target));
        }
    }
}

/// Sources whose labels are alike, since what a label may not hold was left out, are one.
fn producers<'a>(page: &mut Exposition<'a>, snapshot: &'a Snapshot) {
    type Rates = (f64, Option<f64>, Sending);
    let mut alike: BTreeMap<(&'a str, Cow<'a, str>), Rates> = BTreeMap::new();
    for seen in &snapshot.producers {
        let (recent, usual, sending) = alike.entry((&*seen.topic, labels::safe(&seen.source))).or_default();
        *recent += seen.recent_per_minute / 60.0;
        *usual = seen.usual_per_minute.map(|per_minute| usual.unwrap_or(0.0) + per_minute / 60.0).or(*usual);
        *sending = (*sending).max(seen.sending);
    }
    for ((topic, source), (recent, usual, sending)) in alike {
        let labels = [(names::TOPIC, Cow::Borrowed(topic)), (names::SOURCE, source)];
        page.one(&names::SENT_RATE, &labels, recent);
        if let Some(usual) = usual {
            page.one(&names::USUAL_RATE, &labels, usual);
        }
        let [topic, source] = labels;
        for state in Sending::ALL {
            let labels = [topic.clone(), source.clone(), (names::STATE, Cow::Borrowed(state.name()))];
            page.one(&names::SENDING, &labels, f64::from(u8::from(state == sending)));
        }
    }
    page.alone(&names::SENT_FOLDED, snapshot.producers_folded as f64);
}

fn live<'a>(page: &mut Exposition<'a>, name: &'a str, view: &'a View) {
    let labels = [(names::SUBSCRIPTION, name)];
    for (metric, value) in [
        (&names::IN_FLIGHT, view.in_flight as f64),
        (&names::QUEUED, view.queued as f64),
        (&names::PARKED, view.parked as f64),
        (&names::PARKED_KEYS, view.parked_keys as f64),
        (&names::CONCURRENCY, f64::from(view.concurrency)),
        (&names::IN_FLIGHT_BYTES, view.in_flight_bytes as f64),
        (&names::UNPAID_RETRIES, view.unpaid_retries as f64),
        (&names::SUSPECTS, view.suspects as f64),
        (&names::VERSIONS, view.versions as f64),
        (&names::UNVERSIONED, view.unversioned as f64),
        (&names::SHED, view.shed as f64),
        (&names::SHED_BELOW, f64::from(view.shed_below)),
        (&names::FELL_BACK, view.fell_back as f64),
        (&names::PAUSED, f64::from(u8::from(view.paused.is_some()))),
    ] {
        page.one(metric, &labels, value);
    }
    for breaker in &view.breakers {
        let labels = [labels[0], (names::DEPENDENCY, &*breaker.dependency)];
        page.one(&names::BREAKER_OPEN, &labels, f64::from(u8::from(breaker.state != BreakerState::Closed)));
        let forced = breaker.forced.as_ref().map_or(0.0, |f| if f.open { 1.0 } else { -1.0 });
        page.one(&names::BREAKER_FORCED, &labels, forced);
        if let Some(at) = breaker.next_probe {
            page.one(&names::BREAKER_PROBE, &labels, at.micros() as f64 / 1e6);
        }
    }
}

/// A duration as Prometheus writes it (`model.Duration`): `5m`, `1h`, `4w`, `30d`.
pub(crate) fn prometheus_duration(value: Duration) -> String {
    let mut ms = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let days = 86_400_000;
    let exact = [("y", 365 * days), ("w", 7 * days)].map(|(unit, factor)| (unit, factor, true));
    let others = [("d", days), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)].map(|(u, f)| (u, f, false));
    exact.into_iter().chain(others).fold(String::new(), |text, (unit, factor, whole)| {
        let count = ms / factor;
        if count == 0 || whole && !ms.is_multiple_of(factor) {
            return text;
        }
        ms -= count * factor;
        format!("{text}{count}{unit}")
    })
}
