//! Publishing to a queue, ten messages a call.
//!
//! In a FIFO queue a message's group is its key, and its deduplication id the identity of the effect:
//! AWS drops a repeat within 5 minutes, which is a help and nothing that a promise rests on. Events
//! of one key are never in one call, so that none overtakes one that failed.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use aws_smithy_types::Blob;
use evenkeel_delivery::ports::{BoxFuture, Outgoing, Placed, Sink, SinkError};
use evenkeel_transport::batches_by_key;
use tokio::sync::OnceCell;

use crate::account::Account;
use crate::batch::{Answered, CALL_MAX, Ready, Refused, Sent, TOGETHER, all, by_size, denied, enter, ready, unsent};
use crate::look::{Found, find};
use crate::message::{Attribute, SIZE_MAX};
use crate::trouble::Trouble;

/// Publishes to one queue.
pub struct SqsSink {
    account: Account,
    queue: String,
    link: OnceCell<(Client, Found)>,
}

impl SqsSink {
    /// To the queue of that name, or at that URL. It is looked up with the first event.
    pub fn new(account: Account, queue: impl Into<String>) -> SqsSink {
        SqsSink { account, queue: queue.into(), link: OnceCell::new() }
    }

    async fn link(&self) -> Result<&(Client, Found), SinkError> {
        let opening = async {
            let client = Client::new(&self.account.config().await.map_err(|e| denied(e.0))?);
            let found = find(&client, &self.queue, false).await.map_err(|trouble| self.failed(&trouble))?;
            Ok((client, found))
        };
        self.link.get_or_try_init(|| opening).await
    }

    fn failed(&self, trouble: &Trouble) -> SinkError {
        SinkError { unsent: unsent(trouble), message: format!("SQS queue `{}`: {trouble}", self.queue) }
    }

    async fn send(&self, client: &Client, found: &Found, events: Vec<&Outgoing>) -> Vec<Sent> {
        let to = format!("SQS queue `{}`", self.queue);
        let (ready, mut answers) = ready(&to, &events, found.fifo, found.size_max.unwrap_or(SIZE_MAX));
        for part in by_size(ready, SIZE_MAX) {
            let numbers: Vec<usize> = part.iter().map(|one| one.number).collect();
            let entries = part.into_iter().filter_map(entry).collect();
            let call = client.send_message_batch().queue_url(&found.url).set_entries(Some(entries));
            let came = call.send().await.map_err(|e| Trouble::of(&e)).map(|answer| {
                let refused = |one: aws_sdk_sqs::types::BatchResultErrorEntry| Refused {
                    id: one.id,
                    code: one.code,
                    message: one.message.unwrap_or_default(),
                };
                let done = answer.successful.into_iter().map(|one| one.id).collect();
                Answered { done, refused: answer.failed.into_iter().map(refused).collect() }
            });
            enter(&mut answers, &to, &numbers, came);
        }
        all(answers)
    }
}

fn entry(one: Ready) -> Option<SendMessageBatchRequestEntry> {
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(one.number.to_string())
        .message_body(one.message.body)
        .set_message_deduplication_id(one.group.is_some().then_some(one.id))
        .set_message_group_id(one.group);
    for (name, value) in one.message.attributes {
        let value = match value {
            Attribute::Text(text) => MessageAttributeValue::builder().data_type("String").string_value(text),
            Attribute::Bytes(bytes) => {
                MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new(bytes.to_vec()))
            }
        };
        entry = entry.message_attributes(name, value.build().ok()?);
    }
    entry.build().ok()
}

impl Sink for SqsSink {
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        Box::pin(async move {
            match self.link().await {
                Ok((client, found)) => {
                    batches_by_key(&events, CALL_MAX, TOGETHER, |batch| self.send(client, found, batch)).await
                }
                Err(why) => vec![Err(why); events.len()],
            }
        })
    }
}
