//! SQS as a queue behind an intake and as a sink, and SNS as a sink.
//!
//! In the order of a message's story: an [`Account`] is spoken to as the AWS SDK does it (`account`);
//! a queue is looked at before it is used (`look`); an [`SqsQueue`] lends its messages, to be placed,
//! renewed and deleted by an `Intake` (`queue`); a [`SqsSink`] and a [`SnsSink`] publish (`sqs`, `sns`),
//! in batches of which each event is answered by itself (`batch`). `message` translates, `envelope`
//! takes SNS's wrapping off.
//!
//! What it does not do: it decides nothing about retries, its clients' own included (they are off);
//! it leaves a message to no native redrive policy; it follows no pointer to a payload that lies
//! elsewhere.

pub mod happenings;
mod account;
mod trouble;
mod message;
mod envelope;
mod look;
mod queue;
mod batch;
mod sqs;
mod sns;

pub use account::{Account, Identity, check};
pub use look::{Found, Redrive, look};
pub use message::{Attribute, Message, SIZE_MAX};
pub use queue::{KeyFrom, SqsQueue, SqsSettings};
pub use sns::SnsSink;
pub use sqs::SqsSink;
