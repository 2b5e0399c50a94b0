//! What a changed file would change: decided before anything is done, and shown.
//!
//! Pure. It compares the file with what runs, not with the file before: applying twice changes
//! nothing the second time, and one that was cut short is simply applied again.

use evenkeel_log::Topic;
use evenkeel_model::names;
use serde_json::{Map, Value};

use super::subscription::{is_same, unmoved};
use crate::config;
use crate::config::plan::{From, Plan, SubscriptionPlan};
use crate::error::{Error, codes};

/// One line of the difference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) what: What,
    /// The keys that get another value.
    pub(crate) keys: Vec<Key>,
}

impl Change {
    /// For the node's log.
    pub(crate) fn in_words(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(|k| format!("{} {} → {}", k.key, k.from, k.to)).collect();
        format!("{:?} {:?} {} {}", self.what, self.kind, self.name, keys.join(", ")).trim_end().to_lowercase()
    }
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Topic,
    Subscription,
    Objectives,
    /// A part of the file that a node looks at when it starts.
    NextStart,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// There was none.
    Make,
    /// It gets other settings.
    Change,
    /// It runs, made by a request, and belongs to the file from here on.
    TakeOver,
    /// It left the file, and is kept.
    Keep,
    /// It left the file, and is removed.
    Remove,
}

/// A key with its old and its new value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) key: String,
    pub(crate) from: Value,
    pub(crate) to: Value,
}

/// What runs now.
pub(crate) struct Now<'a> {
    /// The plan that holds.
    pub(crate) plan: &'a Plan,
    /// The topics that there are.
    pub(crate) topics: &'a [Topic],
    /// The subscriptions that run, the node's own for receivers of alerts included.
    pub(crate) running: &'a [SubscriptionPlan],
    /// Names that stand in the registry, and whether they left a file once.
    pub(crate) registered: &'a [(String, bool)],
}

/// What taking `wanted` in would change; `subscriptions` are all that it wants to run.
pub(crate) fn difference(
    now: &Now<'_>,
    wanted: &Plan,
    subscriptions: &[SubscriptionPlan],
    prune: bool,
) -> Result<Vec<Change>, Error> {
    let mut changes = topics(now, wanted)?;
    for wanted in subscriptions {
        changes.extend(subscription(now, wanted)?);
    }
    changes.extend(left(now, subscriptions, prune)?);
    if now.plan.objectives != wanted.objectives || now.plan.agreements != wanted.agreements {
        changes.push(plain(Kind::Objectives, "objectives", What::Change));
    }
    changes.extend(at_next_start(now.plan, wanted));
    Ok(changes)
}

fn plain(kind: Kind, name: &str, what: What) -> Change {
    Change { kind, name: name.to_owned(), what, keys: Vec::new() }
}

fn topics(now: &Now<'_>, wanted: &Plan) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    for topic in &wanted.topics {
        let name = &*topic.name;
        let Some(there) = now.topics.iter().find(|t| t.name == topic.name) else {
            changes.push(plain(Kind::Topic, name, What::Make));
            continue;
        };
        if topic.settings.partitions < there.partitions {
            let (has, says) = (there.partitions, topic.settings.partitions);
            let said = format!("`topics.{name}.partitions`: the topic has {has}, and the file says {says}");
            return Err(Error::new(codes::CONFIG_VALUE, said).hint("partitions can be added and never taken away"));
        }
        let written = |settings| serde_json::to_value(config::written_topic(settings)).unwrap_or_default();
        let keys = keys(&written(&there.settings), &written(&topic.settings));
        if !keys.is_empty() {
            changes.push(Change { keys, ..plain(Kind::Topic, name, What::Change) });
        }
    }
    let gone = now.plan.topics.iter().filter(|t| !wanted.topics.iter().any(|w| w.name == t.name));
    changes.extend(gone.map(|topic| plain(Kind::Topic, &topic.name, What::Keep)));
    Ok(changes)
}

fn subscription(now: &Now<'_>, wanted: &SubscriptionPlan) -> Result<Option<Change>, Error> {
    let name = &*wanted.name;
    let Some(running) = now.running.iter().find(|r| r.name == wanted.name) else {
        return Ok(Some(plain(Kind::Subscription, name, What::Make)));
    };
    unmoved(running, wanted)?;
    let takes_over = now.registered.iter().any(|(registered, _)| registered == name);
    if is_same(running, wanted) {
        return Ok(takes_over.then(|| plain(Kind::Subscription, name, What::TakeOver)));
    }
    // Its objectives decide from when on an event is overdue, and no key of its own says so.
    let what = if takes_over { What::TakeOver } else { What::Change };
    Ok(Some(Change { keys: keys(&written(running), &written(wanted)), ..plain(Kind::Subscription, name, what) }))
}

/// Subscriptions that a file declared and this one does not.
fn left(now: &Now<'_>, wanted: &[SubscriptionPlan], prune: bool) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    for running in now.running {
        let name = &*running.name;
        let registered = now.registered.iter().find(|(registered, _)| registered == name);
        // Those that a request made are nobody's but the request's.
        if wanted.iter().any(|w| w.name == running.name) || registered.is_some_and(|(_, left)| !left) {
            continue;
        }
        match (prune, registered) {
            (true, _) => {
                let dead = format!("{name}{}", names::DEAD_SUFFIX);
                if let Some(reader) = wanted.iter().find(|w| *w.topic == *dead) {
                    let said =
                        format!("`{}` reads the dead letters of `{name}`, which the file leaves out", reader.name);
                    return Err(Error::new(codes::SUBSCRIPTION_IN_USE, said));
                }
                changes.push(plain(Kind::Subscription, name, What::Remove));
            }
            (false, None) => changes.push(plain(Kind::Subscription, name, What::Keep)),
            // It was said before.
            (false, Some(_)) => {}
        }
    }
    Ok(changes)
}

/// Parts that are looked at when a node starts. Where it listens and keeps its data may come from
/// the command line, and is not compared.
fn at_next_start(now: &Plan, wanted: &Plan) -> Vec<Change> {
    let parts = |plan: &Plan| match serde_json::to_value(config::written(plan)) {
        Ok(Value::Object(mut parts)) => {
            for elsewhere in
                ["data", "http", "kafka", "topics", "subscriptions", "alerts", "objectives", "slas", "auto_create"]
            {
                parts.remove(elsewhere);
            }
            Value::Object(parts)
        }
        _ => Value::Null,
    };
    let keys = keys(&parts(now), &parts(wanted)).into_iter();
    // A dependency's breaker is a part of each subscription that names it, and was compared there.
    let keys = keys.filter(|key| !key.key.starts_with("dependencies."));
    keys.map(|key| Change { name: key.key.clone(), keys: vec![key], ..plain(Kind::NextStart, "", What::Change) })
        .collect()
}

fn written(plan: &SubscriptionPlan) -> Value {
    // Where it begins matters once, at its beginning.
    let plan = SubscriptionPlan { from: From::Default, ..plan.clone() };
    serde_json::to_value(config::written_subscription(&plan)).unwrap_or_default()
}

/// The leaves in which two documents differ, by their paths.
fn keys(from: &Value, to: &Value) -> Vec<Key> {
    let mut keys = Vec::new();
    compare("", from, to, &mut keys);
    keys
}

fn compare(at: &str, from: &Value, to: &Value, keys: &mut Vec<Key>) {
    let empty = Map::new();
    let (a, b) = match (from, to) {
        (Value::Object(a), Value::Object(b)) => (a, b),
        (Value::Object(a), Value::Null) => (a, &empty),
        (Value::Null, Value::Object(b)) => (&empty, b),
        _ if from == to => return,
        _ => return keys.push(Key { key: at.to_owned(), from: from.clone(), to: to.clone() }),
    };
    let added = b.keys().filter(|name| !a.contains_key(*name));
    for name in a.keys().chain(added) {
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let of = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or_default();
        compare(&at, &of(a), &of(b), keys);
    }
}

#[cfg(test)]
mod tests;
