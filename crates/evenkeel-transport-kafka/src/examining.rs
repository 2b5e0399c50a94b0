//! What a subscription will meet at its broker: topics, their settings, rights, transactions.
//!
//! Asked as it will be asked later, where a question changes nothing: topics are only made as a trial,
//! one record is read, and the right to transactions is tried with an id of its own, which fences
//! nobody. What cannot be asked without writing (the right to write) shows when it is used.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_model::{Clock, Shard, SystemClock};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::producer::{BaseProducer, Producer};

use crate::broker::PATIENCE;
use crate::client::{Ears, heard, show_token};
use crate::partition::committed;
use crate::reading::{Ahead, Came, Reader};
use crate::{Broker, Found, Wanted};

/// One record is waited for so long.
const ONE_RECORD: Duration = Duration::from_secs(5);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// False: the subscription will not work like this.
    pub fine: bool,
    /// What was found, in words; of what is not fine, what to do.
    pub said: String,
}

impl Finding {
    fn fine(said: String) -> Finding {
        Finding { fine: true, said }
    }

    fn wrong(said: String) -> Finding {
        Finding { fine: false, said }
    }
}

impl Broker {
    /// Looks at all that a subscription needs. An error: it does not answer, or the topic is not there.
    pub async fn examine(&self, wanted: &Wanted, creates: bool) -> Result<Vec<Finding>, PortError> {
        let found = self.find(wanted).await?;
        let mut all = vec![Finding::fine(format!(
            "`{}` is there at broker `{}`, with {} partitions",
            wanted.topic,
            self.name(),
            found.partitions
        ))];
        all.push(self.try_reading(wanted, &found).await);
        all.extend(self.missing(&found, creates).await);
        all.extend(self.set_up(wanted, &found).await);
        all.push(self.try_transactions(wanted).await);
        Ok(all)
    }

    /// Reads one record as the subscription would, and asks for its group's progress.
    async fn try_reading(&self, wanted: &Wanted, found: &Found) -> Finding {
        match self.read_one(wanted, found).await {
            Ok(()) => Finding::fine(format!("its records may be read, and the group `{}` used", wanted.names.group)),
            Err(problem) => Finding::wrong(format!("reading `{}`: {problem}", wanted.topic)),
        }
    }

    async fn read_one(&self, wanted: &Wanted, found: &Found) -> Result<(), PortError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let shard = Shard { topic: wanted.topic.clone(), partition: 0 };
        let mut reader = Reader::open(self, clock, &wanted.names.group, shard, Ahead::Little)?;
        let (start, end) = reader.ends().await?;
        committed(reader.consumer().clone(), wanted.topic.clone(), found.partitions)
            .await
            .map_err(|e| self.failed(&format!("the offsets of group `{}`", wanted.names.group), &e))?;
        reader.go(start)?;
        match reader.read(ONE_RECORD).await? {
            Came::Nothing if start < end => Err(self.failed("reading", &"nothing came")),
            _ => Ok(()),
        }
    }

    /// What would be created, if that is allowed: here, and at the broker.
    async fn missing(&self, found: &Found, creates: bool) -> Option<Finding> {
        let list = found.missing.join(", ");
        if found.missing.is_empty() {
            return Some(Finding::fine("its journal, ledger and dead letters are there".to_owned()));
        }
        if !creates {
            return Some(Finding::wrong(format!(
                "{list} with {} partitions each must be there, and `create_topics` is false",
                found.partitions
            )));
        }
        Some(match self.try_creating(found).await {
            Ok(()) => Finding::fine(format!("would create {list}, with {} partitions each", found.partitions)),
            Err(problem) => Finding::wrong(format!("{list}: {problem}")),
        })
    }

    async fn try_creating(&self, found: &Found) -> Result<(), PortError> {
        let admin = self.admin("creating topics")?;
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).validate_only(true);
        let count = i32::try_from(found.partitions).unwrap_or(i32::MAX);
        for topic in &found.missing {
            // One with too few partitions gets more; that has no trial.
            if self.partitions(topic).await?.is_some() {
                continue;
            }
            let new = NewTopic::new(topic, count, TopicReplication::Fixed(-1));
            let tried = admin.create_topics([&new], &options).await.map_err(|e| self.failed("creating topics", &e))?;
            if let Some(Err((topic, code))) = tried.into_iter().next() {
                return Err(self.failed(&format!("creating topic `{topic}`"), &code));
            }
        }
        Ok(())
    }

    /// The settings of the topics beside the source that are there, where they break a promise.
    async fn set_up(&self, wanted: &Wanted, found: &Found) -> Vec<Finding> {
        let mut all = Vec::new();
        let names = &wanted.names;
        let mut look = Vec::new();
        for topic in [&names.journal, &names.ledger, &names.dead] {
            if found.missing.contains(topic) {
                continue;
            }
            match self.settings_of(topic).await {
                Ok(settings) => look.push((topic, settings)),
                // Not asked for is not wrong.
                Err(problem) => all.push(Finding { fine: self.token().is_some(), said: problem.to_string() }),
            }
        }
        let source = self.message_bytes_max(&wanted.topic).await.unwrap_or(0);
        for (topic, settings) in look {
            let text = |name: &str| settings.get(name).map_or("", String::as_str);
            let number = |name: &str| text(name).parse::<i64>().ok();
            if *topic == names.journal && !text("cleanup.policy").contains("compact") {
                let is = text("cleanup.policy");
                all.push(Finding::wrong(format!(
                    "`{topic}` has cleanup.policy={is}: what it remembers would be deleted; set `compact`"
                )));
            }
            let inbox = i64::try_from(wanted.inbox.as_millis()).unwrap_or(i64::MAX);
            if *topic == names.ledger && number("retention.ms").is_some_and(|kept| (0..inbox).contains(&kept)) {
                let kept = text("retention.ms");
                all.push(Finding::wrong(format!(
                    "`{topic}` has retention.ms={kept}: identities would be forgotten before the inbox's {inbox} ms are over"
                )));
            }
            let takes = number("max.message.bytes").and_then(|n| usize::try_from(n).ok());
            if *topic == names.dead && takes.is_some_and(|takes| takes < source) {
                let takes = text("max.message.bytes");
                all.push(Finding::wrong(format!(
                    "`{topic}` has max.message.bytes={takes}, and `{}` takes {source}: what dies must fit",
                    wanted.topic
                )));
            }
        }
        all
    }

    /// With an id that no partition has, so that nobody is fenced.
    async fn try_transactions(&self, wanted: &Wanted) -> Finding {
        let id = format!("{}.check", wanted.names.group);
        let ears = Ears::new(self);
        let (trouble, shown) = (ears.trouble(), ears.shown());
        let properties = [("transactional.id", id.as_str()), ("transaction.timeout.ms", "10000")];
        let producer: BaseProducer<Ears> = match self.client(&properties, ears) {
            Ok(producer) => producer,
            Err(problem) => return Finding::wrong(problem.to_string()),
        };
        let tried = tokio::task::spawn_blocking(move || {
            show_token(&shown, |time| producer.poll(time));
            producer.init_transactions(PATIENCE)
        });
        match tried.await {
            Ok(Ok(())) => Finding::fine("its journal's transactions are allowed".to_owned()),
            Ok(Err(problem)) => {
                let why = heard(&trouble).unwrap_or_else(|| problem.to_string());
                Finding::wrong(format!("transactions with ids that begin with `{}`: {why}", wanted.names.group))
            }
            Err(broke) => Finding::wrong(broke.to_string()),
        }
    }
}
