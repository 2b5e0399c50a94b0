//! What may happen while events come in, are read and are journaled: see [`happening`](crate::happening).

crate::happenings! {
    /// An event's `expirytime` or `priority` means nothing and counts as not there; told once for each subscription.
    WARN "attribute-not-known" AttributeNotKnown { subscription: String, attribute: String, value: String, event: String } "an attribute has a value that is not known; it counts as not there";
    /// Nothing comes in from a broker; told once until something does.
    WARN "intake-stands" IntakeStands { topic: String, problem: String } "nothing is taken in; it is tried again";
    /// A message that the log cannot hold.
    ERROR "message-too-large" MessageTooLarge { topic: String, bytes: usize, max: usize } "a message is too large and stays at its broker";
    /// Messages wait for room in the log.
    WARN "intake-no-room" IntakeNoRoom { topic: String } "there is no room in the log; messages wait at their broker";
    /// Identities are not sealed and are read anew.
    INFO "identities-read" IdentitiesRead { topic: String, partition: u32, from: u64, to: u64 } "identities are read from the journal";
    /// Sealed identities are damaged.
    WARN "identities-damaged" IdentitiesDamaged { damaged: String } "identities are read again from the journal";
    /// A snapshot of the journal was not made.
    WARN "journal-not-put-aside" JournalNotPutAside { problem: String } "the journal could not be put aside; it is tried again later";
    /// Outcomes wait for room on the disk.
    WARN "disk-full" DiskFull { subscription: String } "the disk is full; a round waits";
    /// A handler answered for events that it was not sent.
    WARN "foreign-verdicts" ForeignVerdicts { subscription: String, foreign: usize } "an answer has verdicts for events that were not sent with it; they are ignored";
    /// What was published is not sealed.
    WARN "published-not-sealed" PublishedNotSealed { problem: String } "what was published stays in memory; it is tried again later";
    /// What was sealed of what was published is damaged.
    WARN "published-damaged" PublishedDamaged { damaged: String } "what was published then is read from the topics again";
}
