//! What may happen in a node: see [`evenkeel_transport::happening`].
//!
//! Those of all crates are listed by [`all`]; `docs/reference/happenings.md` is generated from [`without_adapters`].

use evenkeel_transport::happening::Kind;

use crate::forms::alert::AlertForm;

/// All that may happen in a node, of every crate that it is made of.
pub(crate) fn all() -> Vec<&'static Kind> {
    [without_adapters(), of_adapters()].concat()
}

/// Those of every node; adapters of brokers, which may be left out of a build, have a few of their own.
pub(crate) fn without_adapters() -> Vec<&'static Kind> {
    [evenkeel_transport::happenings::kinds(), evenkeel::happenings::kinds(), kinds()].concat()
}

/// Those of the adapters that this build has.
pub(crate) fn of_adapters() -> Vec<&'static Kind> {
    let adapters: &[fn() -> Vec<&'static Kind>] = &[
        #[cfg(feature = "kafka")]
        evenkeel_transport_kafka::happenings::kinds,
        #[cfg(feature = "aws")]
        evenkeel_transport_aws::happenings::kinds,
    ];
    adapters.iter().flat_map(|kinds| kinds()).collect()
}

evenkeel_transport::happenings! {
    /// The node acts against its promises, for a demonstration.
    WARN "sabotage" Sabotaged { how: String } "this node cheats on purpose";
    /// An address was asked for that nothing serves.
    WARN "no-kafka" NoKafka { address: String } "this version speaks no Kafka: nothing is bound there";
    /// The data folder is not as it should be, as `doctor` says.
    WARN "folder-doubtful" FolderDoubtful { check: String, fix: String } (found: String) "{found}";
    /// The data folder cannot be relied on, as `doctor` says.
    ERROR "folder-bad" FolderBad { check: String, fix: String } (found: String) "{found}";
    /// The log has damaged places.
    ERROR "log-damaged" LogDamaged { damage: String } "the log is damaged";
    /// The log takes nothing, or soon won't.
    ERROR "log-trouble" LogTrouble { fix: String } (what: String) "{what}";
    /// The log may come to take nothing.
    WARN "log-doubtful" LogDoubtful { fix: String } (what: String) "{what}";
    /// The log is well again.
    INFO "log-well" LogWell {} (what: String) "{what}";
    /// An objective of the file is wrong; the others run.
    ERROR "objective-refused" ObjectiveRefused { finding: String } "an objective is not executed";
    /// No connection could be accepted.
    ERROR "connection-not-accepted" ConnectionNotAccepted { error: String } "a connection could not be accepted";
    /// A connection broke off.
    DEBUG "connection-broken" ConnectionBroken { error: String } "a connection ended badly";
    /// There is no index of stories.
    WARN "stories-not-indexed" StoriesNotIndexed { problem: String } "stories are found by reading the whole log";
    /// The index of stories is behind.
    WARN "stories-behind" StoriesBehind { problem: String } "the index of stories does not keep up; they are found all the same, more slowly";
    /// A subscription that was made at run time is in the file by now.
    WARN "subscription-declared" SubscriptionDeclared { subscription: String } "the file declares it now, and what was made at run time gives way";
    /// A subscription that was made at run time does not start.
    ERROR "subscription-cannot-run" SubscriptionCannotRun { subscription: String, problem: String } "a subscription that was made at run time cannot run";
    /// A broker is silent at the end.
    WARN "broker-silent" BrokerSilent { topic: String } "the broker did not answer; what it lent comes back by itself";
    /// A topic got partitions.
    WARN "partitions-added" PartitionsAdded { topic: String, from: u32, to: u32 } "it has more partitions from now on: new events of a key may lie in another one than its old ones";
    /// A topic's settings are others.
    INFO "topic-configured" TopicConfigured { topic: String } "its settings are changed";
    /// An outcome at a broker is in no indicator.
    WARN "not-counted" NotCounted { problem: String } "what was journaled at a broker is not counted here";
    /// The collector takes what is sent again.
    INFO "collector-back" CollectorBack { signal: String } "the OTLP collector takes it again";
    /// The collector takes nothing.
    WARN "collector-down" CollectorDown { signal: String, why: String } "the OTLP collector takes nothing; what it misses is dropped and counted";
    /// The ledger cannot be read.
    ERROR "ledger-unreadable" LedgerUnreadable { error: String } "the ledger cannot be read; indicators stand still";
    /// A record of the ledger is none.
    ERROR "not-a-ledger-record" NotALedgerRecord { offset: u64, error: String } "not a ledger record";
    /// A record of exclusions is none.
    ERROR "not-an-exclusion" NotAnExclusion { offset: u64 } "not an exclusion";
    /// A record of silences is none.
    ERROR "not-a-silence" NotASilence { offset: u64 } "not a silence";
    /// Chains stand still.
    ERROR "chains-stopped" ChainsStopped { error: String } "chains are not followed any more";
    /// A source sends otherwise than usual.
    WARN "source-changed" SourceChanged { source: String, topic: String, sending: String } (what: String) "{what}";
    /// An alert began to fire, or is over.
    WARN "alert" AlertChanged { objective: String, alert: String, resolved: bool } (what: String) "{what}";
    /// An alert is not on record yet.
    ERROR "alert-not-stored" AlertNotStored { error: String } "an alert cannot be stored; it is tried again";
    /// Words to receivers were let go.
    ERROR "notices-lost" NoticesLost { lost: usize } "the log takes nothing, and words to receivers of alerts are lost";
    /// A word to a receiver is not on record yet.
    ERROR "notice-not-stored" NoticeNotStored { error: String } "a word to a receiver of alerts cannot be stored; it is tried again";
    /// Somebody excluded time from objectives.
    WARN "time-excluded" TimeExcluded { id: String, reason: String, by: String } "time is excluded";
    /// Somebody silenced alerts.
    WARN "alerts-silenced" AlertsSilenced { id: String, reason: String, by: String } "alerts are silenced";
    /// Somebody forced a breaker.
    WARN "breaker-forced" BreakerForced { of: String, force: String } "an operator spoke to a breaker";
    /// An incident goes on.
    INFO "incident" IncidentWent { incident: String } (what: String) "{what}";
    /// An incident's entry is not on record.
    ERROR "incident-not-stored" IncidentNotStored { error: String } "an incident's entry cannot be stored";
    /// Nothing is healed any more.
    ERROR "incidents-stopped" IncidentsStopped {} "incidents cannot be recorded any more; nothing is healed until the node starts again";
    /// The proof could not be made.
    ERROR "audit-failed" AuditFailed { error: String } "the audit failed";
    /// A replay is over.
    INFO "replay-ended" ReplayEnded { subscription: String, replay: String, ended: String, counts: String } "a replay ended";
    /// A replay that was under way when the node went down is under way again.
    INFO "replay-goes-on" ReplayGoesOn { subscription: String, replay: String, events: u64 } "a replay goes on";
    /// A replay was at a handler when the node went down.
    INFO "replay-unfinished" ReplayUnfinished {} "a replay's calls outlast the grace, and are made again after the next start";
    /// After a crash a replay would begin again further back.
    WARN "replay-not-kept" ReplayNotKept { replay: String, problem: String } "how far a replay is cannot be kept";
    /// The node ends.
    INFO "going-down" GoingDown {} "going down";
    /// A subscription finished what was at its handler, or gave it up.
    INFO "drained" SubscriptionDrained { unfinished: usize } "subscription drained";
    /// The file was read again.
    INFO "file-unchanged" FileUnchanged {} "the file was read again: nothing differs";
    /// The file was read again, and something is other than before.
    INFO "file-changed" FileChanged {} (change: String) "the file was read again: {change}";
    /// The file was read again, and is wrong.
    ERROR "file-refused" FileRefused { problem: String } "the file was read again, and nothing is changed";
    /// Lines were left out.
    WARN "lines-left-out" LinesLeftOut { of: String, lines: u64 } "{lines} more lines of `{of}` were left out within a minute";
}

impl AlertChanged {
    /// What an alert says of itself.
    pub(crate) fn of(form: &AlertForm) -> AlertChanged {
        let AlertForm { objective, name, summary, resolved_at, .. } = form.clone();
        AlertChanged { objective, alert: name, resolved: resolved_at.is_some(), what: summary }
    }
}
