//! `GET /`, `GET /objectives/{name}`, `GET /events/{id}` and their assets: fills the page's plain values from the parts.

mod flows;
mod happenings;
mod intakes;
mod proofs;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use evenkeel_model::{Shard, Timestamp, names};
use evenkeel_transport::audit::Audit;
use maud::Markup;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::events::Source;
use super::{Node, Problem};
use crate::metrics::process::Usage;
use crate::page::{self, Status, status};
use crate::watching::Report;
use crate::wiring::{Wired, stories};
pub(crate) use proofs::Proofs;

/// The status page.
pub(super) async fn show(State(node): Node) -> Response {
    let status = status(&node).await;
    answer(page::render(&status))
}

/// `GET /objectives/{name}`: one objective, with its plots and alerts.
pub(super) async fn objective(State(node): Node, Path(name): Path<String>) -> Response {
    let status = status(&node).await;
    match page::objective::page(&status, &name) {
        Some(page) => answer(page),
        None => (StatusCode::NOT_FOUND, answer(page::objective::nobody(&status, &name))).into_response(),
    }
}

/// `GET /events/{id}`: the story of an event as a picture.
pub(super) async fn story(
    State(node): Node,
    Path(id): Path<String>,
    Query(Source { source }): Query<Source>,
) -> Result<Response, Problem> {
    let (stories, unseen) = stories(&node, &id, source.as_deref()).await?;
    let (url, now) = (format!("http://{}", node.http), node.clock.now());
    Ok(match stories.as_slice() {
        [] => (StatusCode::NOT_FOUND, answer(page::story::nobody(&id, &unseen, &url, now))).into_response(),
        [one] => answer(page::story::page(one, &unseen, &url, now)),
        many => (StatusCode::CONFLICT, answer(page::story::which(many, &url, now))).into_response(),
    })
}

fn answer(page: Markup) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(page.into_string())).into_response()
}

/// A file that the page needs.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    match page::asset(&format!("/assets/{name}")) {
        Some((kind, bytes)) => {
            let headers =
                [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn status(node: &Arc<Wired>) -> Status {
    let now = node.clock.now();
    let report = node.watching.report().await;
    let incidents = node.responding.incidents().await.unwrap_or_default();
    let proof = proofs::proof(node).await;
    let log = node.log.status();
    Status {
        now,
        node: status::Node {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: format!("http://{}", node.http),
            data: node.plan().data.display().to_string(),
            started: node.started_at,
            usage: usage(node, now),
            draining: false,
        },
        flows: flows::flows(node, report.as_ref(), proof.as_deref()).await,
        proof: proof.map(|proof| proven(proof.at, &proof.audit, report.as_ref())),
        objectives: report.as_ref().map(objectives).unwrap_or_default(),
        happenings: happenings::happenings(node, report.as_ref(), &incidents),
        topics: topics(node),
        intakes: intakes::intakes(node),
        log: status::Log {
            stopped: log.stopped,
            damage: node.log.damage().iter().map(damaged).collect(),
            warnings: node.log.warnings().iter().map(ToString::to_string).collect(),
            wal_bytes: log.wal_bytes,
            wal_bytes_max: Some(node.wal_bytes_max),
            behind_bytes: Some(log.unwritten_bytes),
            segment_bytes: log.segment_bytes,
            free_bytes: crate::doctor::free_bytes(&node.plan().data),
            write: log.writes.quantile(0.5).zip(log.writes.quantile(0.99)),
            checkpoint_at: log.checkpoint_at,
            groups: log.groups,
            flushes: log.flushes,
        },
    }
}

/// What the process uses; its processors since somebody asked last.
fn usage(node: &Wired, now: Timestamp) -> status::Usage {
    let usage = Usage::read();
    let away = usage.network.iter().filter(|(device, _, _)| device != "lo");
    let network = away.fold(None, |sum: Option<(u64, u64)>, (_, received, sent)| {
        let (all_received, all_sent) = sum.unwrap_or_default();
        Some((all_received + received, all_sent + sent))
    });
    status::Usage {
        processors: super::usage::recently(node, now, &usage),
        processors_max: usage.cpus,
        memory_bytes: usage.resident_bytes,
        machine_bytes: usage.memory,
        files: usage.open_files.zip(usage.open_files_max),
        disk_bytes: usage.disk_bytes,
        network_bytes: network,
    }
}

fn proven(at: Timestamp, audit: &Audit, report: Option<&Report>) -> status::Proof {
    let problems = || audit.subscriptions.iter().flat_map(|s| s.problems.iter().map(move |p| (&s.name, p)));
    let count = |word: &str| problems().filter(|(_, p)| p.contains(word)).count() as u64;
    let sent_again = report.map_or(0, |r| r.snapshot.subscriptions.iter().map(|s| s.unknown).sum());
    status::Proof {
        at,
        events: audit.subscriptions.iter().map(|s| s.appended).sum(),
        lost: count(" is lost"),
        twice: count("has two outcomes"),
        out_of_order: audit.subscriptions.iter().map(|s| s.order_violations).sum(),
        sent_again,
        problems: problems().map(|(name, problem)| format!("{name}: {problem}")).collect(),
    }
}

fn objectives(report: &Report) -> Vec<status::Objective> {
    let seen = report.objectives.iter().zip(&report.snapshot.objectives);
    seen.map(|(of, seen)| {
        let (objective, budget) = (&of.objective, &seen.budget);
        let shortest =
            budget.burn.iter().find(|(window, _)| *window >= Duration::from_secs(300)).or(budget.burn.last());
        let firing = report.firing.iter().filter(|a| a.objective == objective.name).max_by_key(|a| a.severity);
        status::Objective {
            name: objective.name.to_string(),
            subscription: objective.subscription().to_string(),
            parts: objective.parts.iter().map(|part| part.scope.subscription.to_string()).collect(),
            target: objective.target(),
            threshold: objective.indicator().threshold(),
            window: objective.window.length(),
            good: budget.indicator,
            events: budget.valid,
            budget_left: (budget.valid > 0).then_some(budget.remaining),
            burn: shortest.and_then(|(_, burn)| *burn),
            burn_window: shortest.map(|(window, _)| *window).unwrap_or_default(),
            burns: budget.burn.clone(),
            exhausted_in: budget.exhausted_in,
            firing: firing.map(|a| a.name.to_string()),
            history: of.history.iter().map(|point| point.left).collect(),
            step: step(&of.history),
            counts: of.history.iter().map(|point| (point.good, point.bad)).collect(),
        }
    })
    .collect()
}

/// How long a stretch of the line is; the first one may be longer by what is not shown of it.
fn step(line: &[evenkeel_watch::Point]) -> Duration {
    line.windows(2).next().map(|pair| pair[1].until.since(pair[0].until)).unwrap_or_default()
}

fn topics(node: &Wired) -> Vec<status::Topic> {
    let mut topics = node.log.topics();
    topics.sort_by_key(|t| (t.name.starts_with(names::OWN_PREFIX), t.name.clone()));
    let mut bytes: HashMap<Arc<str>, u64> = HashMap::new();
    for (shard, held) in node.log.sizes() {
        *bytes.entry(shard.topic).or_insert(0) += held;
    }
    let near = node.log.nearly_full();
    let filled = |topic: &str| {
        let shares = near.iter().filter(|f| &*f.shard.topic == topic).map(|f| f.bytes as f64 / f.max.max(1) as f64);
        shares.reduce(f64::max)
    };
    let form = |topic: &evenkeel_log::Topic| status::Topic {
        name: topic.name.to_string(),
        partitions: topic.partitions,
        records: records(node, topic),
        bytes: bytes.get(&topic.name).copied(),
        filled: filled(&topic.name),
        rate_in: 0.0,
    };
    topics.iter().map(form).collect()
}

fn records(node: &Wired, topic: &evenkeel_log::Topic) -> u64 {
    let ends = (0..topic.partitions).filter_map(|p| node.log.ends(&Shard::new(topic.name.clone(), p)).ok());
    ends.map(|e| e.high_watermark - e.start).sum()
}

fn damaged(damage: &evenkeel_log::Damage) -> status::Damage {
    status::Damage {
        place: damage.place(),
        what: damage.what.clone(),
        lost: damage.lost.iter().map(ToString::to_string).collect(),
        cut: damage.cut.iter().map(ToString::to_string).collect(),
        exact: damage.exact,
    }
}
