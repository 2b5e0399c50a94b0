//! The stories of an event, wherever it lies: in the node's own log, and at the brokers of its subscriptions.
//!
//! Invariant: what could not be looked at is said beside what was found; a broker that is away hides nothing of the
//! node's own.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::{Pending, WhyAsked};
use evenkeel_model::Position;
use evenkeel_transport::story::{Story, Telling};

use super::{Wire, Wired, blocking, failed, overlay};
use crate::config::brokers::Home;
use crate::config::plan::SubscriptionPlan;
use crate::error::Error;

/// How long a broker's topics are read for an event, and for one that the node's own log has.
const WITHIN: Duration = Duration::from_secs(10);
const WITHIN_BESIDE: Duration = Duration::from_secs(2);
/// Who asks waits: a broker that says nothing for so long is away.
const REACH: Duration = Duration::from_secs(5);

/// What was not looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unseen {
    /// The address of a topic, or a broker's name.
    pub(crate) place: Arc<str>,
    /// Of that partition, what lies from one offset on, or before the other; `None`: all of it.
    pub(crate) part: Option<UnseenPart>,
    /// The subscription whose outcomes lie there: one that is not told may be among them.
    pub(crate) outcomes_of: Option<Arc<str>>,
    /// Why.
    pub(crate) why: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct UnseenPart {
    pub(crate) partition: u32,
    pub(crate) from: Option<u64>,
    pub(crate) below: Option<u64>,
}

impl Unseen {
    /// A broker that could not be asked.
    pub(crate) fn broker(home: &Home, why: &Error) -> Unseen {
        Unseen { place: home.broker.name.clone(), part: None, outcomes_of: None, why: why.to_string() }
    }

    pub(crate) fn is_all_of(&self, home: &Home) -> bool {
        self.part.is_none() && self.place == home.broker.name
    }

    /// In words.
    pub(crate) fn says(&self) -> String {
        let part = self.part.map_or(String::new(), |UnseenPart { partition, from, below }| {
            let from = from.map_or(String::new(), |from| format!(" from offset {from} on"));
            let below = below.map_or(String::new(), |below| format!(" below offset {below}"));
            format!("/{partition}{from}{below}")
        });
        let hides = self.outcomes_of.as_ref();
        let hides = hides.map_or(String::new(), |of| format!(": what became of it for `{of}` may lie there"));
        format!("{}{part} ({}){hides}", self.place, self.why)
    }

    /// What became of that subscription's event may lie there.
    pub(crate) fn hides(&self, subscription: &str, partition: u32) -> bool {
        self.outcomes_of.as_deref() == Some(subscription) && self.part.is_none_or(|part| part.partition == partition)
    }
}

/// All stories of that id, and what was not looked at.
pub(crate) async fn stories(node: &Wired, id: &str, source: Option<&str>) -> Result<(Vec<Story>, Vec<Unseen>), Error> {
    let (index, asked) = (node.stories.clone(), (id.to_owned(), source.map(ToOwned::to_owned)));
    let own = move || index.story(&asked.0, asked.1.as_deref());
    let mut found = blocking(own).await?.map_err(|e| failed(&e))?;
    let mut unseen = Vec::new();
    let mut brokers: Vec<Vec<(SubscriptionPlan, Home)>> = Vec::new();
    for wire in node.wires.all().iter() {
        let Some(home) = wire.plan.home.clone() else { continue };
        // The node's own ledger tells what it did there by the topic's bare name, which a topic here may have too.
        found.iter_mut().for_each(|story| story.subscriptions.retain(|s| s.name != wire.plan.name));
        match brokers.iter_mut().find(|some| some[0].1.broker.name == home.broker.name) {
            Some(some) => some.push((wire.plan.clone(), home)),
            None => brokers.push(vec![(wire.plan.clone(), home)]),
        }
    }
    let within = if found.is_empty() { WITHIN } else { WITHIN_BESIDE };
    for plans in brokers {
        let telling = Telling::new(id, source, found.clone());
        match overlay::stories(&plans, &node.clock, telling, within).await {
            Ok((telling, left)) => {
                found = telling.finish();
                unseen.extend(left);
            }
            Err(e) => unseen.push(Unseen::broker(&plans[0].1, &e)),
        }
    }
    Ok((found, unseen))
}

/// What is known of an event or a key whose partition another node has.
pub(crate) struct Elsewhere {
    pub(crate) partition: u32,
    /// It waits durably; else it was not read yet, is at a handler, or has its outcome.
    pub(crate) pending: Option<Pending>,
}

/// `None`: its partition is this node's, or there is none. What says that is an error when the broker is away.
pub(crate) async fn elsewhere(node: &Wired, wire: &Wire, asked: &WhyAsked) -> Result<Option<Elsewhere>, Error> {
    let Some(home) = wire.plan.home.clone() else { return Ok(None) };
    let late = |_| failed(&format!("broker `{}` says nothing for {} s", home.broker.name, REACH.as_secs()));
    tokio::time::timeout(REACH, there(node, wire, &home, asked)).await.map_err(late)?
}

async fn there(node: &Wired, wire: &Wire, home: &Home, asked: &WhyAsked) -> Result<Option<Elsewhere>, Error> {
    let partition = match asked {
        WhyAsked::At(Position { shard, .. }) => Some(shard.partition),
        WhyAsked::Key(key) => overlay::partition_of(home, key).await?,
    };
    let here = wire.handle.redrives().await.and_then(|view| view.parts).unwrap_or_default();
    let Some(partition) = partition.filter(|partition| !here.contains(partition)) else { return Ok(None) };
    let waits = overlay::pending(&wire.plan, home, &node.clock, partition).await?;
    let meant = |pending: &Pending| match asked {
        WhyAsked::At(at) => pending.at.offset == at.offset,
        WhyAsked::Key(key) => pending.key.as_ref() == Some(key),
    };
    let first = waits.into_iter().filter(meant).min_by_key(|pending| pending.at.offset);
    Ok(Some(Elsewhere { partition, pending: first }))
}
