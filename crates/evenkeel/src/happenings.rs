//! What may happen while subscriptions run: see [`evenkeel_transport::happening`].

evenkeel_transport::happenings! {
    /// A subscription tells its operator something.
    WARN "subscription-alarm" Alarmed { subscription: String, code: String } (what: String) "{what}";
    /// A subscription goes on no more.
    ERROR "subscription-stopped" Stopped { subscription: String, why: String } "subscription stopped";
    /// A group of nodes shares partitions out anew.
    INFO "group-changed" GroupChanged { subscription: String, change: String } "the group";
    /// Parked events were copied before retention took them.
    INFO "held-aside" HeldAside { subscription: String, copied: u64 } "parked events are held aside";
    /// Parked events could not be copied.
    WARN "not-held-aside" NotHeldAside { problem: String } "parked events were not held aside, and stay where they are";
    /// Retention let records go.
    INFO "retention-applied" RetentionApplied { segments: u64, bytes: u64, expired: u64 } "retention applied";
    /// Retention let nothing go.
    WARN "retention-failed" RetentionFailed { problem: String } "retention could not be applied";
    /// A partition is as it was.
    WARN "compaction-failed" CompactionFailed { problem: String } "a partition could not be compacted";
    /// Partitions got smaller.
    INFO "compacted" Compacted { passes: u64, segments: u64, freed: u64 } "compacted";
}
