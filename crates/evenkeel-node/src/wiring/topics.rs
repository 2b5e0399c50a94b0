//! The topics that must be there before anything runs.

use std::collections::BTreeMap;

use evenkeel_log::{Change, Creating, Log, Set, Topic, TopicError, TopicSettings};
use evenkeel_model::{Shard, names};
use evenkeel_transport::{Callbacks, JOURNAL_PARTITIONS};

use super::{failed, registry};
use crate::config::glob_matches;
use crate::config::plan::{Plan, SubscriptionPlan};
use crate::error::{Error, codes};
use crate::happenings::{PartitionsAdded, TopicConfigured};
use crate::replaying;

/// Creates the node's own topics, the declared ones, and one for each subscription's dead
/// letters; returns when all are durable. They share flushes.
pub(crate) fn all(plan: &Plan, subscriptions: &[SubscriptionPlan], log: &Log) -> Result<(), Error> {
    let mut wanted: BTreeMap<String, TopicSettings> = BTreeMap::new();
    for (name, partitions) in [
        (names::LEDGER_TOPIC, 1),
        (names::JOURNAL_TOPIC, JOURNAL_PARTITIONS),
        (names::SNAPSHOTS_TOPIC, JOURNAL_PARTITIONS),
        (names::ALERTS_TOPIC, 1),
        (names::INCIDENTS_TOPIC, 1),
        (names::EXPERIMENTS_TOPIC, 1),
        (names::EXCLUSIONS_TOPIC, 1),
        (names::NOTICES_TOPIC, 1),
        (names::SILENCES_TOPIC, 1),
    ] {
        wanted.insert(name.to_owned(), TopicSettings::partitions(partitions));
    }
    wanted.insert(names::SUBSCRIPTIONS_TOPIC.to_owned(), registry::settings());
    wanted.insert(names::REPLAYS_TOPIC.to_owned(), replaying::settings());
    wanted.insert(names::CALLBACKS_TOPIC.to_owned(), Callbacks::settings());
    // The journal stays as long as the ledger: an inbox's files are made again from it.
    for name in [names::LEDGER_TOPIC, names::JOURNAL_TOPIC, names::NOTICES_TOPIC] {
        if let Some(settings) = wanted.get_mut(name) {
            settings.retention.age = Some(plan.ledger_retention);
        }
    }
    for subscription in subscriptions {
        wanted.insert(format!("{}{}", subscription.name, names::DEAD_SUFFIX), TopicSettings::partitions(1));
    }
    for topic in &plan.topics {
        wanted.insert(topic.name.to_string(), topic.settings);
    }
    ensure(log, wanted)
}

/// Creates what is missing of these topics, and gives the others the settings that are wanted.
fn ensure(log: &Log, wanted: impl IntoIterator<Item = (String, TopicSettings)>) -> Result<(), Error> {
    let mut changing = Vec::new();
    for (name, settings) in wanted {
        match log.topic(&name) {
            None => changing.push(log.create_topic(&name, settings).map_err(|e| refused(&e))?),
            Some(there) if there.settings == settings => {}
            Some(there) => changing.push(reshaping(log, &there, settings)?),
        }
    }
    changing.into_iter().try_for_each(|changed| changed.wait().map(drop).map_err(|e| refused(&e)))
}

/// Gives a topic other settings, or more partitions, or both.
fn reshaping(log: &Log, there: &Topic, settings: TopicSettings) -> Result<Creating, Error> {
    let name = &*there.name;
    if settings.partitions < there.partitions {
        return Err(Error::new(
            codes::CONFIG_VALUE,
            format!(
                "`topics.{name}.partitions`: the topic has {} partitions, and the configuration says {}",
                there.partitions, settings.partitions
            ),
        )
        .hint("partitions can be added and never taken away: their records would be lost"));
    }
    if settings.partitions > there.partitions {
        PartitionsAdded { topic: name.to_owned(), from: there.partitions, to: settings.partitions }.tell();
    }
    TopicConfigured { topic: name.to_owned() }.tell();
    log.configure_topic(name, settings).map_err(|e| refused(&e))
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

/// Creates a topic at run time.
pub(crate) async fn create(log: &Log, name: &str, settings: TopicSettings) -> Result<(), Error> {
    log.create_topic(name, settings).map_err(|e| refused(&e))?.await.map(drop).map_err(|e| refused(&e))
}

/// Gives a topic these settings at run time.
pub(crate) async fn reshape(log: &Log, there: &Topic, settings: TopicSettings) -> Result<(), Error> {
    reshaping(log, there, settings)?.await.map(drop).map_err(|e| refused(&e))
}

/// Deletes a topic at run time.
pub(crate) async fn delete(log: &Log, name: &str) -> Result<(), Error> {
    log.delete_topic(name).map_err(|e| refused(&e))?.await.map(drop).map_err(|e| refused(&e))
}

/// Refuses when a subscription still owes what lies before these offsets.
pub(crate) fn owed_by_nobody(log: &Log, starts: &[(Shard, u64)]) -> Result<(), Error> {
    for (shard, offset) in starts {
        let owed = log.owed(shard).into_iter().filter(|(_, floor)| floor < offset).min_by_key(|(_, floor)| *floor);
        let Some((holder, floor)) = owed else { continue };
        let said = format!(
            "`{holder}` still owes the records of `{}` partition {} from offset {floor} on",
            shard.topic, shard.partition
        );
        let start = log.ends(shard).map_or(0, |ends| ends.start);
        let hint = match floor {
            floor if floor > start => format!("delete before offset {floor}, or let the subscription catch up"),
            _ => "let the subscription catch up".to_owned(),
        };
        return Err(Error::new(codes::TOPIC_IN_USE, said)
            .hint(format!("{hint}; `--owed` deletes them all the same, and they end as expired")));
    }
    Ok(())
}

/// Lets partitions begin at these offsets, all in one group.
pub(crate) async fn begin_at(log: &Log, starts: &[(Shard, u64)]) -> Result<(), Error> {
    let change = |(shard, offset): &(Shard, u64)| Change::Start { shard: shard.clone(), offset: *offset };
    let set = Set { appends: Vec::new(), changes: starts.iter().map(change).collect() };
    log.append(set).await.map(drop).map_err(|e| refused(&TopicError::Append(e)))
}
