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

use std::time::Duration;

use evenkeel_delivery::ports::{Capabilities, GivenOrder, NativeLimits, Redelivery};

pub use account::{Account, Identity, check};
pub use look::{Found, Redrive, look};
pub use message::{Attribute, Message, SIZE_MAX};
pub use queue::{KeyFrom, SqsQueue, SqsSettings};
pub use sns::SnsSink;
pub use sqs::SqsSink;

/// What a standard queue can do, behind an intake. The lease is the visibility that an intake asks for by itself.
pub const SQS: Capabilities = Capabilities {
    redelivery: Redelivery::Lease(Duration::from_secs(60)),
    limits: NativeLimits { payload_bytes_max: Some(SIZE_MAX as u64), deliveries_max: None, unsettled_max: None },
    ..Capabilities::QUEUE
};

/// A FIFO queue: the message group is the key.
pub const SQS_FIFO: Capabilities = Capabilities { order: GivenOrder::Key, ..SQS };

#[cfg(test)]
mod tests {
    use evenkeel_transport::contract::intaken::behind_an_intake;
    use evenkeel_transport::contract::table::{Declared, Repeats};

    #[test]
    fn what_is_declared_is_what_the_documents_say() {
        Declared {
            name: "SQS, standard queue",
            source: Some(behind_an_intake(super::SQS)),
            sink: Some(Repeats::MayRepeat),
        }
        .hold();
        let sink = Some(Repeats::MayRepeatLater("5 minutes"));
        Declared { name: "SQS, FIFO queue", source: Some(behind_an_intake(super::SQS_FIFO)), sink }.hold();
        Declared { name: "SNS, standard topic", source: None, sink: Some(Repeats::MayRepeat) }.hold();
        Declared { name: "SNS, FIFO topic", source: None, sink }.hold();
    }
}
