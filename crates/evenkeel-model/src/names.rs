//! Every name that an operator or a neighbour system sees, in one place: topics, headers.
//! Metric and label names stand beside the metrics, in the node's `metrics/names.rs`.

/// Outcomes: one record per dispatch round, subscription and partition.
pub const LEDGER_TOPIC: &str = "evenkeel.ledger";
/// What delivery must remember.
pub const JOURNAL_TOPIC: &str = "evenkeel.journal";
/// What the journal's topic comes to, so that a start need not read all of it.
pub const SNAPSHOTS_TOPIC: &str = "evenkeel.snapshots";
/// Topics and their settings.
pub const CONTROL_TOPIC: &str = "evenkeel.control";
/// Subscriptions that were made at run time, by name; compacted.
pub const SUBSCRIPTIONS_TOPIC: &str = "evenkeel.subscriptions";
/// Replays of a window, by number: what was asked for, how far they are; compacted.
pub const REPLAYS_TOPIC: &str = "evenkeel.replays";
/// Events that a handler accepted with 202, and what it said of them later; compacted.
pub const CALLBACKS_TOPIC: &str = "evenkeel.callbacks";
/// Alerts, as CloudEvents.
pub const ALERTS_TOPIC: &str = "evenkeel.alerts";
/// What receivers of alerts are told, as CloudEvents: one for each word to one receiver.
pub const NOTICES_TOPIC: &str = "evenkeel.notices";
/// Silences, said and taken back, as CloudEvents.
pub const SILENCES_TOPIC: &str = "evenkeel.silences";
/// Incidents and the playbook runs in them, as CloudEvents.
pub const INCIDENTS_TOPIC: &str = "evenkeel.incidents";
/// Stretches of time that count for no objective, said and taken back, as CloudEvents.
pub const EXCLUSIONS_TOPIC: &str = "evenkeel.exclusions";
/// Which dead letters of other frameworks went back to where they came from, by their topic.
pub const REDRIVES_TOPIC: &str = "evenkeel.redrives";
/// Where records lie that mirrors copied: runs of offsets, by subscription and partition.
pub const MIRRORS_TOPIC: &str = "evenkeel.mirrors";
/// Experiments, as CloudEvents.
pub const EXPERIMENTS_TOPIC: &str = "evenkeel.experiments";
/// What a subscription's dead-letter topic is called: its name and this.
pub const DEAD_SUFFIX: &str = ".dead";
/// What the topic is called in which a subscription keeps parked events that their own topic lets go
/// of: its name and this.
pub const HELD_SUFFIX: &str = ".held";
/// Topics that begin so belong to the node.
pub const OWN_PREFIX: &str = "evenkeel.";

/// True for a topic that belongs to the node, or to one of its subscriptions: nobody else writes to it.
pub fn is_own(topic: &str) -> bool {
    topic.starts_with(OWN_PREFIX) || topic.ends_with(DEAD_SUFFIX) || topic.ends_with(HELD_SUFFIX)
}

/// Carried by every call: 32 hex digits in quotes, the same over attempts, restarts and redrives.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The number of this attempt, from 1.
pub const ATTEMPT: &str = "evenkeel-attempt";
/// How many attempts the policy allows.
pub const MAX_ATTEMPTS: &str = "evenkeel-max-attempts";
/// How often the event was delivered by now, whatever came of it, from 1: to this handler, and by the broker that it came
/// from before it came here. Told where it is more than [`ATTEMPT`].
pub const DELIVERY: &str = "evenkeel-delivery";
/// When the attempt is given up, as RFC 3339 has it.
pub const DEADLINE: &str = "evenkeel-deadline";
/// Grows with each owner of the subscription: a call with a lower one comes from an owner that is gone.
pub const FENCE: &str = "evenkeel-fence";
/// In a batch the event's attribute that is [`IDEMPOTENCY_KEY`] alone: 32 hex digits.
pub const KEY_ATTRIBUTE: &str = "evenkeelkey";
/// In a batch the event's attribute that is [`ATTEMPT`] alone.
pub const ATTEMPT_ATTRIBUTE: &str = "evenkeelattempt";
/// In a batch the event's attribute that is [`DELIVERY`] alone.
pub const DELIVERY_ATTRIBUTE: &str = "evenkeeldelivery";
/// In a batch the event's attribute that is [`MAX_ATTEMPTS`] alone.
pub const MAX_ATTEMPTS_ATTRIBUTE: &str = "evenkeelmaxattempts";
/// What is signed, as Standard Webhooks has it: the idempotency key, or the digest of a batch's.
pub const WEBHOOK_ID: &str = "webhook-id";
/// When, in seconds.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// `v1,` and the base64 of the HMAC-SHA256; several, behind spaces, while a secret is rotated.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// Where a handler that answers 202 says later what came of it.
pub const CALLBACK: &str = "evenkeel-callback";
/// `true`: the call is a replay's, and the handler leaves its effects out.
pub const SHADOW: &str = "evenkeel-shadow";
/// The subscription that calls.
pub const SUBSCRIPTION: &str = "evenkeel-subscription";
/// What a handler says beyond its status.
pub const VERDICT: &str = "evenkeel-verdict";
/// The handler's version, in its response.
pub const HANDLER_VERSION: &str = "evenkeel-handler-version";
/// On a record that a handler returned: `subscription;topic;partition;offset` of its cause.
pub const CAUSED_BY: &str = "evenkeel-caused-by";
/// On a record that came in from a broker's queue: the broker's own name for the message; empty where
/// it has none.
pub const INTAKE: &str = "evenkeel-intake";
/// On a record that came in from a broker's queue: how often the broker had given the message by then, where
/// that was more than once.
pub const BROKER_DELIVERIES: &str = "evenkeel-broker-deliveries";
/// On a message that we put on a broker, where its own headers can't say all that the record is.
pub const EXACT: &str = "evenkeel-record";
/// On a record that was a dead letter of another framework and went back: `topic;partition;offset` of the letter.
pub const REDRIVEN_FROM: &str = "evenkeel-redriven-from";
/// On a record that went to a fallback's topic: `subscription;topic;partition;offset` of the event.
pub const FALLBACK_OF: &str = "evenkeel-fallback-of";
/// On a record of an event: which extensions are integers or booleans, as `a=integer,b=boolean`.
pub const EXTENSION_TYPES: &str = "evenkeel-extension-types";

/// Headers of a dead-letter record (docs/semantics.md gives their shapes).
pub mod dead {
    /// What all of them begin with.
    pub const PREFIX: &str = "evk-dlq-";
    /// `rejected`, `attempts_exhausted`, `max_age`, `suspected_crash`, …
    pub const REASON: &str = "evk-dlq-reason";
    /// The failure class.
    pub const CLASS: &str = "evk-dlq-error-class";
    /// The last failure's message, at most 1 KiB.
    pub const MESSAGE: &str = "evk-dlq-error-message";
    /// Failures alike share it.
    pub const FINGERPRINT: &str = "evk-dlq-fingerprint";
    /// The subscription in which the event died.
    pub const SUBSCRIPTION: &str = "evk-dlq-subscription";
    /// The handler's version.
    pub const HANDLER_VERSION: &str = "evk-dlq-handler-version";
    /// Booked attempts.
    pub const ATTEMPTS: &str = "evk-dlq-attempts";
    /// RFC 3339.
    pub const FIRST_FAILED_AT: &str = "evk-dlq-first-failed-at";
    /// RFC 3339.
    pub const LAST_FAILED_AT: &str = "evk-dlq-last-failed-at";
    /// `topic;partition;offset` of the event.
    pub const ORIGIN: &str = "evk-dlq-origin";
    /// `true`: the event itself could not be read any more, and only its end is told here.
    pub const RECORD_GONE: &str = "evk-dlq-record-gone";
}

/// Headers of a record about an event that a handler accepted with 202, and of what it said later.
pub mod callback {
    /// The subscription that called.
    pub const SUBSCRIPTION: &str = "evk-callback-subscription";
    /// `topic;partition;offset` of the event.
    pub const ORIGIN: &str = "evk-callback-origin";
    /// Which delivery of the event it was.
    pub const DELIVERY: &str = "evk-callback-delivery";
    /// Until when the callback is waited for, in microseconds.
    pub const UNTIL: &str = "evk-callback-until";
    /// The handler's version, as it said with the 202.
    pub const VERSION: &str = "evk-callback-version";
    /// `heard`: the attempt waited for it; `kept`: nobody did.
    pub const SAID: &str = "evk-callback-said";
    /// What a header of the callback itself begins with here.
    pub const HEADER_PREFIX: &str = "evk-callback-header-";
}

/// Headers of a record that is held aside for a subscription.
pub mod held {
    /// What all of them begin with.
    pub const PREFIX: &str = "evk-held-";
    /// `topic;partition;offset` of the event.
    pub const ORIGIN: &str = "evk-held-origin";
    /// When the event's own topic took it, in microseconds since 1970.
    pub const APPENDED: &str = "evk-held-appended";
}
