//! NATS JetStream as a queue behind an intake, and as a sink.
//!
//! In the order of a message's story: a [`Server`] is connected to (`server`); a [`JetStreamQueue`]
//! lends the messages of a durable pull consumer in the order of the stream (`queue`, `gaps`), to be
//! placed, renewed and acknowledged by an `Intake`; a [`JetStreamSink`] publishes, and answers when
//! the stream has it (`sink`). `message` translates, by the CloudEvents NATS binding.
//!
//! What it does not do: it decides nothing about retries (a NAK with a delay would let later
//! messages of the subject overtake), and trusts neither `max_deliver` (what hits it is given to
//! nobody) nor the duplicate window (it is short, and forgets).

mod server;
mod message;
mod queue;
mod gaps;
mod sink;

use std::time::Duration;

use evenkeel_delivery::ports::{Capabilities, GivenOrder, NativeLimits, Redelivery};

pub use queue::{Begin, ConsumerSettings, JetStreamQueue, KeyFrom};
pub use server::{Auth, Server, connect};
pub use sink::{JetStreamSink, LateSink};

/// What a stream can do, behind an intake. A payload is limited by the server (`max_payload`), 1 MB where nobody
/// says otherwise; the lease is that of a consumer that we make.
pub const JETSTREAM: Capabilities = Capabilities {
    order: GivenOrder::Partition,
    redelivery: Redelivery::Lease(Duration::from_secs(30)),
    limits: NativeLimits { payload_bytes_max: Some(1_048_576), deliveries_max: None, unsettled_max: None },
    ..Capabilities::QUEUE
};

#[cfg(test)]
mod tests {
    use evenkeel_transport::contract::intaken::behind_an_intake;
    use evenkeel_transport::contract::table::{Declared, Repeats};

    #[test]
    fn what_is_declared_is_what_the_documents_say() {
        let sink = Some(Repeats::MayRepeatLater("the stream's duplicate window (2 minutes)"));
        Declared { name: "NATS JetStream", source: Some(behind_an_intake(super::JETSTREAM)), sink }.hold();
    }
}
