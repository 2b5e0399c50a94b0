//! What comes in from a broker, as a page is told of it.

/// One intake.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// The topic of this node that it fills.
    pub topic: String,
    /// The broker's name.
    pub broker: String,
    /// The queue, stream or topic there.
    pub from: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// Why nothing comes.
    pub problem: Option<String>,
    /// Messages that the broker keeps until their events have an outcome.
    pub held: u64,
    /// Messages that became events.
    pub placed: u64,
    /// Messages that came again.
    pub again: u64,
}
