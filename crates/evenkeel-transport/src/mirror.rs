//! A mirror: a subscription whose handler copies each record as it is to the same partition of another topic, and
//! notes where it lies there, so that an offset here can be said as one there.
//!
//! What it notes are runs: so many records in a row, from an offset here, lie in a row from an offset there. They are
//! records of [`names::MIRRORS_TOPIC`], by subscription and partition, and durable before the source is told that the
//! records are copied. Whoever is cut off in between copies them once more, and notes that too.
//!
//! Notes are kept for ever, and do not grow with what is copied: those of a day are kept as they are, of older ones the
//! newest of each [`BUCKET`] offsets, which says again how the bucket began. An old offset is translated to one less
//! than a bucket before it.
//!
//! Invariant: what lies at or behind an offset here lies at or behind the translated one there, as far as it was
//! copied: whoever goes on there misses nothing, and meets again what was copied twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evenkeel_delivery::ports::{Answer, Batching, BoxFuture, Call, Handler, PortError, SinkError, Unsent};
use evenkeel_log::{Append, AppendError, Cleanup, Log, Set, TopicSettings};
use evenkeel_model::{Position, Record, Shard, names};
use serde_json::{Value, json};

use crate::pages::{Pages, unreadable};
use crate::sink::{LINGER, TOGETHER, answer, late};

/// So many offsets here have a note of their own in the long run.
pub const BUCKET: u64 = 1_024;
/// So long every note is kept.
const EXACT: Duration = Duration::from_secs(86_400);

/// Copies records to partitions that they name.
pub trait Copier: Send + Sync + 'static {
    /// One answer for each, in order: its offset there.
    fn copy(&self, records: Vec<(u32, Record)>) -> BoxFuture<'_, Vec<Result<u64, SinkError>>>;
}

/// Where a mirror copies to.
#[derive(Clone)]
pub enum Target {
    /// A topic of this log.
    Topic(Arc<str>),
    /// A topic at a broker.
    Broker(Arc<dyn Copier>),
}

/// So many records in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first one's offset here.
    pub from: u64,
    /// And there.
    pub to: u64,
    /// How many.
    pub count: u64,
}

/// The handler of a mirror.
pub struct Mirror {
    log: Log,
    subscription: Arc<str>,
    target: Target,
    anchors: Arc<Mutex<Anchors>>,
}

/// By partition: the newest bucket that was noted, and the run that it began with.
type Anchors = HashMap<u32, (u64, Run)>;

impl Mirror {
    /// Of that subscription. Must be called where one may block: it makes the topic of its notes.
    pub fn open(log: Log, subscription: impl Into<Arc<str>>, target: Target) -> Result<Mirror, PortError> {
        let cleanup = Cleanup::Compact { dirty_percent: 50, delete_retention: EXACT, min_lag: EXACT };
        let settings = TopicSettings { cleanup, ..TopicSettings::partitions(1) };
        let failed = |e: &dyn std::fmt::Display| PortError(e.to_string());
        let making = match log.topic(names::MIRRORS_TOPIC) {
            None => Some(log.create_topic(names::MIRRORS_TOPIC, settings)),
            Some(topic) if topic.settings.cleanup == settings.cleanup => None,
            Some(_) => Some(log.configure_topic(names::MIRRORS_TOPIC, settings)),
        };
        if let Some(making) = making {
            making.map_err(|e| failed(&e))?.wait().map_err(|e| failed(&e))?;
        }
        let subscription = subscription.into();
        let mut anchors = Anchors::new();
        each_note(&log, &subscription, |partition, bucket, runs| {
            anchors.extend(bucket.zip(runs.first().copied()).map(|anchor| (partition, anchor)));
        })?;
        Ok(Mirror { log, subscription, target, anchors: Arc::new(Mutex::new(anchors)) })
    }

    async fn copy(&self, calls: &[Call]) -> Vec<Result<u64, SinkError>> {
        match &self.target {
            Target::Topic(topic) => match self.place(topic, calls).await {
                Ok(places) => places.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error); calls.len()],
            },
            Target::Broker(copier) => {
                let records = calls.iter().map(|call| (at(call).shard.partition, call.delivered.record.clone()));
                let answers = copier.copy(records.collect()).await;
                let copied = calls.iter().zip(&answers);
                let copied: Vec<_> = copied.filter_map(|(call, to)| Some((at(call), *to.as_ref().ok()?))).collect();
                match self.log.append(Set::appends(self.notes(&copied).into_iter().collect())).await {
                    Ok(_) => answers,
                    Err(error) => vec![Err(unsent(&error)); calls.len()],
                }
            }
        }
    }

    /// Into a topic of this log, all or nothing, then the notes.
    async fn place(&self, topic: &Arc<str>, calls: &[Call]) -> Result<Vec<u64>, SinkError> {
        let denied = |message: String| SinkError { unsent: Unsent::Denied, message };
        let known = self.log.topic(topic).ok_or_else(|| denied(format!("there is no topic `{topic}`")))?;
        let mut parts: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (nth, call) in calls.iter().enumerate() {
            parts.entry(at(call).shard.partition).or_default().push(nth);
        }
        if let Some(beyond) = parts.keys().find(|partition| **partition >= known.partitions) {
            let has = known.partitions;
            return Err(denied(format!("topic `{topic}` has no partition {beyond} (it has {has}); give it more")));
        }
        let appends = parts.iter().map(|(partition, nths)| {
            let records = nths.iter().map(|nth| calls[*nth].delivered.record.clone()).collect();
            Append::records(Shard::new(topic.clone(), *partition), records)
        });
        let appended = self.log.append(Set::appends(appends.collect())).await.map_err(|error| unsent(&error))?;
        let mut places = vec![0; calls.len()];
        for (placed, nths) in appended.placed.iter().zip(parts.values()) {
            nths.iter().zip(placed.base..).for_each(|(nth, offset)| places[*nth] = offset);
        }
        let copied: Vec<_> = calls.iter().map(at).zip(places.iter().copied()).collect();
        let noted = self.log.append(Set::appends(self.notes(&copied).into_iter().collect())).await;
        noted.map(|_| places).map_err(|error| unsent(&error))
    }

    /// What was copied, as runs, a note for each bucket.
    fn notes(&self, copied: &[(&Position, u64)]) -> Option<Append> {
        let mut runs: BTreeMap<(u32, u64), Vec<Run>> = BTreeMap::new();
        for (from, to) in copied {
            let of = runs.entry((from.shard.partition, from.offset / BUCKET)).or_default();
            match of.last_mut().filter(|run| run.from + run.count == from.offset && run.to + run.count == *to) {
                Some(run) => run.count += 1,
                None => of.push(Run { from: from.offset, to: *to, count: 1 }),
            }
        }
        let mut anchors = self.anchors.lock().unwrap_or_else(PoisonError::into_inner);
        let note = |((partition, bucket), runs): ((u32, u64), Vec<Run>)| {
            let first = runs.first().copied();
            let began = anchors.get(&partition).filter(|(of, _)| *of == bucket).map(|(_, run)| *run);
            // When older notes of the bucket are gone, this one still says how it began.
            let all = began.into_iter().filter(|run| Some(*run) != first).chain(runs.iter().copied());
            let value = json!(all.map(|run| [run.from, run.to, run.count]).collect::<Vec<_>>()).to_string();
            if began.is_none() {
                anchors.extend(first.map(|run| (partition, (bucket, run))));
            }
            let key = format!("{};{partition};{bucket}", self.subscription);
            Record { key: Some(key.into()), value: Some(value.into()), ..Record::default() }
        };
        let records: Vec<Record> = runs.into_iter().map(note).collect();
        (!records.is_empty()).then(|| Append::records(notes(), records))
    }
}

impl Handler for Mirror {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let answers = self.handle_batch(vec![call]);
        Box::pin(async move { answers.await.pop().unwrap_or_else(|| answer(Err(late(Duration::ZERO)))) })
    }

    fn is_elsewhere(&self) -> bool {
        true
    }

    fn batching(&self) -> Batching {
        Batching { max: TOGETHER, linger: LINGER }
    }

    fn handle_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Vec<Answer>> {
        let this = Mirror {
            log: self.log.clone(),
            subscription: self.subscription.clone(),
            target: self.target.clone(),
            anchors: self.anchors.clone(),
        };
        Box::pin(async move {
            let patience = calls.iter().map(|call| call.timeout).max().unwrap_or_default();
            let answers = match tokio::time::timeout(patience, this.copy(&calls)).await {
                Ok(answers) => answers,
                Err(_) => vec![Err(late(patience)); calls.len()],
            };
            answers.into_iter().map(|copied| answer(copied.map(|_| Default::default()))).collect()
        })
    }
}

/// Where what lies at or behind an offset here lies there, by the newest run that says so; `None`: nothing was copied.
pub fn translate(log: &Log, subscription: &str, partition: u32, offset: u64) -> Result<Option<u64>, PortError> {
    let mut best: Option<Run> = None;
    each_note(log, subscription, |of, _, runs| {
        for run in runs.into_iter().filter(|_| of == partition) {
            // The nearest one at or before; of the same one the newest.
            if run.from <= offset && best.is_none_or(|best| run.from >= best.from) {
                best = Some(run);
            }
        }
    })?;
    Ok(best.map(|run| run.to + (offset - run.from).min(run.count)))
}

/// Shows the notes of a mirror, oldest first: the partition, the bucket (older versions wrote none), its runs.
fn each_note(log: &Log, subscription: &str, mut see: impl FnMut(u32, Option<u64>, Vec<Run>)) -> Result<(), PortError> {
    let shard = notes();
    if log.topic(&shard.topic).is_none() {
        return Ok(());
    }
    let ends = log.ends(&shard).map_err(|e| unreadable(&shard, &e))?;
    Pages::new(log, shard, ends.start, ends.high_watermark).each(|stored| {
        let key = stored.record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
        let mut parts = key.split(';');
        let of = parts.next().filter(|of| *of == subscription);
        if let Some(partition) = of.and(parts.next()).and_then(|partition| partition.parse().ok()) {
            let bucket = parts.next().and_then(|bucket| bucket.parse().ok());
            see(partition, bucket, runs(stored.record.value.as_deref().unwrap_or_default()));
        }
        Ok(())
    })
}

fn runs(value: &[u8]) -> Vec<Run> {
    let all: Value = serde_json::from_slice(value).unwrap_or_default();
    let number = |run: &Value, nth: usize| run.get(nth)?.as_u64();
    let run = |run: &Value| Some(Run { from: number(run, 0)?, to: number(run, 1)?, count: number(run, 2)? });
    all.as_array().into_iter().flatten().filter_map(run).collect()
}

fn notes() -> Shard {
    Shard::new(names::MIRRORS_TOPIC, 0)
}

fn at(call: &Call) -> &Position {
    &call.delivered.arrival.at
}

fn unsent(error: &AppendError) -> SinkError {
    let unsent = match error {
        AppendError::DiskFull | AppendError::TopicFull { .. } => Unsent::Overload,
        AppendError::TooLarge { .. } => Unsent::Never,
        _ => Unsent::Unknown,
    };
    SinkError { unsent, message: error.to_string() }
}

#[cfg(test)]
mod tests;
