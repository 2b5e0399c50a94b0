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
use super::{Ask, Ended, Progress, Replay, Wish, kept};
use crate::config::plan::SubscriptionPlan;
use crate::error::{Error, codes};
use crate::happenings::{ReplayEnded, ReplayNotKept};
use crate::wiring::{self, Wired};

/// An event that fails is called for so often.
const TRIES: u32 = 3;
/// Between two tries.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Events that are read at once.
const PAGE: usize = 256;
/// How often it is put on record how far a job is.
const KEPT_EVERY: Duration = Duration::from_secs(1);

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
    let (log, name, window) = (node.log.clone(), plan.name.clone(), ask.window.clone());
    let then = wiring::blocking(move || then(&log, &name, &window)).await??;
    Ok(Prepared { plan, source, handler, then })
}

pub(super) async fn run(node: Arc<Wired>, job: Arc<Replay>, prepared: Prepared) {
    let prepared = Arc::new(prepared);
    let mut partitions = JoinSet::new();
    for (partition, from, to) in job.ask.window.clone() {
        let from = job.reached(partition).unwrap_or(from);
        partitions.spawn(partition_of(job.clone(), prepared.clone(), partition, from, to));
    }
    let mut failed = None;
    let (mut turns, mut said) = (tokio::time::interval(KEPT_EVERY), job.progress());
    loop {
        tokio::select! {
            done = partitions.join_next() => match done {
                None => break,
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(why))) => failed = Some(why),
                Some(Err(e)) => failed = Some(format!("a task died: {e}")),
            },
            _ = turns.tick() => keep(&node, &job, &mut said).await,
        }
    }
    let ended = match (failed, job.wished()) {
        (Some(why), _) => Ended::Failed(why),
        (None, Wish::Stop) => Ended::Stopped,
        (None, Wish::Rest) if !is_through(&job) => return keep(&node, &job, &mut said).await,
        (None, Wish::Rest | Wish::GoOn) => Ended::Done,
    };
    end(&node, &job, ended).await;
}

/// True when every partition's window is behind it.
fn is_through(job: &Replay) -> bool {
    job.ask.window.iter().all(|(partition, from, to)| job.reached(*partition).unwrap_or(*from) >= *to)
}

/// Puts on record how far it is, if it came further.
async fn keep(node: &Wired, job: &Replay, said: &mut Progress) {
    let now = job.progress();
    if now == *said {
        return;
    }
    match kept::keep(&node.log, job, node.clock.now()).await {
        Ok(()) => *said = now,
        Err(problem) => ReplayNotKept { replay: job.id.to_string(), problem: problem.to_string() }.tell(),
    }
}

/// It is over; on record as such.
pub(super) async fn end(node: &Wired, job: &Replay, ended: Ended) {
    let counts = job.progress().counts;
    let (subscription, replay) = (job.ask.subscription.to_string(), job.id.to_string());
    ReplayEnded { subscription, replay, ended: format!("{ended:?}"), counts: format!("{counts:?}") }.tell();
    let mut said = job.progress();
    job.note(|progress| progress.ended = Some((node.clock.now(), ended)));
    keep(node, job, &mut said).await;
}

/// One event after the other, so that order is kept.
async fn partition_of(job: Arc<Replay>, with: Arc<Prepared>, partition: u32, from: u64, to: u64) -> Result<(), String> {
    let shard = Shard::new(with.plan.topic.clone(), partition);
    let mut next = from;
    while next < to {
        let (events, on) = with.source.fetch(&shard, next, PAGE).await.map_err(|e| e.to_string())?;
        for event in events.into_iter().filter(|e| e.arrival.at.offset < to) {
            if !job.goes_on() {
                return Ok(());
            }
            one(&job, &with, event).await;
            let (failed, max) = (job.failures(), job.ask.failures_max);
            if failed >= max {
                job.wish(Wish::Stop);
                return Err(format!("{failed} events have failed, and {max} are the most"));
            }
        }
        if on == next {
            break;
        }
        next = on;
    }
    // Nothing more of the window is there: what is missing was never an event.
    job.passed(partition, to);
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
        if attempt == TRIES || !goes_on_after(job, wanted_pause(&answer).unwrap_or(AGAIN_AFTER)).await {
            break;
        }
    }
    if job.wished() == Wish::Rest {
        // The node's next life tries it again.
        return;
    }
    job.came(&at, &id, was, Now::Failed, 0);
}

/// Waits so long; false when the job does not go on.
async fn goes_on_after(job: &Replay, pause: Duration) -> bool {
    let mut wishes = job.wish.subscribe();
    let ended = wishes.wait_for(|wish| *wish != Wish::GoOn);
    // Nobody wished for anything else in that time.
    tokio::time::timeout(pause, ended).await.is_err()
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

/// What the ledger says of the subscription's events of that window.
fn then(log: &Log, subscription: &str, window: &[(u32, u64, u64)]) -> Result<Then, Error> {
    let wanted = |partition: u32, offset: u64| {
        window.iter().any(|(p, from, to)| *p == partition && (*from..*to).contains(&offset))
    };
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
                if let LedgerEntry::Ended(ended) = entry
                    && wanted(record.partition, ended.offset)
                {
                    then.insert((record.partition, ended.offset), ended.outcome);
                }
            }
        }
    }
    Ok(then)
}
