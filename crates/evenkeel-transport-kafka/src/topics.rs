//! The topics of a subscription over Kafka: its source, which must be there, and those beside it,
//! which are made where they are missing and the settings allow it.
//!
//! All of them have as many partitions as the source: a partition's journal, outcomes and dead
//! letters lie in the partition of the same number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_model::names;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaRespErr;
use tokio::time::Instant;

use crate::Broker;
use crate::broker::PATIENCE;
use crate::client::{Ears, heard, show_token};
use crate::happenings::BatchLimitUnknown;

/// What a topic takes at most where nobody says otherwise.
const MESSAGE_BYTES_DEFAULT: usize = 1_048_588;
/// One try of a question to the broker.
const TRY: Duration = Duration::from_secs(3);

/// What everything of a subscription is called at its broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The subscription.
    pub subscription: Arc<str>,
    /// The consumer group.
    pub group: String,
    /// Its journal; compacted.
    pub journal: String,
    /// Its outcomes and the identities that it has seen; deleted by age.
    pub ledger: String,
    /// Its dead letters.
    pub dead: String,
}

impl Names {
    /// Of the subscription of that name.
    pub fn of(subscription: &str) -> Names {
        let own = |what: &str| format!("{}{subscription}{what}", names::OWN_PREFIX);
        Names {
            subscription: Arc::from(subscription),
            group: own(""),
            journal: own(".journal"),
            ledger: own(".ledger"),
            dead: format!("{subscription}{}", names::DEAD_SUFFIX),
        }
    }

    /// Who writes the journal of a partition, in turns: only one can, who has both.
    pub fn transactional_ids(&self, partition: u32) -> [String; 2] {
        let first = format!("{}.{partition}", self.group);
        let second = format!("{first}.b");
        [first, second]
    }
}

/// What a subscription needs at its broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What is called how.
    pub names: Names,
    /// The topic that is read.
    pub topic: Arc<str>,
    /// How long identities are remembered.
    pub inbox: Duration,
    /// Topics that returned events, or those that meet an open breaker, go to.
    pub outward: Vec<Arc<str>>,
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Partitions of the source.
    pub partitions: u32,
    /// Topics beside the source that are missing, or have too few partitions.
    pub missing: Vec<String>,
}

impl Broker {
    /// How many partitions a topic has; `None`: there is no such topic.
    pub async fn partitions(&self, topic: &str) -> Result<Option<u32>, PortError> {
        let (broker, topic) = (self.clone(), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || broker.ask_partitions(&topic)).await;
        asked.map_err(|e| PortError(e.to_string()))?
    }

    fn ask_partitions(&self, topic: &str) -> Result<Option<u32>, PortError> {
        let ears = Ears::new(self);
        let (trouble, shown) = (ears.trouble(), ears.shown());
        let asker: BaseConsumer<Ears> = self.client(&[("allow.auto.create.topics", "false")], ears)?;
        show_token(&shown, |time| drop(asker.poll(time)));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let problem = match asker.fetch_metadata(Some(topic), TRY) {
                Ok(metadata) => {
                    let found = metadata.topics().iter().find(|t| t.name() == topic);
                    if found.and_then(MetadataTopic::error)
                        == Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
                    {
                        let why = "we are not authorized to see it, if it is there";
                        return Err(self.failed(&format!("topic `{topic}`"), &why));
                    }
                    let found = found.filter(|topic| topic.error().is_none());
                    let count = found.map_or(0, |topic| topic.partitions().len());
                    return Ok(u32::try_from(count).ok().filter(|count| *count > 0));
                }
                Err(problem) => problem,
            };
            // What the client heard meanwhile says more than that it took too long.
            while asker.poll(Duration::ZERO).is_some() {}
            let heard = heard(&trouble);
            let hopeless = heard.as_ref().is_some_and(|heard| heard.starts_with("authentication"));
            if hopeless || Instant::now() >= deadline {
                let why = heard.unwrap_or_else(|| problem.to_string());
                return Err(self.failed("it does not answer", &why));
            }
        }
    }

    /// The largest batch that a topic takes (`max.message.bytes`); Kafka's default where we may not ask.
    pub async fn message_bytes_max(&self, topic: &str) -> Result<usize, PortError> {
        let settings = self.settings_of(topic).await;
        let found = settings.as_ref().ok().and_then(|all| all.get("max.message.bytes")?.parse().ok());
        if found.is_none() {
            let why = settings.err().map_or_else(|| "it is not among its settings".to_owned(), |e| e.to_string());
            BatchLimitUnknown { topic: topic.to_owned(), why, taken: MESSAGE_BYTES_DEFAULT }.tell();
        }
        Ok(found.unwrap_or(MESSAGE_BYTES_DEFAULT))
    }

    /// The settings of a topic, by name; what is secret is left out.
    pub async fn settings_of(&self, topic: &str) -> Result<BTreeMap<String, String>, PortError> {
        let admin = self.admin(&format!("the settings of topic `{topic}`"))?;
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let asked = admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options).await;
        let what = format!("the settings of topic `{topic}`");
        let mut found = asked.map_err(|e| self.failed(&what, &e))?;
        let resource = found.pop().ok_or_else(|| self.failed(&what, &"there is no answer"))?;
        let resource = resource.map_err(|e| self.failed(&what, &e))?;
        Ok(resource.entries.into_iter().filter_map(|e| Some((e.name, e.value?))).collect())
    }

    /// Makes a topic with these settings and else the broker's defaults, and returns when it is there. One
    /// that exists stays as it is.
    pub async fn create(&self, topic: &str, partitions: u32, settings: &[(&str, &str)]) -> Result<(), PortError> {
        let admin = self.admin(&format!("creating topic `{topic}`"))?;
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
        let count = i32::try_from(partitions).unwrap_or(i32::MAX);
        let new = NewTopic::new(topic, count, TopicReplication::Fixed(-1));
        let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        let made = admin.create_topics([&new], &options).await.map_err(|e| self.failed("creating topics", &e))?;
        match made.into_iter().next() {
            Some(Err((topic, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
                Err(self.failed(&format!("creating topic `{topic}`"), &code))
            }
            _ => self.wait_for(&Found { partitions, missing: vec![topic.to_owned()] }).await,
        }
    }

    /// What of this is there. The source and the topics outward must be.
    pub async fn find(&self, wanted: &Wanted) -> Result<Found, PortError> {
        let name = &wanted.names.subscription;
        let absent = |topic: &str| {
            PortError(format!(
                "subscription `{name}`: topic `{topic}` does not exist at broker `{}`; make it there first",
                self.name()
            ))
        };
        let partitions = self.partitions(&wanted.topic).await?.ok_or_else(|| absent(&wanted.topic))?;
        for topic in &wanted.outward {
            self.partitions(topic).await?.ok_or_else(|| absent(topic))?;
        }
        let mut missing = Vec::new();
        for topic in [&wanted.names.journal, &wanted.names.ledger, &wanted.names.dead] {
            if self.partitions(topic).await?.is_none_or(|there| there < partitions) {
                missing.push(topic.clone());
            }
        }
        Ok(Found { partitions, missing })
    }

    /// As [`Broker::find`]; what is missing beside the source is made.
    pub async fn make(&self, wanted: &Wanted) -> Result<Found, PortError> {
        let found = self.find(wanted).await?;
        if found.missing.is_empty() {
            return Ok(found);
        }
        let (missing, each) = (found.missing.join("`, `"), found.partitions);
        let admin = self.admin(&format!("creating `{missing}`, with {each} partitions each"))?;
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
        let count = i32::try_from(found.partitions).unwrap_or(i32::MAX);
        // At least as long as identities count, and a week for whoever asks what happened.
        let kept = wanted.inbox.max(Duration::from_secs(7 * 24 * 3600)).as_millis().to_string();
        for topic in &found.missing {
            let mut new = NewTopic::new(topic, count, TopicReplication::Fixed(-1));
            new = if *topic == wanted.names.journal {
                new.set("cleanup.policy", "compact")
                    .set("max.message.bytes", "16777216")
                    .set("segment.bytes", "16777216")
                    .set("segment.ms", "600000")
                    .set("min.cleanable.dirty.ratio", "0.2")
            } else if *topic == wanted.names.ledger {
                new.set("cleanup.policy", "delete")
                    .set("max.message.bytes", "16777216")
                    .set("retention.ms", &kept)
                    .set("segment.bytes", "67108864")
            } else {
                new.set("cleanup.policy", "delete").set("max.message.bytes", "16777216").set("retention.ms", "-1")
            };
            let made = admin.create_topics([&new], &options).await.map_err(|e| self.failed("creating topics", &e))?;
            for result in made {
                match result {
                    Ok(_) => {}
                    Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {
                        self.grow(&admin, topic, found.partitions).await?
                    }
                    Err((topic, code)) => return Err(self.failed(&format!("creating topic `{topic}`"), &code)),
                }
            }
        }
        self.wait_for(&found).await?;
        Ok(found)
    }

    /// The source got more partitions; so does what lies beside it. Somebody else may be doing that.
    async fn grow(&self, admin: &AdminClient<Ears>, topic: &str, partitions: u32) -> Result<(), PortError> {
        if self.partitions(topic).await?.is_some_and(|there| there >= partitions) {
            return Ok(());
        }
        let more = NewPartitions::new(topic, partitions as usize);
        let grown = admin.create_partitions([&more], &AdminOptions::new().operation_timeout(Some(PATIENCE))).await;
        match grown.map_err(|e| self.failed("adding partitions", &e))?.pop() {
            Some(Err((topic, code))) if code != RDKafkaErrorCode::InvalidPartitions => {
                Err(self.failed(&format!("adding partitions to `{topic}`"), &code))
            }
            _ => Ok(()),
        }
    }

    /// Until every broker knows of them.
    async fn wait_for(&self, made: &Found) -> Result<(), PortError> {
        let deadline = Instant::now() + PATIENCE;
        for topic in &made.missing {
            while self.partitions(topic).await?.is_none_or(|there| there < made.partitions) {
                if Instant::now() >= deadline {
                    return Err(self.failed(&format!("topic `{topic}`"), &"it was made, and does not appear"));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }
}
