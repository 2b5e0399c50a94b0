//! Nothing: what an open log costs that nobody uses.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::TrialPlan;
use super::load;
use super::machine::{cpu_seconds, rss_mb, sleeps};
use super::measured::Measured;
use super::store::Lanes;
use crate::Outcome;
use crate::log::committer::Entry;

/// Partitions of the log that idles, and records that are in it.
const PARTITIONS: usize = 100;
const RECORDS: usize = 1000;

/// After so long whatever had to be finished is finished.
const SETTLED: Duration = Duration::from_secs(2);

pub(crate) fn idle(plan: &TrialPlan) -> Outcome<Measured> {
    let lanes = Lanes::open(&plan.folder, PARTITIONS, None)?;
    let value = load::values(1 << 10)[0].clone();
    for number in 0..RECORDS {
        lanes.log.append(lanes.set(Entry { partition: number % PARTITIONS, value: value.clone() })).wait()?;
    }
    pass(SETTLED);
    let (before, cpu) = (sleeps(), cpu_seconds());
    pass(plan.seconds);
    let seconds = plan.seconds.as_secs_f64();
    Ok(Measured {
        rss_mb: rss_mb(),
        wakes_per_second: (sleeps() - before) as f64 / seconds,
        cores: (cpu_seconds() - cpu) / seconds,
        ..Measured::default()
    })
}

/// Lets real time pass: this is what is measured.
fn pass(time: Duration) {
    let (nobody, answers) = channel::<()>();
    while answers.recv_timeout(time) != Err(RecvTimeoutError::Timeout) {}
    drop(nobody);
}
