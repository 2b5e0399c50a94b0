//! Which partitions of a topic this node has: its membership in the subscription's group.
//!
//! The group shares out partitions; data is read elsewhere. A partition that is to be given back is
//! kept until its owner says that it let go ([`Membership::gave_up`]), so that nothing is in flight
//! when the next one opens it; the broker waits for that as long as `max.poll.interval.ms` (classic)
//! or the rebalance time-out (KIP-848).
//!
//! Invariant: [`Membership::changed`] must be called again and again: it is what keeps the member
//! alive. It never waits for an owner.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, Change, Membership, PortError};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use crate::Broker;
use crate::client::{Ears, Going, heard};
use crate::committing::Committer;
use crate::happenings::PartitionsNotTaken;

/// The group is looked at at least so often.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A member is heard of at least so often.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// How the group agrees on who has what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members do, with the cooperative-sticky assignor. Every Kafka knows it.
    #[default]
    Classic,
    /// The broker does (KIP-848; Kafka 4.0 and later).
    Consumer,
}

/// Which group, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSettings {
    /// The group's id.
    pub group: String,
    /// The topic whose partitions are shared out.
    pub topic: Arc<str>,
    /// The topic of its journal: what is noted there for the group shows whether we still belong to it.
    pub journal: String,
    /// How.
    pub protocol: GroupProtocol,
    /// Who says nothing for so long is taken for dead. With [`GroupProtocol::Consumer`] the broker
    /// decides (`group.consumer.session.timeout.ms`).
    pub session: Duration,
}

/// What librdkafka said, before anything was done about it.
pub(crate) struct Told {
    pub(crate) given: bool,
    pub(crate) lost: bool,
    pub(crate) partitions: Vec<u32>,
}

/// A node's part in a group. Dropping it leaves the group.
pub struct Member {
    consumer: Arc<BaseConsumer<Ears>>,
    broker: Broker,
    journal: String,
    topic: Arc<str>,
    told: AsyncMutex<UnboundedReceiver<Told>>,
    wake: Arc<Notify>,
    committer: Committer,
    going: Arc<Going>,
    trouble: Arc<Mutex<Option<String>>>,
    held: Mutex<BTreeSet<u32>>,
}

impl Member {
    /// Joins. What is to be read need not be there yet.
    pub fn join(broker: &Broker, settings: &MemberSettings) -> Result<Member, PortError> {
        let (sender, told) = unbounded_channel();
        let ears = Ears::new(broker).with_rebalances(sender);
        let (going, trouble) = (ears.going(), ears.trouble());
        let session = settings.session.as_millis().to_string();
        // Three are missed before anybody is taken for dead.
        let heartbeat = (settings.session / 4).min(HEARTBEAT).as_millis().max(1).to_string();
        let mut properties = vec![
            ("group.id", settings.group.as_str()),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("allow.auto.create.topics", "false"),
            ("max.poll.interval.ms", "300000"),
        ];
        match settings.protocol {
            GroupProtocol::Classic => properties.extend([
                ("partition.assignment.strategy", "cooperative-sticky"),
                ("session.timeout.ms", session.as_str()),
                ("heartbeat.interval.ms", heartbeat.as_str()),
                ("topic.metadata.refresh.interval.ms", "10000"),
            ]),
            GroupProtocol::Consumer => properties.push(("group.protocol", "consumer")),
        }
        let mut consumer: BaseConsumer<Ears> = broker.client(&properties, ears)?;
        let wake = Arc::new(Notify::new());
        let ring = wake.clone();
        consumer.set_nonempty_callback(move || ring.notify_one());
        consumer.subscribe(&[&settings.topic]).map_err(|e| broker.failed("joining the group", &e))?;
        Ok(Member {
            consumer: Arc::new(consumer),
            broker: broker.clone(),
            journal: settings.journal.clone(),
            topic: settings.topic.clone(),
            told: AsyncMutex::new(told),
            wake,
            committer: Committer::start()?,
            going,
            trouble,
            held: Mutex::default(),
        })
    }

    async fn change(&self) -> Change {
        let mut told = self.told.lock().await;
        loop {
            while let Some(result) = self.consumer.poll(Duration::ZERO) {
                if let Err(problem) = result {
                    return Change::Trouble(self.said(&problem));
                }
            }
            if let Ok(Told { given, lost, partitions }) = told.try_recv() {
                return match (given, lost) {
                    (true, _) => Change::Given(partitions),
                    (false, true) => Change::Lost(partitions),
                    (false, false) => Change::Asked(partitions),
                };
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.wake.notified()).await;
        }
    }

    /// Where nobody answers, what the client heard before says why.
    fn said(&self, problem: &KafkaError) -> String {
        let away = problem.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        let why = heard(&self.trouble).filter(|_| away).unwrap_or_else(|| problem.to_string());
        // How long it took is another time each time, and no news.
        let why = why.split(" (after ").next().unwrap_or_default();
        self.broker.failed(&format!("the group of topic `{}`", self.topic), &why).0
    }

    /// Asks the group's coordinator in the one way that it answers to members only: by noting an
    /// offset. It stands for the journal's topic, so that no progress is touched.
    async fn ask_ours(&self, partition: u32) -> Result<bool, PortError> {
        if !self.held().contains(&partition) {
            return Ok(false);
        }
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&self.journal, i32::try_from(partition).unwrap_or(i32::MAX), Offset::Offset(0))
            .map_err(|e| self.broker.failed("asking the group", &e))?;
        let why = match self.committer.commit(&self.consumer, list).await {
            Some(Ok(())) => return Ok(true),
            Some(Err(problem)) if problem.rdkafka_error_code().is_some_and(not_ours) => return Ok(false),
            // Before the first one has made it nobody can have opened anything.
            Some(Err(problem)) if problem.rdkafka_error_code().is_some_and(no_journal) => return Ok(true),
            Some(Err(problem)) => problem.to_string(),
            None => heard(&self.trouble).unwrap_or_else(|| "its coordinator does not answer".to_owned()),
        };
        Err(self.broker.failed("asking the group", &why))
    }

    /// What this node has.
    pub fn held(&self) -> Vec<u32> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn list(&self, partitions: &[u32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            // The number of a partition always fits; no position is wanted but the end.
            let _ = list.add_partition_offset(&self.topic, i32::try_from(*partition).unwrap_or(0), Offset::End);
        }
        list
    }
}

impl Membership for Member {
    fn changed(&self) -> BoxFuture<'_, Change> {
        Box::pin(self.change())
    }

    fn is_ours(&self, partition: u32) -> BoxFuture<'_, Result<bool, PortError>> {
        Box::pin(self.ask_ours(partition))
    }

    fn took(&self, partitions: &[u32]) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).extend(partitions);
        let list = self.list(partitions);
        // Nothing is read here: the data comes by another way.
        let paused = self.consumer.incremental_assign(&list).and_then(|()| self.consumer.pause(&list));
        if let Err(problem) = paused {
            let (topic, partitions) = (self.topic.to_string(), format!("{partitions:?}"));
            PartitionsNotTaken { topic, partitions, problem: problem.to_string() }.tell();
        }
    }

    fn gave_up(&self, partitions: &[u32]) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|partition| !partitions.contains(partition));
        drop(held);
        self.going.answered();
        if let Err(problem) = self.consumer.incremental_unassign(&self.list(partitions)) {
            tracing::debug!(topic = &*self.topic, ?partitions, %problem, "partitions could not be given up");
        }
    }
}

/// A member of before, or one that the group is just giving something else.
pub(crate) fn not_ours(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::UnknownMemberId
            | Code::IllegalGeneration
            | Code::StaleMemberEpoch
            | Code::FencedMemberEpoch
            | Code::RebalanceInProgress
            | Code::AssignmentLost
    )
}

fn no_journal(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
}

impl Drop for Member {
    fn drop(&mut self) {
        self.going.go(&self.consumer);
    }
}
