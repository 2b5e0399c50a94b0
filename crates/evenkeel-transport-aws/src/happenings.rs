//! What may happen on the way to a queue of AWS: see [`evenkeel_transport::happening`].

evenkeel_transport::happenings! {
    /// A queue was opened: what an operator should know of it, a sentence each time.
    INFO "queue-found" QueueFound { queue: String } (found: String) "{found}";
}
