//! The messages of a queue, lent by visibility.
//!
//! Invariants: a message's name is AWS's message id, equal in every delivery; what a redrive policy
//! would move at its next delivery is marked; messages that came together are given in the order in
//! which AWS took them, by time in a standard queue and by sequence number in a FIFO queue; an answer
//! of a FIFO queue that was lost is asked for again by the same attempt, so that no group stands
//! still for it.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message as Received,
    MessageSystemAttributeName as Said,
};
use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_model::Timestamp;
use evenkeel_transport::{Queue, Taken, Terms, Ticket, note_given};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use crate::account::Account;
use crate::happenings::QueueFound;
use crate::look::{Found, find};
use crate::message::{Attribute, Given, Message};
use crate::trouble::Trouble;

/// How long an empty queue is listened to before "none" is the answer. A node that is told to stop
/// waits for this.
const WAIT_S: i32 = 3;
/// So many messages, or entries, a call has at most.
const CALL_MAX: usize = 10;
/// So many calls are on their way at a time.
const TOGETHER: usize = 8;
/// AWS lends a message for 12 hours in all.
const HOLD_MAX: Duration = Duration::from_secs(11 * 3600);

/// What orders messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFrom {
    /// Their group, whatever key an event has.
    Group,
    /// The event's key; the group where it has none.
    Event,
}

/// Which queue, and how.
#[derive(Clone, Debug)]
pub struct SqsSettings {
    /// Its name, or its URL.
    pub queue: String,
    /// Made if it is missing; else a missing queue is an error.
    pub declare: bool,
    /// A message that is neither deleted nor renewed for so long is given again. Whole seconds; 60 by default.
    pub visibility: Duration,
    /// Without one: the group of a FIFO queue, else the event's key.
    pub key: Option<KeyFrom>,
    /// SNS's wrapping is taken off.
    pub unwrap: bool,
}

impl SqsSettings {
    /// A queue that must exist.
    pub fn new(queue: impl Into<String>) -> SqsSettings {
        SqsSettings {
            queue: queue.into(),
            declare: false,
            visibility: Duration::from_secs(60),
            key: None,
            unwrap: true,
        }
    }
}

/// One consumer of a queue.
pub struct SqsQueue {
    client: Client,
    settings: SqsSettings,
    found: Found,
    /// What no other consumer's attempts to receive are called.
    own: u64,
    /// The attempt to receive whose answer is not there yet.
    attempt: AtomicU64,
}

impl SqsQueue {
    /// Connects, and verifies or makes the queue.
    pub async fn open(account: &Account, settings: SqsSettings) -> Result<SqsQueue, PortError> {
        let client = Client::new(&account.config().await?);
        let found = find(&client, &settings.queue, settings.declare).await;
        let found = found.map_err(|trouble| PortError(format!("SQS queue `{}`: {trouble}", settings.queue)))?;
        for found in found.in_words() {
            QueueFound { queue: settings.queue.clone(), found }.tell();
        }
        let own = RandomState::new().hash_one(&found.url);
        Ok(SqsQueue { client, settings, found, own, attempt: AtomicU64::new(0) })
    }

    /// What the queue is like.
    pub fn found(&self) -> &Found {
        &self.found
    }

    fn failed(&self, trouble: &Trouble) -> PortError {
        PortError(format!("SQS queue `{}`: {trouble}", self.settings.queue))
    }

    fn visibility_s(&self) -> i32 {
        i32::try_from(self.settings.visibility.as_secs()).unwrap_or(i32::MAX)
    }

    /// One call: up to ten messages.
    async fn call(&self, max: usize, wait_s: i32) -> Result<Vec<Received>, Trouble> {
        let mut call = self
            .client
            .receive_message()
            .queue_url(&self.found.url)
            .max_number_of_messages(i32::try_from(max.min(CALL_MAX)).unwrap_or(1))
            .wait_time_seconds(wait_s)
            .visibility_timeout(self.visibility_s())
            .message_system_attribute_names(Said::All)
            .message_attribute_names("All");
        if self.found.fifo {
            let attempt = self.attempt.load(Ordering::SeqCst);
            call = call.receive_request_attempt_id(format!("evenkeel-{:016x}-{attempt}", self.own));
        }
        let answer = call.send().await.map_err(|e| Trouble::of(&e))?;
        self.attempt.fetch_add(1, Ordering::SeqCst);
        Ok(answer.messages.unwrap_or_default())
    }

    async fn take(&self, max: usize) -> Result<Vec<Taken>, PortError> {
        let mut came = self.call(max, WAIT_S).await.map_err(|trouble| self.failed(&trouble))?;
        if came.len() == CALL_MAX && max > CALL_MAX && !self.found.fifo {
            let calls = (max - CALL_MAX).div_ceil(CALL_MAX).min(TOGETHER);
            let more = (1..=calls).map(|n| self.call(max - n * CALL_MAX, 0));
            // What failed is asked for next time; what was lent by it comes again.
            came.extend(join_all(more).await.into_iter().flatten().flatten());
        }
        came.sort_by_cached_key(|message| self.place_in_order(message));
        Ok(came.into_iter().filter_map(|message| self.lent(message)).collect())
    }

    fn place_in_order(&self, message: &Received) -> u128 {
        let said = if self.found.fifo { Said::SequenceNumber } else { Said::SentTimestamp };
        said_of(message, &said).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    fn lent(&self, mut message: Received) -> Option<Taken> {
        let ticket = Ticket(message.receipt_handle.take()?.into());
        let id = message.message_id.take().unwrap_or_default();
        let count: u32 = number(&message, &Said::ApproximateReceiveCount).unwrap_or(1);
        let limit = self.found.redrive.as_ref().map(|redrive| redrive.deliveries_max);
        let key = self.settings.key.unwrap_or(if self.found.fifo { KeyFrom::Group } else { KeyFrom::Event });
        let given = Given {
            sent: Timestamp::from_millis(number(&message, &Said::SentTimestamp).unwrap_or_default()),
            group: said_of(&message, &Said::MessageGroupId).map(str::to_owned),
            group_orders: key == KeyFrom::Group,
            unwrap: self.settings.unwrap,
            died_in: said_of(&message, &Said::DeadLetterQueueSourceArn).map(str::to_owned),
            id: id.clone(),
        };
        let mut record = read(message).into_record(&given);
        note_given(&mut record, count);
        Some(Taken {
            record,
            id: Some(id.into()),
            ticket,
            again: count > 1,
            last: limit.is_some_and(|limit| count >= limit),
        })
    }

    /// Tells AWS how long these are still lent. Those that could not be told come again.
    async fn lend_on(&self, tickets: Vec<Ticket>, seconds: i32) {
        let calls = stream::iter(calls(tickets)).map(|part| self.lend_part_on(part, seconds));
        calls.buffer_unordered(TOGETHER).collect::<()>().await;
    }

    async fn lend_part_on(&self, tickets: Vec<Ticket>, seconds: i32) {
        let entries = tickets.iter().enumerate().filter_map(|(n, ticket)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(n.to_string());
            entry.receipt_handle(&*ticket.0).visibility_timeout(seconds).build().ok()
        });
        let call = self.client.change_message_visibility_batch().queue_url(&self.found.url);
        if let Err(error) = call.set_entries(Some(entries.collect())).send().await {
            tracing::debug!(queue = self.settings.queue, "visibility: {}", Trouble::of(&error));
        }
    }

    /// One call: those that should be tried again.
    async fn delete(&self, tickets: Vec<Ticket>) -> Vec<Ticket> {
        let entries = tickets.iter().enumerate().filter_map(|(n, ticket)| {
            DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(&*ticket.0).build().ok()
        });
        let call = self.client.delete_message_batch().queue_url(&self.found.url);
        let Ok(answer) = call.set_entries(Some(entries.collect())).send().await else { return tickets };
        // A ticket that AWS calls wrong is void: its message comes again, and is known then.
        let again: Vec<usize> =
            answer.failed.iter().filter(|one| !one.sender_fault).filter_map(|one| one.id.parse().ok()).collect();
        tickets.into_iter().enumerate().filter(|(n, _)| again.contains(n)).map(|(_, ticket)| ticket).collect()
    }
}

/// As many as a call takes.
fn calls(tickets: Vec<Ticket>) -> Vec<Vec<Ticket>> {
    tickets.chunks(CALL_MAX).map(<[Ticket]>::to_vec).collect()
}

fn said_of<'m>(message: &'m Received, said: &Said) -> Option<&'m str> {
    message.attributes.as_ref()?.get(said).map(String::as_str)
}

fn number<N: std::str::FromStr>(message: &Received, said: &Said) -> Option<N> {
    said_of(message, said)?.parse().ok()
}

fn read(message: Received) -> Message {
    let attributes = message.message_attributes.unwrap_or_default().into_iter().filter_map(|(name, value)| {
        let bytes = value.binary_value.map(|blob| Attribute::Bytes(blob.into_inner().into()));
        Some((name, value.string_value.map(Attribute::Text).or(bytes)?))
    });
    Message { body: message.body.unwrap_or_default(), attributes: attributes.collect() }
}

impl Queue for SqsQueue {
    fn terms(&self) -> Terms {
        Terms { lease: Some(self.settings.visibility), hold_max: Some(HOLD_MAX), tickets_outlive_connections: true }
    }

    fn receive(&self, max: usize) -> BoxFuture<'_, Result<Vec<Taken>, PortError>> {
        Box::pin(self.take(max))
    }

    fn settle(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, Vec<Ticket>> {
        Box::pin(async move {
            let calls = stream::iter(calls(tickets)).map(|part| self.delete(part));
            calls.buffer_unordered(TOGETHER).collect::<Vec<_>>().await.concat()
        })
    }

    fn renew(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(self.lend_on(tickets, self.visibility_s()))
    }

    fn give_back(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(self.lend_on(tickets, 0))
    }
}
