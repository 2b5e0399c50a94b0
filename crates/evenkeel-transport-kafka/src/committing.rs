//! What a group is told about offsets, with an end.
//!
//! librdkafka waits for the group's coordinator for as long as nobody answers. So that is done by a thread of its own,
//! one for each member, and whoever asked gives up in time. Invariants: of one member no more than one commit waits,
//! and what its asker gave up is not begun; neither a runtime nor a member that ends waits for it.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use tokio::sync::oneshot;

use crate::client::Ears;

/// A coordinator that moves to another broker is back by then.
const PATIENCE: Duration = Duration::from_secs(5);

struct Asked {
    /// Its own share, so that a client is not ended beneath a commit.
    consumer: Arc<BaseConsumer<Ears>>,
    offsets: TopicPartitionList,
    answer: oneshot::Sender<Result<(), KafkaError>>,
}

/// Where one member's commits are asked for. The thread ends with it, as soon as it waits for nothing.
pub(crate) struct Committer(mpsc::Sender<Asked>);

impl Committer {
    pub(crate) fn start() -> Result<Committer, PortError> {
        let (asks, asked) = mpsc::channel();
        let thread = std::thread::Builder::new().name("kafka-commit".to_owned());
        thread.spawn(move || work(&asked)).map_err(|e| PortError(format!("no thread for a group's commits: {e}")))?;
        Ok(Committer(asks))
    }

    /// What the coordinator says; `None` where nothing came in time.
    pub(crate) async fn commit(
        &self,
        consumer: &Arc<BaseConsumer<Ears>>,
        offsets: TopicPartitionList,
    ) -> Option<Result<(), KafkaError>> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Asked { consumer: consumer.clone(), offsets, answer }).ok()?;
        tokio::time::timeout(PATIENCE, answered).await.ok()?.ok()
    }
}

fn work(asked: &mpsc::Receiver<Asked>) {
    while let Ok(Asked { consumer, offsets, answer }) = asked.recv() {
        if answer.is_closed() {
            continue;
        }
        let said = consumer.commit(&offsets, CommitMode::Sync);
        // Before the answer: whoever has it may be the last to have the client.
        drop(consumer);
        let _ = answer.send(said);
    }
}
