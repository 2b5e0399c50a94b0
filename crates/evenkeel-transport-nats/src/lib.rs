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

pub use queue::{Begin, ConsumerSettings, JetStreamQueue, KeyFrom};
pub use server::{Auth, Server, connect};
pub use sink::{JetStreamSink, LateSink};
