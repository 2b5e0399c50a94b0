//! What may happen on the way to a Kafka: see [`evenkeel_transport::happening`].

evenkeel_transport::happenings! {
    /// The client says something of its connections.
    INFO "kafka-client" ClientSaid { facility: String } (said: String) "{said}";
    /// Partitions were given to this node, and it could not take them.
    WARN "partitions-not-taken" PartitionsNotTaken { topic: String, partitions: String, problem: String } "partitions could not be taken";
    /// A broker does not say how large a batch of a topic may be.
    WARN "batch-limit-unknown" BatchLimitUnknown { topic: String, why: String } (taken: usize) "its max.message.bytes is not known, and taken for {taken}";
}
