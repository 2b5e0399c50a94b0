//! Replays on record: a compacted topic of ours, the newest record of a job saying what was asked for, how
//! far it is and how it ended.
//!
//! One record holds how far every partition is and what was counted up to there, so that the two never differ:
//! whoever goes on from it counts each event once. It starts nothing. Invariant: what is written here reads
//! back to the same job.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_log::{Append, Cleanup, Log, ReadLimit, Retention, Set, TopicSettings};
use evenkeel_model::{Outcome, Position, Record, Shard, Timestamp, names};
use serde::{Deserialize, Serialize};

use super::{Ask, Counts, Difference, Ended, Now, Progress, Replay, Wish};
use crate::error::{Error, codes};
use crate::wiring::failed;

/// The mark of a forgotten job is kept so long.
const FORGOTTEN_KEPT: Duration = Duration::from_secs(86_400);

/// A job, as its record has it; times are microseconds.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: u64,
    subscription: String,
    window: Vec<(u32, u64, u64)>,
    shadow: bool,
    failures_max: u64,
    began: i64,
    /// It was stopped, and may not have ended yet.
    stopped: bool,
    next: BTreeMap<u32, u64>,
    counts: [u64; 10],
    differences: Vec<KeptDifference>,
    ended: Option<KeptEnd>,
}

#[derive(Serialize, Deserialize)]
struct KeptDifference {
    partition: u32,
    offset: u64,
    id: String,
    was: String,
    now: String,
}

#[derive(Serialize, Deserialize)]
struct KeptEnd {
    at: i64,
    /// `done`, `stopped`, `failed`.
    how: String,
    why: Option<String>,
}

/// What the topic is made with.
pub(crate) fn settings() -> TopicSettings {
    let cleanup = Cleanup::Compact { dirty_percent: 50, delete_retention: FORGOTTEN_KEPT, min_lag: Duration::ZERO };
    TopicSettings { partitions: 1, retention: Retention::default(), cleanup }
}

/// Makes durable how the job stands.
pub(super) async fn keep(log: &Log, job: &Replay, now: Timestamp) -> Result<(), Error> {
    let written = serde_json::to_vec(&written(job)).map_err(|e| failed(&e))?;
    append(log, job.id, Some(written.into()), now).await
}

/// Makes durable that it is not remembered any more.
pub(super) async fn forget(log: &Log, job: &Replay, now: Timestamp) -> Result<(), Error> {
    append(log, job.id, None, now).await
}

async fn append(log: &Log, id: u64, value: Option<Bytes>, now: Timestamp) -> Result<(), Error> {
    let mut record = Record { key: Some(Bytes::from(id.to_string())), value, headers: Vec::new(), created: now };
    record.push_header("content-type", "application/json");
    let set = Set::appends(vec![Append::records(shard(), vec![record])]);
    log.append(set).await.map(drop).map_err(|e| Error::new(codes::LOG_STOPPED, e.to_string()))
}

/// All that are on record, oldest first.
pub(super) fn all(log: &Log) -> Result<Vec<Replay>, Error> {
    let shard = shard();
    let mut newest: BTreeMap<u64, Kept> = BTreeMap::new();
    let Ok(ends) = log.ends(&shard) else { return Ok(Vec::new()) };
    let mut next = ends.start;
    while next < ends.high_watermark {
        let records = log.read(&shard, next, ReadLimit::records(1_000)).map_err(|e| failed(&e))?;
        let Some(last) = records.last() else { break };
        next = last.at.offset + 1;
        for stored in records {
            let key = String::from_utf8_lossy(&stored.record.key.unwrap_or_default()).into_owned();
            let Some(value) = stored.record.value else {
                key.parse().ok().map(|id| newest.remove(&id));
                continue;
            };
            let unreadable = |e| {
                let said = format!("`{}` holds something of replay {key} that cannot be read: {e}", shard.topic);
                Error::new(codes::DATA_CORRUPT, said)
            };
            let kept: Kept = serde_json::from_slice(&value).map_err(unreadable)?;
            newest.insert(kept.id, kept);
        }
    }
    Ok(newest.into_values().map(read).collect())
}

fn shard() -> Shard {
    Shard::new(names::REPLAYS_TOPIC, 0)
}

fn written(job: &Replay) -> Kept {
    let progress = job.progress();
    let c = progress.counts;
    let difference = |d: &Difference| KeptDifference {
        partition: d.at.shard.partition,
        offset: d.at.offset,
        id: d.id.clone(),
        was: d.was.name().to_owned(),
        now: d.now.name().to_owned(),
    };
    let end = |(at, ended): &(Timestamp, Ended)| {
        let (how, why) = match ended {
            Ended::Done => ("done", None),
            Ended::Stopped => ("stopped", None),
            Ended::Failed(why) => ("failed", Some(why.clone())),
        };
        KeptEnd { at: at.micros(), how: how.to_owned(), why }
    };
    Kept {
        id: job.id,
        subscription: job.ask.subscription.to_string(),
        window: job.ask.window.clone(),
        shadow: job.ask.shadow,
        failures_max: job.ask.failures_max,
        began: job.began.micros(),
        stopped: job.wished() == Wish::Stop,
        counts: [
            c.events,
            c.completed,
            c.dead,
            c.dropped,
            c.not_called,
            c.failed,
            c.same,
            c.different,
            c.unknown,
            c.returned,
        ],
        differences: progress.differences.iter().map(difference).collect(),
        ended: progress.ended.as_ref().map(end),
        next: progress.next,
    }
}

fn read(kept: Kept) -> Replay {
    let topic: Arc<str> = Arc::from("");
    let difference = |d: KeptDifference| {
        Some(Difference {
            at: Position { shard: Shard { topic: topic.clone(), partition: d.partition }, offset: d.offset },
            id: d.id,
            was: Outcome::ALL.into_iter().find(|outcome| outcome.name() == d.was)?,
            now: Now::ALL.into_iter().find(|now| now.name() == d.now)?,
        })
    };
    let end = |end: KeptEnd| {
        let ended = match &*end.how {
            "done" => Ended::Done,
            "stopped" => Ended::Stopped,
            _ => Ended::Failed(end.why.unwrap_or_default()),
        };
        (Timestamp::from_micros(end.at), ended)
    };
    let [events, completed, dead, dropped, not_called, failed, same, different, unknown, returned] = kept.counts;
    let counts = Counts { events, completed, dead, dropped, not_called, failed, same, different, unknown, returned };
    let progress = Progress {
        counts,
        differences: kept.differences.into_iter().filter_map(difference).collect(),
        ended: kept.ended.map(end),
        next: kept.next,
    };
    let ask = Ask {
        subscription: kept.subscription.into(),
        window: kept.window,
        shadow: kept.shadow,
        failures_max: kept.failures_max,
    };
    let job = Replay::new(kept.id, ask, Timestamp::from_micros(kept.began), progress);
    if kept.stopped {
        job.wish(Wish::Stop);
    }
    job
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_log::sim::SimDisk;
    use evenkeel_log::{Log, Options};
    use evenkeel_model::{Outcome, Position, Shard, SystemClock, Timestamp};

    use super::super::{Ask, Ended, Now, Progress, Replay, Wish};
    use super::{all, forget, keep, settings};

    fn replay(id: u64, ended: Option<Ended>) -> Replay {
        let ask =
            Ask { subscription: "mail".into(), window: vec![(0, 3, 9), (1, 0, 0)], shadow: true, failures_max: 7 };
        let job = Replay::new(id, ask, Timestamp::from_millis(5), Progress::default());
        let at = Position { shard: Shard::new("", 0), offset: 4 };
        job.came(&at, "e", Some(Outcome::Completed), Now::Dead, 2);
        job.note(|progress| progress.ended = ended.map(|ended| (Timestamp::from_millis(8), ended)));
        job
    }

    #[tokio::test]
    async fn what_is_kept_reads_back_to_the_same_jobs_and_what_is_forgotten_does_not() {
        let clock = std::sync::Arc::new(SystemClock::new());
        let log = Log::open(std::sync::Arc::new(SimDisk::new(1)), Options::default(), clock).unwrap();
        log.create_topic(evenkeel_model::names::REPLAYS_TOPIC, settings()).unwrap().await.unwrap();
        let now = Timestamp::EPOCH + Duration::from_secs(1);
        let jobs = [
            replay(1, Some(Ended::Done)),
            replay(2, Some(Ended::Failed("no".to_owned()))),
            replay(10, Some(Ended::Stopped)),
            replay(11, None),
        ];
        jobs[3].wish(Wish::Stop);
        for job in &jobs {
            keep(&log, job, now).await.unwrap();
        }
        forget(&log, &jobs[0], now).await.unwrap();
        let read = all(&log).unwrap();
        assert_eq!(read.iter().map(|job| job.id).collect::<Vec<_>>(), [2, 10, 11]);
        for (job, read) in jobs[1..].iter().zip(&read) {
            assert_eq!((&job.ask, job.began, job.progress()), (&read.ask, read.began, read.progress()));
            assert_eq!(job.wished(), read.wished());
        }
    }
}
