//! Publishing to a topic of SNS, ten messages a call.
//!
//! A topic is named by its ARN, or by its name, which is looked up. In a FIFO topic a message's group
//! is its key, as in a FIFO queue.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use aws_smithy_types::Blob;
use evenkeel_delivery::ports::{BoxFuture, Outgoing, Placed, PortError, Sink, SinkError};
use evenkeel_transport::batches_by_key;
use tokio::sync::OnceCell;

use crate::account::Account;
use crate::batch::{Answered, CALL_MAX, Ready, Refused, Sent, TOGETHER, all, by_size, denied, enter, ready, unsent};
use crate::message::Attribute;
use crate::trouble::Trouble;

/// The largest message of SNS, and the largest call.
const SIZE_MAX: usize = 256 << 10;

/// Publishes to one topic.
pub struct SnsSink {
    account: Account,
    topic: String,
    link: OnceCell<(Client, String)>,
}

impl SnsSink {
    /// To the topic of that ARN, or name. It is looked up with the first event.
    pub fn new(account: Account, topic: impl Into<String>) -> SnsSink {
        SnsSink { account, topic: topic.into(), link: OnceCell::new() }
    }

    /// Whether the topic is there; its ARN.
    pub async fn check(&self) -> Result<String, PortError> {
        let client = Client::new(&self.account.config().await?);
        let asking = async {
            let arn = self.arn(&client).await?;
            let asked = client.get_topic_attributes().topic_arn(&arn).send().await;
            asked.map(|_| arn).map_err(|e| Trouble::of(&e))
        };
        asking.await.map_err(|trouble| PortError(format!("SNS topic `{}`: {trouble}", self.topic)))
    }

    async fn link(&self) -> Result<&(Client, String), SinkError> {
        let opening = async {
            let client = Client::new(&self.account.config().await.map_err(|e| denied(e.0))?);
            let arn = self.arn(&client).await.map_err(|trouble| self.failed(&trouble))?;
            Ok((client, arn))
        };
        self.link.get_or_try_init(|| opening).await
    }

    fn failed(&self, trouble: &Trouble) -> SinkError {
        SinkError { unsent: unsent(trouble), message: format!("SNS topic `{}`: {trouble}", self.topic) }
    }

    async fn arn(&self, client: &Client) -> Result<String, Trouble> {
        let topic = &self.topic;
        if topic.starts_with("arn:") {
            return Ok(topic.clone());
        }
        let ending = format!(":{topic}");
        let mut pages = client.list_topics().into_paginator().items().send();
        while let Some(page) = pages.next().await {
            let found = page.map_err(|e| Trouble::of(&e))?;
            if let Some(arn) = found.topic_arn.filter(|arn| arn.ends_with(&ending)) {
                return Ok(arn);
            }
        }
        Err(Trouble::said("NotFound", "no topic of this account and region has that name; create it, or write its ARN"))
    }

    async fn send(&self, client: &Client, arn: &str, events: Vec<&Outgoing>) -> Vec<Sent> {
        let to = format!("SNS topic `{}`", self.topic);
        let (ready, mut answers) = ready(&to, &events, arn.ends_with(".fifo"), SIZE_MAX);
        for part in by_size(ready, SIZE_MAX) {
            let numbers: Vec<usize> = part.iter().map(|one| one.number).collect();
            let entries = part.into_iter().filter_map(entry).collect();
            let call = client.publish_batch().topic_arn(arn).set_publish_batch_request_entries(Some(entries));
            let came = call.send().await.map_err(|e| Trouble::of(&e)).map(|answer| {
                let refused = |one: aws_sdk_sns::types::BatchResultErrorEntry| Refused {
                    id: one.id,
                    code: one.code,
                    message: one.message.unwrap_or_default(),
                };
                let done =
                    answer.successful.unwrap_or_default().into_iter().map(|one| one.id.unwrap_or_default()).collect();
                Answered { done, refused: answer.failed.unwrap_or_default().into_iter().map(refused).collect() }
            });
            enter(&mut answers, &to, &numbers, came);
        }
        all(answers)
    }
}

fn entry(one: Ready) -> Option<PublishBatchRequestEntry> {
    let mut entry = PublishBatchRequestEntry::builder()
        .id(one.number.to_string())
        .message(one.message.body)
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

impl Sink for SnsSink {
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        Box::pin(async move {
            match self.link().await {
                Ok((client, arn)) => {
                    batches_by_key(&events, CALL_MAX, TOGETHER, |batch| self.send(client, arn, batch)).await
                }
                Err(why) => vec![Err(why); events.len()],
            }
        })
    }
}
