//! The topics that must be there before anything runs.

use std::collections::BTreeMap;

use evenkeel_log::{Log, TopicError, TopicSettings};
use evenkeel_model::names;
use evenkeel_transport::JOURNAL_PARTITIONS;

use super::failed;
use crate::config::glob_matches;
use crate::config::plan::{Plan, SubscriptionPlan};
use crate::error::{Error, codes};

/// Creates the node's own topics, the declared ones, and one for each subscription's dead
/// letters; returns when all are durable. They share flushes.
pub(super) fn all(plan: &Plan, subscriptions: &[SubscriptionPlan], log: &Log) -> Result<(), Error> {
    let mut wanted: BTreeMap<String, TopicSettings> = BTreeMap::new();
    for (name, partitions) in [
        (names::LEDGER_TOPIC, 1),
        (names::JOURNAL_TOPIC, JOURNAL_PARTITIONS),
        (names::ALERTS_TOPIC, 1),
        (names::INCIDENTS_TOPIC, 1),
        (names::EXPERIMENTS_TOPIC, 1),
    ] {
        wanted.insert(name.to_owned(), TopicSettings::partitions(partitions));
    }
    for subscription in subscriptions {
        wanted.insert(format!("{}{}", subscription.name, names::DEAD_SUFFIX), TopicSettings::partitions(1));
    }
    for topic in &plan.topics {
        wanted.insert(topic.name.to_string(), topic.settings);
    }
    ensure(log, wanted)
}

/// Creates what is missing of these topics. One that is there with as many partitions stays as
/// it is.
fn ensure(log: &Log, wanted: impl IntoIterator<Item = (String, TopicSettings)>) -> Result<(), Error> {
    let mut creating = Vec::new();
    for (name, settings) in wanted {
        match log.topic(&name) {
            Some(there) if there.partitions != settings.partitions => {
                return Err(Error::new(
                    codes::CONFIG_VALUE,
                    format!(
                        "`topics.{name}.partitions`: the topic has {} partitions, and the configuration says {}",
                        there.partitions, settings.partitions
                    ),
                )
                .hint("the number of partitions of a topic can't be changed in this version"));
            }
            Some(there) => {
                if there.settings != settings {
                    tracing::warn!(topic = name, "its retention stays as it was when it was created");
                }
            }
            None => creating.push(log.create_topic(&name, settings).map_err(|e| refused(&e))?),
        }
    }
    creating.into_iter().try_for_each(|created| created.wait().map(drop).map_err(|e| refused(&e)))
}

/// Creates a topic that a client names, where the configuration allows it.
pub(crate) async fn auto_create(plan: &Plan, log: &Log, name: &str) -> Result<bool, Error> {
    let allowed = !name.starts_with(names::OWN_PREFIX) && plan.auto_create.allow.iter().any(|p| glob_matches(p, name));
    if !allowed {
        return Ok(false);
    }
    let creating = log.create_topic(name, TopicSettings::partitions(plan.auto_create.partitions));
    creating.map_err(|e| refused(&e))?.await.map_err(|e| refused(&e))?;
    Ok(true)
}

fn refused(e: &TopicError) -> Error {
    match e {
        TopicError::Append(evenkeel_log::AppendError::DiskFull) => {
            Error::new(codes::LOG_FULL, e.to_string()).hint("make room on the disk of the data folder")
        }
        e => failed(e),
    }
}
