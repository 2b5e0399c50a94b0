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
mod queue;
mod sink;

pub use queue::{Declare, Kind, QueueSettings, RabbitQueue};
pub use server::{Server, check};
pub use sink::RabbitSink;
