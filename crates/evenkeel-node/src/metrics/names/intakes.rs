//! What is said of intakes: what comes in from brokers' queues and streams, by topic and broker.

use super::{Metric, counter, gauge};

/// Label: what a broker is called in the configuration.
pub const BROKER: &str = "broker";

/// Connected.
pub const INTAKE_CONNECTED: Metric =
    gauge("evenkeel_intake_connected", "1 when the broker answered the last time that it was asked, 0 otherwise.");
/// Messages that are held.
pub const INTAKE_HELD: Metric =
    gauge("evenkeel_intake_held_messages", "Messages that the broker lends and that have no outcome yet.");
/// Messages that came.
pub const INTAKE_RECEIVED: Metric =
    counter("evenkeel_intake_received_total", "Messages that the broker gave since the start, repeats among them.");
/// Messages with a place.
pub const INTAKE_PLACED: Metric =
    counter("evenkeel_intake_placed_total", "Messages that got a place in the topic since the start.");
/// Messages that came again.
pub const INTAKE_AGAIN: Metric = counter(
    "evenkeel_intake_redelivered_total",
    "Messages that the broker gave again since the start, and that got no second place.",
);
/// Messages that are done with.
pub const INTAKE_SETTLED: Metric =
    counter("evenkeel_intake_settled_total", "Messages that the broker was told are done with since the start.");
/// Leases that were renewed.
pub const INTAKE_RENEWED: Metric = counter(
    "evenkeel_intake_leases_renewed_total",
    "Times that the broker was told a message is still worked on since the start.",
);
/// Messages that are too large.
pub const INTAKE_OVERSIZED: Metric = counter(
    "evenkeel_intake_oversized_total",
    "Messages since the start that are larger than the log takes, and stay at their broker.",
);
