//! What may happen on the way to a Kafka: see [`evenkeel_transport::happening`].

evenkeel_transport::happenings! {
    /// The client says something of its connections.
    INFO "kafka-client" ClientSaid { facility: String } (said: String) "{said}";
    /// Partitions were given to this node, and it could not take them.
    WARN "partitions-not-taken" PartitionsNotTaken { topic: String, partitions: String, problem: String } "partitions could not be taken";
}
