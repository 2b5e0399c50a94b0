//! One partition of a subscription, as this node has it: source and journal, behind one fence.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::{Journal, PortError, Source};
use evenkeel_model::{Clock, Shard};
use evenkeel_transport::SourceSettings;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::Offset;

use crate::client::{Ears, heard, show_token};
use crate::journal::{KafkaJournal, Made, Outward, Producers, Whose};
use crate::reading::{Ahead, Reader};
use crate::source::{self, KafkaSource, begins};
use crate::{Broker, Fits, Names};

/// How long whoever had the partition may take to be fenced.
const FENCING: Duration = Duration::from_secs(60);
/// How long a new client may look for a broker before it is asked for anything.
const LINE: Duration = Duration::from_secs(5);
/// The largest message that is sent, and the largest batch of several.
const MESSAGE_BYTES_MAX: usize = 16_777_216;
const BATCH_BYTES: usize = 1_000_000;
/// How often, and after which pause, a group's coordinator is looked for again.
const COORDINATOR_ASKED: u32 = 120;
const COORDINATOR_PAUSE: Duration = Duration::from_millis(250);

/// Is told the bytes of each ledger record, once it is committed. It must not block.
pub type Outcomes = Arc<dyn Fn(Bytes) + Send + Sync>;

/// What is read of a subscription, and how.
#[derive(Clone)]
pub struct PartitionSettings {
    /// The subscription, its topic, its filter and so on.
    pub source: SourceSettings,
    /// What is called how.
    pub names: Names,
    /// How long identities are remembered.
    pub inbox: Duration,
    /// Where returned events go: a topic of the same broker.
    pub effects: Option<Arc<str>>,
    /// Where the records of events go that meet an open breaker.
    pub fallback: Option<Arc<str>>,
    /// Who else wants to know of outcomes.
    pub outcomes: Option<Outcomes>,
    /// A transaction that nobody ends is aborted after so long.
    pub transaction_timeout: Duration,
}

impl PartitionSettings {
    /// The defaults, for a source.
    pub fn new(source: SourceSettings) -> PartitionSettings {
        let names = Names::of(&source.subscription);
        PartitionSettings {
            source,
            names,
            inbox: Duration::from_secs(7 * 24 * 3600),
            effects: None,
            fallback: None,
            outcomes: None,
            transaction_timeout: Duration::from_secs(60),
        }
    }
}

/// The ports of one partition. Whoever had it before can commit no more.
pub struct Partition {
    /// Its events.
    pub source: Arc<dyn Source>,
    /// What is remembered of them.
    pub journal: Arc<dyn Journal>,
    /// Greater than that of whoever had it before.
    pub fence: u64,
    /// What the topic of returned events takes, where there is one.
    pub fits: Option<Fits>,
}

impl Partition {
    /// Takes the partition over: fences whoever had it, reads its journal to the end, and says so in it.
    pub async fn open(
        broker: &Broker,
        settings: &PartitionSettings,
        number: u32,
        clock: Arc<dyn Clock>,
    ) -> Result<Partition, PortError> {
        let shard = Shard { topic: settings.source.topic.clone(), partition: number };
        let outward = |topic: Option<Arc<str>>| outward(broker, topic);
        let whose = Arc::new(Whose {
            names: settings.names.clone(),
            shard: shard.clone(),
            inbox: settings.inbox,
            effects: outward(settings.effects.clone()).await?,
            fallback: outward(settings.fallback.clone()).await?,
        });
        let fits = fits(broker, settings).await?;
        let producers = fence(broker, settings, number, fits.as_ref()).await?;
        let group = settings.names.group.clone();
        let reader = Reader::open(broker, clock.clone(), &group, shard.clone(), Ahead::Much)?;
        let begun = begun(broker, settings, &reader, number, &clock).await?;
        let ids = whose.effects.is_some().then(Default::default);
        let journal = KafkaJournal::new(Made {
            broker: broker.clone(),
            clock: clock.clone(),
            whose,
            producers,
            member: reader.consumer().clone(),
            ids: Option::clone(&ids),
            outcomes: settings.outcomes.clone(),
        });
        let fence = journal.take_over(begun.said).await?;
        let source = KafkaSource::new(source::Made {
            broker: broker.clone(),
            clock,
            group,
            dead: settings.names.dead.clone(),
            shard,
            settings: settings.source.clone(),
            reader,
            begin: begun.here,
            ids,
        });
        Ok(Partition { source: Arc::new(source), journal: Arc::new(journal), fence, fits })
    }
}

async fn outward(broker: &Broker, topic: Option<Arc<str>>) -> Result<Option<Outward>, PortError> {
    let Some(topic) = topic else { return Ok(None) };
    let absent = || PortError(format!("topic `{topic}` does not exist at broker `{}`", broker.name()));
    let partitions = broker.partitions(&topic).await?.ok_or_else(absent)?;
    Ok(Some(Outward { topic, partitions }))
}

async fn fits(broker: &Broker, settings: &PartitionSettings) -> Result<Option<Fits>, PortError> {
    let Some(topic) = settings.effects.clone() else { return Ok(None) };
    let bytes_max = broker.message_bytes_max(&topic).await?.min(MESSAGE_BYTES_MAX);
    Ok(Some(Fits { topic, bytes_max }))
}

/// Producers whose transactional ids nobody else can use any more. Both rights are taken before the journal is read.
async fn fence(
    broker: &Broker,
    settings: &PartitionSettings,
    number: u32,
    fits: Option<&Fits>,
) -> Result<Producers, PortError> {
    let [first, second] = settings.names.transactional_ids(number);
    let (first, second) = tokio::try_join!(take(broker, settings, first, fits), take(broker, settings, second, fits))?;
    Ok([first, second])
}

async fn take(
    broker: &Broker,
    settings: &PartitionSettings,
    id: String,
    fits: Option<&Fits>,
) -> Result<Arc<BaseProducer<Ears>>, PortError> {
    let timeout = settings.transaction_timeout.as_millis().to_string();
    let message = MESSAGE_BYTES_MAX.to_string();
    // The limit of a topic is that of a batch: several that fit must not be one that does not.
    let batch = fits.map_or(BATCH_BYTES, |fits| fits.bytes_max.min(BATCH_BYTES)).to_string();
    let properties = [
        ("transactional.id", id.as_str()),
        ("batch.size", batch.as_str()),
        ("transaction.timeout.ms", timeout.as_str()),
        ("linger.ms", "0"),
        ("compression.codec", "none"),
        ("message.max.bytes", message.as_str()),
        ("queue.buffering.max.messages", "1000000"),
    ];
    let ears = Ears::new(broker);
    let (trouble, shown) = (ears.trouble(), ears.shown());
    let producer: BaseProducer<Ears> = broker.client(&properties, ears)?;
    let broker = broker.clone();
    let taken = move || {
        show_token(&shown, |time| producer.poll(time));
        // A client that does not know the brokers yet looks for its coordinator again after half a second only. Whether
        // it knows them now or not, the next call says.
        let _ = producer.client().fetch_metadata(None, LINE);
        let taken = producer.init_transactions(FENCING);
        let why = |e| heard(&trouble).unwrap_or_else(|| format!("{e}"));
        taken.map_err(|e| broker.failed(&format!("taking over `{id}`"), &why(e))).map(|()| Arc::new(producer))
    };
    tokio::task::spawn_blocking(taken).await.map_err(|e| PortError(e.to_string()))?
}

/// Where a subscription begins that has no progress in its journal.
struct Begun {
    here: u64,
    /// What is committed for the group together with the take-over, so that a partition that is added
    /// later can be told from one that was there at the beginning.
    said: Vec<(u32, u64)>,
}

async fn begun(
    broker: &Broker,
    settings: &PartitionSettings,
    reader: &Reader,
    number: u32,
    clock: &Arc<dyn Clock>,
) -> Result<Begun, PortError> {
    let partitions = broker.partitions(&settings.source.topic).await?.unwrap_or(0);
    let committed = committed(reader.consumer().clone(), settings.source.topic.clone(), partitions).await;
    let committed = committed.map_err(|e| broker.failed("asking for the group's offsets", &e))?;
    let mine = committed.iter().find(|(partition, _)| *partition == number);
    if let Some((_, offset)) = mine {
        return Ok(Begun { here: *offset, said: Vec::new() });
    }
    if !committed.is_empty() {
        // It was added later: it is read from its beginning.
        let (start, _) = reader.ends().await?;
        return Ok(Begun { here: start, said: vec![(number, start)] });
    }
    let mut said = Vec::new();
    for partition in 0..partitions {
        let shard = Shard { topic: settings.source.topic.clone(), partition };
        let group = &settings.names.group;
        let other = Reader::open(broker, clock.clone(), group, shard, Ahead::Little)?;
        said.push((partition, begins(&other, &settings.source.from, partition).await?));
    }
    let here = said.iter().find(|(partition, _)| *partition == number).map_or(0, |(_, begin)| *begin);
    Ok(Begun { here, said })
}

/// What is committed for the group. A broker that has just started, or hands its groups to another,
/// says for a while that it is not the one to ask: then it is asked again.
pub(crate) async fn committed(
    member: Arc<BaseConsumer<Ears>>,
    topic: Arc<str>,
    partitions: u32,
) -> Result<Vec<(u32, u64)>, String> {
    let mut asked = 0;
    loop {
        asked += 1;
        let (member, topic) = (member.clone(), topic.clone());
        let answer = tokio::task::spawn_blocking(move || ask_committed(&member, &topic, partitions));
        match answer.await.map_err(|e| e.to_string())? {
            Err(e) if wants_another_coordinator(&e) && asked < COORDINATOR_ASKED => {
                tokio::time::sleep(COORDINATOR_PAUSE).await;
            }
            answer => return answer.map_err(|e| e.to_string()),
        }
    }
}

fn wants_another_coordinator(e: &KafkaError) -> bool {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    matches!(e.rdkafka_error_code(), Some(CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator))
}

fn ask_committed(member: &BaseConsumer<Ears>, topic: &str, partitions: u32) -> Result<Vec<(u32, u64)>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions as usize);
    for partition in 0..partitions {
        list.add_partition(topic, i32::try_from(partition).unwrap_or(i32::MAX));
    }
    let committed = member.committed_offsets(list, crate::broker::PATIENCE)?;
    let found = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset() {
        Offset::Offset(offset) => Some((u32::try_from(element.partition()).ok()?, u64::try_from(offset).ok()?)),
        _ => None,
    };
    Ok(committed.elements().iter().filter_map(found).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_not_yet_the_one_to_ask_is_asked_again_and_one_that_refuses_is_not() {
        let of = |code| wants_another_coordinator(&KafkaError::MetadataFetch(code));
        assert!(of(RDKafkaErrorCode::NotCoordinator) && of(RDKafkaErrorCode::CoordinatorLoadInProgress));
        assert!(of(RDKafkaErrorCode::CoordinatorNotAvailable));
        assert!(!of(RDKafkaErrorCode::GroupAuthorizationFailed) && !of(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
}
