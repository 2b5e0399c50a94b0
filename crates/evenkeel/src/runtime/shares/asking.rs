//! What is asked of the whole subscription: asked of every partition, and put together.

use std::sync::Arc;

use evenkeel_delivery::{
    BreakerState, BreakerView, Command, HANDLER, Redrive, RedrivePlan, RedriveState, RedrivesView, View, Why, WhyAsked,
    letter_number,
};
use evenkeel_model::Shard;
use tokio::task::JoinSet;

use crate::runtime::handle::SubscriptionHandle;
use crate::runtime::happening::Control;

/// How many parked lanes are shown.
const LANES_SHOWN: usize = 20;

type Running = Vec<(u32, SubscriptionHandle)>;

/// Passes it on, or answers it in a task.
pub(super) fn ask(running: Running, control: Control, trouble: Option<String>, asking: &mut JoinSet<()>) {
    match control {
        Control::Command(command) => command_all(&running, &command),
        Control::View(tell) => drop(asking.spawn(async move {
            let mut whole = View { trouble, ..View::default() };
            for (_, handle) in &running {
                if let Some(view) = handle.view().await {
                    add(&mut whole, view);
                }
            }
            let _ = tell.send(whole);
        })),
        Control::Pending(tell) => drop(asking.spawn(async move {
            let mut pending = Vec::new();
            for (_, handle) in &running {
                pending.extend(handle.pending().await.unwrap_or_default());
            }
            let _ = tell.send(pending);
        })),
        Control::Owed(tell) => drop(asking.spawn(async move {
            let mut owed = Vec::new();
            for (_, handle) in &running {
                owed.extend(handle.owed().await.unwrap_or_default());
            }
            let _ = tell.send(owed);
        })),
        Control::Why { asked, told } => drop(asking.spawn(async move {
            let _ = told.send(why(&running, &asked).await);
        })),
        Control::Redrive { plan, told } => drop(asking.spawn(async move {
            let _ = told.send(redrive(&running, &plan).await);
        })),
        Control::Redrives(tell) => drop(asking.spawn(async move {
            let _ = tell.send(redrives(&running).await);
        })),
        // Each partition has a seat of its own, and a drain is the whole's own business.
        Control::Dependency(..) | Control::Drain { .. } => {}
    }
}

fn command_all(running: &Running, command: &Command) {
    let only = match command {
        Command::SkipAt(at) => Some(at.shard.partition),
        Command::DropLetters { letters, .. } => Some(letters.partition),
        _ => None,
    };
    for (_, handle) in running.iter().filter(|(partition, _)| only.is_none_or(|only| only == *partition)) {
        handle.command(command.clone());
    }
}

/// The first that knows more than that the subscription runs.
async fn why(running: &Running, asked: &WhyAsked) -> Why {
    let mut found = Why::default();
    for (partition, handle) in running {
        if matches!(asked, WhyAsked::At(at) if at.shard.partition != *partition) {
            continue;
        }
        let Some(why) = handle.why(asked.clone()).await else { continue };
        let knows = why.first.is_some();
        found = why;
        if knows {
            break;
        }
    }
    found
}

/// The letters of each partition lie in a partition of their own.
async fn redrive(running: &Running, plan: &RedrivePlan) -> Result<(), Arc<str>> {
    for (partition, handle) in running {
        if let Some(Err(busy)) = handle.redrive(part_of(plan, *partition, running.len())).await {
            return Err(busy);
        }
    }
    Ok(())
}

/// Together they go no faster than the whole was to.
fn part_of(plan: &RedrivePlan, partition: u32, parts: usize) -> RedrivePlan {
    let parts = u32::try_from(parts).unwrap_or(u32::MAX).max(1);
    RedrivePlan {
        letters: Shard { topic: plan.letters.topic.clone(), partition },
        canary: plan.canary.div_ceil(parts),
        at_once: plan.at_once.div_ceil(parts),
        every: plan.every.saturating_mul(parts),
        ..plan.clone()
    }
}

async fn redrives(running: &Running) -> RedrivesView {
    let mut whole = RedrivesView { durable: true, ..RedrivesView::default() };
    for (partition, handle) in running {
        let Some(view) = handle.redrives().await else { continue };
        view.jobs.into_iter().for_each(|job| add_job(&mut whole.jobs, job));
        whole.failing += view.failing;
        whole.durable &= view.durable;
        let number = |offset| letter_number(*partition, offset);
        whole.closed.extend(view.closed.into_iter().map(|(from, until)| (number(from), number(until))));
    }
    whole.jobs.sort_by_key(|job| job.plan.started_at);
    whole.parts = Some(running.iter().map(|(partition, _)| *partition).collect());
    whole
}

/// One job is several partitions' part in it; it stands where the one stands that is furthest from its end.
fn add_job(all: &mut Vec<Redrive>, part: Redrive) {
    let Some(job) = all.iter_mut().find(|job| job.plan.id == part.plan.id) else { return all.push(part) };
    let weight = |state: RedriveState| match state {
        RedriveState::Stopped => 4,
        RedriveState::Paused => 3,
        RedriveState::Running => 2,
        RedriveState::Cancelled => 1,
        RedriveState::Done => 0,
    };
    if weight(part.state) > weight(job.state) {
        (job.state, job.why) = (part.state, part.why);
    }
    job.taken += part.taken;
    job.completed += part.completed;
    job.dead += part.dead;
    job.otherwise += part.otherwise;
    job.skipped += part.skipped;
    job.proven &= part.proven;
    job.plan.canary += part.plan.canary;
    job.plan.at_once += part.plan.at_once;
    job.ended_at = job.ended_at.zip(part.ended_at).map(|(a, b)| a.max(b));
}

fn add(whole: &mut View, part: View) {
    whole.in_flight += part.in_flight;
    whole.parked += part.parked;
    whole.parked_keys += part.parked_keys;
    whole.queued += part.queued;
    whole.concurrency = whole.concurrency.saturating_add(part.concurrency);
    whole.in_flight_bytes += part.in_flight_bytes;
    whole.unpaid_retries += part.unpaid_retries;
    whole.suspects += part.suspects;
    whole.versions += part.versions;
    whole.unversioned += part.unversioned;
    whole.shed_below = whole.shed_below.max(part.shed_below);
    whole.shed += part.shed;
    whole.fell_back += part.fell_back;
    whole.paused = whole.paused.take().or(part.paused);
    whole.oldest = match (whole.oldest, part.oldest) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    part.breakers.into_iter().for_each(|breaker| add_breaker(&mut whole.breakers, breaker));
    whole.lanes.extend(part.lanes);
    whole.lanes.truncate(LANES_SHOWN);
}

/// Of a dependency the breaker counts that is furthest from closed.
fn add_breaker(all: &mut Vec<BreakerView>, mut one: BreakerView) {
    if &*one.dependency == HANDLER {
        // Its partitions share it, and nobody else.
        one.sharers = 1;
    }
    let weight = |state: BreakerState| match state {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open => 2,
    };
    match all.iter_mut().find(|there| there.dependency == one.dependency) {
        Some(there) if weight(there.state) < weight(one.state) => *there = one,
        Some(_) => {}
        None => all.push(one),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_model::Timestamp;

    use super::*;

    fn plan() -> RedrivePlan {
        RedrivePlan {
            id: "r1".into(),
            selection: "".into(),
            letters: Shard::new("payment.dead", 0),
            until: u64::MAX,
            selected: 90,
            reason: String::new(),
            canary: 10,
            every: Duration::from_millis(20),
            at_once: 64,
            stop_permille: 200,
            stop_min: 20,
            new_key: false,
            started_at: Timestamp::EPOCH,
        }
    }

    #[test]
    fn the_parts_of_a_redrive_go_together_no_faster_than_the_whole_was_to() {
        let parts: Vec<RedrivePlan> = (0..3).map(|partition| part_of(&plan(), partition, 3)).collect();
        let per_second: f64 = parts.iter().map(|part| 1.0 / part.every.as_secs_f64()).sum();
        assert!((per_second - 50.0).abs() < 1e-9, "{per_second} a second");
        let sum = |of: fn(&RedrivePlan) -> u32| parts.iter().map(of).sum::<u32>();
        // Rounded up, so that each part has something.
        assert!((10..13).contains(&sum(|part| part.canary)) && (64..67).contains(&sum(|part| part.at_once)));
        let places: Vec<u32> = parts.iter().map(|part| part.letters.partition).collect();
        assert_eq!(places, [0, 1, 2], "each takes the letters of its own partition");
    }
}
