//! Carries a replay out: reads, calls, compares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::Screen;
use evenkeel_delivery::ports::{Answer, Call, Delivered, Handler, Source};
use evenkeel_log::{Log, ReadLimit};
use evenkeel_model::ledger::{self, LedgerEntry};
use evenkeel_model::{Outcome, Shard, Verdict, names};
use evenkeel_transport::{EmbeddedSource, SourceSettings};
use tokio::task::JoinSet;

use super::comparing::{Now, verdict};
use super::{Ask, Ended, Replay};
use crate::config::plan::SubscriptionPlan;
use crate::error::{Error, codes};
use crate::happenings::ReplayEnded;
use crate::wiring::{self, Wired};

/// An event that fails is called for so often.
const TRIES: u32 = 3;
/// Between two tries.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Events that are read at once.
const PAGE: usize = 256;

/// What the calls are made with.
pub(super) struct Prepared {
    plan: SubscriptionPlan,
    source: EmbeddedSource,
    handler: Arc<dyn Handler>,
    then: Then,
}

/// What came of each event of the window then.
type Then = HashMap<(u32, u64), Outcome>;

pub(super) async fn prepare(node: &Wired, ask: &Ask) -> Result<Prepared, Error> {
    let unknown =
        || Error::new(codes::UNKNOWN_SUBSCRIPTION, format!("there is no subscription `{}`", ask.subscription));
    let plan = node.wires.find(&ask.subscription).ok_or_else(unknown)?.plan;
    let settings = SourceSettings {
        uid: plan.uid.clone(),
        filter: plan.filter.clone(),
        // Its windows are read partition by partition.
        growths_in_turn: false,
        identity: plan.identity.clone(),
        ..SourceSettings::new(plan.name.clone(), plan.topic.clone())
    };
    let source = EmbeddedSource::open(node.log.clone(), settings).map_err(|e| wiring::failed(&e))?;
    let handler = wiring::replay_handler(node, &plan, ask.shadow)?;
    let (log, name) = (node.log.clone(), plan.name.clone());
    let then = wiring::blocking(move || then(&log, &name)).await??;
    Ok(Prepared { plan, source, handler, then })
}

pub(super) async fn run(node: Arc<Wired>, job: Arc<Replay>, prepared: Prepared) {
    let prepared = Arc::new(prepared);
    let mut partitions = JoinSet::new();
    for (partition, from, to) in job.ask.window.clone() {
        partitions.spawn(partition_of(job.clone(), prepared.clone(), partition, from, to));
    }
    let mut ended = if job.is_stopped() { Ended::Stopped } else { Ended::Done };
    while let Some(done) = partitions.join_next().await {
        match done {
            Ok(Ok(())) => {}
            Ok(Err(why)) => ended = Ended::Failed(why),
            Err(e) => ended = Ended::Failed(format!("a task died: {e}")),
        }
    }
    if job.is_stopped() && ended == Ended::Done {
        ended = Ended::Stopped;
    }
    let counts = job.progress().counts;
    let (subscription, replay) = (job.ask.subscription.to_string(), job.id.to_string());
    ReplayEnded { subscription, replay, ended: format!("{ended:?}"), counts: format!("{counts:?}") }.tell();
    job.note(|progress| progress.ended = Some((node.clock.now(), ended)));
}

/// One event after the other, so that order is kept.
async fn partition_of(job: Arc<Replay>, with: Arc<Prepared>, partition: u32, from: u64, to: u64) -> Result<(), String> {
    let shard = Shard::new(with.plan.topic.clone(), partition);
    let mut next = from;
    while next < to {
        let (events, on) = with.source.fetch(&shard, next, PAGE).await.map_err(|e| e.to_string())?;
        if events.is_empty() {
            return Ok(());
        }
        for event in events.into_iter().filter(|e| e.arrival.at.offset < to) {
            if job.is_stopped() {
                return Ok(());
            }
            one(&job, &with, event).await;
            let (failed, max) = (job.failures(), job.ask.failures_max);
            if failed >= max {
                job.stop();
                return Err(format!("{failed} events have failed, and {max} are the most"));
            }
        }
        next = on;
    }
    Ok(())
}

async fn one(job: &Replay, with: &Prepared, event: Arc<Delivered>) {
    let at = event.arrival.at.clone();
    let was = with.then.get(&(at.shard.partition, at.offset)).copied();
    let id = event.event.id.id.clone();
    if event.arrival.screen != Screen::Wanted {
        return job.came(&at, &id, was, Now::NotCalled, 0);
    }
    for attempt in 1..=TRIES {
        let answer = with.handler.handle(call(with, event.clone(), attempt)).await;
        if let Some(now) = verdict(&answer) {
            return job.came(&at, &id, was, now, answer.emitted.len() as u64);
        }
        if job.is_stopped() || attempt == TRIES {
            break;
        }
        tokio::time::sleep(wanted_pause(&answer).unwrap_or(AGAIN_AFTER)).await;
    }
    job.came(&at, &id, was, Now::Failed, 0);
}

fn call(with: &Prepared, delivered: Arc<Delivered>, attempt: u32) -> Call {
    Call {
        key: delivered.arrival.mark,
        delivered,
        attempt,
        attempts_max: TRIES,
        delivery: attempt,
        timeout: with.plan.policy.timeout,
        fence: 0,
    }
}

/// What the handler asks for, within reason.
fn wanted_pause(answer: &Answer) -> Option<Duration> {
    let wanted = match &answer.verdict {
        Verdict::Retry { after, .. } | Verdict::Busy { after } => *after,
        Verdict::Failed(failure) => failure.retry_after,
        _ => None,
    };
    wanted.map(|after| after.min(Duration::from_secs(60)))
}

/// What the ledger says of the subscription's events.
fn then(log: &Log, subscription: &str) -> Result<Then, Error> {
    let shard = Shard::new(names::LEDGER_TOPIC, 0);
    let ends = log.ends(&shard).map_err(|e| wiring::failed(&e))?;
    let (mut then, mut next) = (Then::new(), ends.start);
    while next < ends.high_watermark {
        let records = log.read(&shard, next, ReadLimit::records(4_096)).map_err(|e| wiring::failed(&e))?;
        let Some(last) = records.last() else { break };
        next = last.at.offset + 1;
        for stored in &records {
            let Ok(record) = ledger::decode(stored.record.value.as_deref().unwrap_or_default()) else { continue };
            if *record.subscription != *subscription {
                continue;
            }
            for entry in record.entries {
                if let LedgerEntry::Ended(ended) = entry {
                    then.insert((record.partition, ended.offset), ended.outcome);
                }
            }
        }
    }
    Ok(then)
}
