//! Keeps the index of stories a few seconds behind the log, so that a story is found at once.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_log::Log;
use evenkeel_transport::story::StoryIndex;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::happenings::{StoriesBehind, StoriesNotIndexed};
use crate::wiring;

/// How often it catches up.
const EVERY: Duration = Duration::from_secs(3);

/// The index; of a damaged log it is left as it is.
pub(super) fn start(log: Log, is_damaged: bool, stop: watch::Receiver<bool>) -> Arc<StoryIndex> {
    let (index, problem) = StoryIndex::open(log);
    if let Some(problem) = problem {
        StoriesNotIndexed { problem: problem.to_string() }.tell();
    }
    let index = Arc::new(index);
    if !is_damaged {
        tokio::spawn(keep_up(index.clone(), stop));
    }
    index
}

async fn keep_up(index: Arc<StoryIndex>, mut stop: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = crate::node::told_to_stop(&mut stop) => return,
        }
        let catching_up = index.clone();
        let caught_up = wiring::blocking(move || catching_up.catch_up()).await;
        let Ok(Err(problem)) = caught_up else {
            failed = false;
            continue;
        };
        if !std::mem::replace(&mut failed, true) {
            StoriesBehind { problem: problem.to_string() }.tell();
        }
    }
}
