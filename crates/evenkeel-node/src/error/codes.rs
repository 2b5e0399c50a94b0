//! The codes of errors. Each has a page of its name in `docs/errors/`; `cargo xtask tidy` holds
//! the two lists together.

/// A key of the configuration has no meaning.
pub const CONFIG_UNKNOWN_KEY: &str = "config-unknown-key";
/// A value of the configuration is not what its key takes.
pub const CONFIG_VALUE: &str = "config-value";
/// An OpenSLO file breaks a rule, or can't be executed.
pub const CONFIG_OBJECTIVE: &str = "config-objective";
/// The configuration file cannot be read.
pub const CONFIG_FILE: &str = "config-file";
/// Something in the configuration names a thing that is not there.
pub const CONFIG_UNKNOWN_NAME: &str = "config-unknown-name";
/// An address other than loopback.
pub const CONFIG_NOT_LOOPBACK: &str = "config-not-loopback";
/// A handler's or webhook's URL that cannot be used.
pub const CONFIG_URL: &str = "config-url";
/// Another node has the data folder.
pub const DATA_IN_USE: &str = "data-in-use";
/// The data folder cannot be used.
pub const DATA_FOLDER: &str = "data-folder";
/// The log is damaged.
pub const DATA_CORRUPT: &str = "data-corrupt";
/// The machine under the data folder cannot keep what the log promises.
pub const DATA_PROMISE: &str = "data-promise";
/// A broker cannot be reached, or does not let the node in.
pub const BROKER: &str = "broker";
/// The address cannot be listened on.
pub const LISTEN: &str = "listen";
/// No node answers.
pub const NODE_UNREACHABLE: &str = "node-unreachable";
/// The node's answer is not one that this client knows.
pub const NODE_ANSWER: &str = "node-answer";
/// There is no such topic.
pub const UNKNOWN_TOPIC: &str = "unknown-topic";
/// There is no such partition.
pub const UNKNOWN_PARTITION: &str = "unknown-partition";
/// There is no such subscription.
pub const UNKNOWN_SUBSCRIPTION: &str = "unknown-subscription";
/// There is no such dependency.
pub const UNKNOWN_DEPENDENCY: &str = "unknown-dependency";
/// There is no such agreement.
pub const UNKNOWN_AGREEMENT: &str = "unknown-agreement";
/// There is no such silence.
pub const UNKNOWN_SILENCE: &str = "unknown-silence";
/// There is no such exclusion.
pub const UNKNOWN_EXCLUSION: &str = "unknown-exclusion";
/// There is no such event.
pub const UNKNOWN_EVENT: &str = "unknown-event";
/// There is no such redrive.
pub const UNKNOWN_REDRIVE: &str = "unknown-redrive";
/// Another redrive of the subscription is not over.
pub const REDRIVE_UNDER_WAY: &str = "redrive-under-way";
/// The redrive is over.
pub const REDRIVE_OVER: &str = "redrive-over";
/// The subscription reads at a broker, where that cannot be done.
pub const OVER_A_BROKER: &str = "over-a-broker";
/// Nobody waits for that callback.
pub const UNKNOWN_CALLBACK: &str = "unknown-callback";
/// There is no such path or method.
pub const UNKNOWN_PATH: &str = "unknown-path";
/// What came is not a CloudEvent.
pub const INVALID_EVENT: &str = "invalid-event";
/// A parameter is not what it should be.
pub const INVALID_PARAMETER: &str = "invalid-parameter";
/// The body is of a media type that is not read.
pub const UNSUPPORTED_MEDIA: &str = "unsupported-media";
/// The same source and id with another type or other data.
pub const EVENT_CONFLICT: &str = "event-conflict";
/// More than a limit allows.
pub const TOO_LARGE: &str = "too-large";
/// The topic belongs to the node.
pub const OWN_TOPIC: &str = "own-topic";
/// The file declares the topic, so only the file changes it.
pub const TOPIC_DECLARED: &str = "topic-declared";
/// The topic is there already.
pub const TOPIC_EXISTS: &str = "topic-exists";
/// The file declares the subscription, so only the file changes it.
pub const SUBSCRIPTION_DECLARED: &str = "subscription-declared";
/// Another subscription lives on it.
pub const SUBSCRIPTION_IN_USE: &str = "subscription-in-use";
/// A subscription uses the topic, or still owes what would go.
pub const TOPIC_IN_USE: &str = "topic-in-use";
/// A partition has reached its limit.
pub const TOPIC_FULL: &str = "topic-full";
/// The disk can take no more.
pub const LOG_FULL: &str = "log-full";
/// The log has stopped: what became of the write is unknown.
pub const LOG_STOPPED: &str = "log-stopped";
/// The node is going down, or is not ready yet.
pub const NOT_READY: &str = "not-ready";
/// The node could not do its work.
pub const INTERNAL: &str = "internal";
/// The books do not add up.
pub const AUDIT_FAILED: &str = "audit-failed";
/// Input of a verb that cannot be read.
pub const INPUT: &str = "input";

/// The constant of a code that came over the wire.
pub fn known(code: &str) -> Option<&'static str> {
    ALL.iter().copied().find(|c| *c == code)
}

const ALL: &[&str] = &[
    CONFIG_UNKNOWN_KEY,
    CONFIG_VALUE,
    CONFIG_FILE,
    CONFIG_UNKNOWN_NAME,
    CONFIG_NOT_LOOPBACK,
    CONFIG_URL,
    DATA_IN_USE,
    DATA_FOLDER,
    DATA_CORRUPT,
    DATA_PROMISE,
    BROKER,
    LISTEN,
    NODE_UNREACHABLE,
    NODE_ANSWER,
    UNKNOWN_TOPIC,
    UNKNOWN_PARTITION,
    UNKNOWN_SUBSCRIPTION,
    UNKNOWN_DEPENDENCY,
    UNKNOWN_AGREEMENT,
    UNKNOWN_SILENCE,
    UNKNOWN_EXCLUSION,
    UNKNOWN_EVENT,
    UNKNOWN_REDRIVE,
    REDRIVE_UNDER_WAY,
    REDRIVE_OVER,
    OVER_A_BROKER,
    UNKNOWN_CALLBACK,
    UNKNOWN_PATH,
    INVALID_EVENT,
    INVALID_PARAMETER,
    UNSUPPORTED_MEDIA,
    EVENT_CONFLICT,
    TOO_LARGE,
    OWN_TOPIC,
    SUBSCRIPTION_DECLARED,
    SUBSCRIPTION_IN_USE,
    TOPIC_DECLARED,
    TOPIC_EXISTS,
    TOPIC_IN_USE,
    TOPIC_FULL,
    LOG_FULL,
    LOG_STOPPED,
    NOT_READY,
    INTERNAL,
    AUDIT_FAILED,
    INPUT,
];
