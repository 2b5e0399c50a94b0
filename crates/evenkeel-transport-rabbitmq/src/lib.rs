//! RabbitMQ as a queue behind an intake, and as a sink.
//!
//! In the order of a message's story: a [`Server`] is connected to (`server`); a [`RabbitQueue`] lends
//! the messages of a queue, quorum or classic, to be placed and acknowledged by an `Intake` (`queue`);
//! a [`RabbitSink`] publishes, and answers when the broker confirmed (`sink`). `message` translates,
//! by the CloudEvents AMQP binding.
//!
//! What it does not do: it decides nothing about retries, and leaves a message to no native limit
//! (RabbitMQ 4 throws one away after 20 deliveries unless it is told otherwise); it uses no recovery
//! of its client, whose connections are made anew with all that belongs to them. Streams are not
//! read: they are logs.

mod server;
mod message;
mod unsettled;
mod queue;
mod sink;

use evenkeel_delivery::ports::{Capabilities, NativeLimits};

pub use queue::{Declare, Kind, QueueSettings, RabbitQueue};
pub use server::{Server, check};
pub use sink::RabbitSink;

/// What a queue can do, behind an intake: quorum and classic ones alike. What of it RabbitMQ 4 limits unless it is told
/// otherwise: the size of a message, and the deliveries of a quorum queue.
pub const RABBITMQ: Capabilities = Capabilities {
    limits: NativeLimits { payload_bytes_max: Some(16 << 20), deliveries_max: Some(20), unsettled_max: None },
    ..Capabilities::QUEUE
};

#[cfg(test)]
mod tests {
    use evenkeel_transport::contract::intaken::behind_an_intake;
    use evenkeel_transport::contract::table::{Declared, Repeats};

    #[test]
    fn what_is_declared_is_what_the_documents_say() {
        Declared { name: "RabbitMQ", source: Some(behind_an_intake(super::RABBITMQ)), sink: Some(Repeats::MayRepeat) }
            .hold();
    }
}
