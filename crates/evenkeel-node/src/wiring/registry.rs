//! The subscriptions that were made at run time: a compacted topic of ours, the newest record of
//! a name saying what it is, a record without a value that it is gone.
//!
//! A record holds what was written, as the file would have it, so that it is read by the same
//! rules at every start. It starts nothing. Invariant: what the file declares counts, whatever
//! stands here of the same name.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_log::{Append, Cleanup, Log, ReadLimit, Retention, Set, TopicSettings};
use evenkeel_model::{Record, Shard, Timestamp, names};
use serde_json::{Value, json};

use super::failed;
use crate::config;
use crate::config::plan::{Plan, SubscriptionPlan, TopicPlan};
use crate::error::{Error, codes};
use crate::happenings::{SubscriptionCannotRun, SubscriptionDeclared};

/// The mark of a removed subscription is kept so long.
const REMOVED_KEPT: Duration = Duration::from_secs(86_400);

/// A subscription that stands here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Registered {
    /// Its keys, as the file would have them.
    pub(crate) written: Value,
    /// A file declared it once, and does not any more: `apply --prune` removes it.
    pub(crate) left_the_file: bool,
}

/// What the topic is made with.
pub(super) fn settings() -> TopicSettings {
    let cleanup = Cleanup::Compact { dirty_percent: 50, delete_retention: REMOVED_KEPT, min_lag: Duration::ZERO };
    TopicSettings { partitions: 1, retention: Retention::default(), cleanup }
}

/// All that stand here, by name.
pub(crate) fn written_by(log: &Log) -> Result<BTreeMap<String, Registered>, Error> {
    let shard = shard();
    let mut all = BTreeMap::new();
    let Ok(ends) = log.ends(&shard) else { return Ok(all) };
    let mut next = ends.start;
    while next < ends.high_watermark {
        let records = log.read(&shard, next, ReadLimit::records(1_000)).map_err(|e| failed(&e))?;
        let Some(last) = records.last() else { break };
        next = last.at.offset + 1;
        for stored in records {
            let key = stored.record.key.unwrap_or_default();
            let name = String::from_utf8_lossy(&key).into_owned();
            match stored.record.value {
                Some(value) => drop(all.insert(name.clone(), read(&name, &value)?)),
                None => drop(all.remove(&name)),
            }
        }
    }
    Ok(all)
}

/// Those that run beside the plan's own. One that cannot run any more is told, and left out: it
/// must not keep the node from starting.
pub(super) fn subscriptions(plan: &Plan, log: &Log) -> Result<Vec<SubscriptionPlan>, Error> {
    let mut around = around(plan, log);
    let mut waiting: Vec<(String, Registered)> = written_by(log)?.into_iter().collect();
    waiting.retain(|(name, _)| {
        let declared = plan.subscriptions.iter().any(|s| *s.name == **name);
        if declared {
            SubscriptionDeclared { subscription: name.to_string() }.tell();
        }
        !declared
    });
    let mut made = Vec::new();
    // One may read the dead letters of another, so that their order is found by trying.
    loop {
        let before = waiting.len();
        let mut problems = Vec::new();
        waiting.retain(|(name, one)| match config::read_subscription(name, one.written.clone(), &around) {
            Ok(found) => {
                around.subscriptions.push(found.clone());
                made.push(found);
                false
            }
            Err(problem) => {
                problems.push((name.clone(), problem));
                true
            }
        });
        if waiting.len() < before && !waiting.is_empty() {
            continue;
        }
        for (name, problem) in problems {
            SubscriptionCannotRun { subscription: name, problem: problem.to_string() }.tell();
        }
        return Ok(made);
    }
}

/// The plan with all that a subscription may name at run time: topics that no file declares, too.
pub(crate) fn around(plan: &Plan, log: &Log) -> Plan {
    let mut plan = plan.clone();
    let is_own = |name: &str| names::is_own(name);
    for topic in log.topics().into_iter().filter(|t| !is_own(&t.name)) {
        if !plan.topics.iter().any(|t| t.name == topic.name) {
            plan.topics.push(TopicPlan { name: topic.name, settings: topic.settings, identity: None, sequence: None });
        }
    }
    plan
}

impl Registered {
    /// Makes it durable.
    pub(crate) async fn keep(&self, log: &Log, name: &str, now: Timestamp) -> Result<(), Error> {
        let value = json!({ "subscription": self.written, "left_the_file": self.left_the_file });
        append(log, name, Some(Bytes::from(value.to_string())), now).await
    }

    /// Makes it durable that there is none of that name any more.
    pub(crate) async fn forget(log: &Log, name: &str, now: Timestamp) -> Result<(), Error> {
        append(log, name, None, now).await
    }
}

async fn append(log: &Log, name: &str, value: Option<Bytes>, now: Timestamp) -> Result<(), Error> {
    let key = Some(Bytes::copy_from_slice(name.as_bytes()));
    let record = Record { key, value, headers: Vec::new(), created: now };
    let set = Set::appends(vec![Append::records(shard(), vec![record])]);
    log.append(set).await.map(drop).map_err(|e| Error::new(codes::LOG_STOPPED, e.to_string()))
}

fn read(name: &str, value: &[u8]) -> Result<Registered, Error> {
    let unreadable = |why: &str| {
        let said = format!("`{}` holds something of `{name}` that {why}", names::SUBSCRIPTIONS_TOPIC);
        Error::new(codes::DATA_CORRUPT, said)
    };
    let mut value: Value = serde_json::from_slice(value).map_err(|e| unreadable(&format!("is not JSON: {e}")))?;
    let left_the_file = value.get("left_the_file").and_then(Value::as_bool).unwrap_or(false);
    let written = value.get_mut("subscription").map(Value::take);
    Ok(Registered { written: written.ok_or_else(|| unreadable("is no subscription"))?, left_the_file })
}

fn shard() -> Shard {
    Shard::new(names::SUBSCRIPTIONS_TOPIC, 0)
}
