//! The names of all metrics and labels, with their types and what they say. What is generated from them
//! (`docs/reference/metrics.md`, the dashboards) is written anew by `cargo xtask generate`.

pub use super::metric::{Kind, Metric};

mod intakes;

pub use intakes::*;

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, help }
}

/// Label: a subscription's name.
pub const SUBSCRIPTION: &str = "subscription";
/// Label: a topic's name.
pub const TOPIC: &str = "topic";
/// Label: how an event ended.
pub const OUTCOME: &str = "outcome";
/// Label: a failure class.
pub const CLASS: &str = "class";
/// Label: an objective's name.
pub const OBJECTIVE: &str = "objective";
/// Label: a CloudEvents type.
pub const TYPE: &str = "type";
/// Label: a CloudEvents source.
pub const SOURCE: &str = "source";
/// Label: a handler's version.
pub const HANDLER_VERSION: &str = "handler_version";
/// Label: how a subscription gets on.
pub const STATE: &str = "state";
/// Label: a stretch of time.
pub const WINDOW: &str = "window";
/// Label: what a subscription depends on.
pub const DEPENDENCY: &str = "dependency";

/// Label: a rule of chains.
pub const CHAIN: &str = "chain";
/// Label: a step of a chain.
pub const STEP: &str = "step";
/// Label: a signal of OpenTelemetry.
pub const SIGNAL: &str = "signal";
/// Label: a kind of happening.
pub const KIND: &str = "kind";
/// Label: how grave a happening is.
pub const LEVEL: &str = "level";
/// Label: a network device.
pub const DEVICE: &str = "device";
/// Label: a service that objectives belong to.
pub const SERVICE: &str = "service";
/// Label of an exemplar: a CloudEvents id.
pub const EVENT_ID: &str = "event_id";
/// Label of an exemplar: the trace that the event's `traceparent` names.
pub const TRACE_ID: &str = "trace_id";

/// Time since the node was started.
pub const UPTIME: Metric = gauge("evenkeel_uptime_seconds", "Time since the node was started.");
/// Groups written.
pub const LOG_GROUPS: Metric = counter("evenkeel_log_groups_total", "Atomic groups written since the start.");
/// Flushes of the device.
pub const LOG_FLUSHES: Metric =
    counter("evenkeel_log_flushes_total", "Times the medium was asked to make something durable since the start.");
/// Bytes appended.
pub const LOG_BYTES: Metric =
    counter("evenkeel_log_appended_bytes_total", "Bytes of records appended since the start.");
/// Bytes of write-ahead files.
pub const LOG_WAL_BYTES: Metric = gauge("evenkeel_log_wal_bytes", "Bytes of write-ahead files.");
/// Bytes of segments.
pub const LOG_SEGMENT_BYTES: Metric = gauge("evenkeel_log_segment_bytes", "Bytes of segments.");
/// Whether the log has stopped.
pub const LOG_STOPPED: Metric = gauge("evenkeel_log_stopped", "1 when the log takes no more sets.");
/// What is in memory and in the write-ahead log only.
pub const LOG_UNWRITTEN: Metric =
    gauge("evenkeel_log_unwritten_bytes", "Bytes of records that are in memory and the write-ahead log only.");
/// Durable writes.
pub const LOG_WRITE: Metric = histogram(
    "evenkeel_log_write_seconds",
    "Durable writes of groups since the start; an acknowledgement waits for one.",
);
/// Checkpoints.
pub const LOG_CHECKPOINT: Metric =
    histogram("evenkeel_log_checkpoint_seconds", "Checkpoints since the start, with the segments that they flushed.");
/// How old the newest checkpoint is.
pub const LOG_CHECKPOINT_AGE: Metric =
    gauge("evenkeel_log_checkpoint_age_seconds", "Time since the newest checkpoint; absent before the first one.");
/// Producers that are remembered.
pub const LOG_PRODUCERS: Metric =
    gauge("evenkeel_log_producers", "Pairs of producer and partition whose newest batches are remembered.");
/// Open transactions.
pub const LOG_TRANSACTIONS: Metric = gauge("evenkeel_log_open_transactions", "Transactions that are open.");
/// Sets that wait.
pub const LOG_WAITING: Metric = gauge("evenkeel_log_waiting_sets", "Sets that wait to be written.");
/// Their bytes.
pub const LOG_WAITING_BYTES: Metric = gauge("evenkeel_log_waiting_bytes", "Bytes of sets that wait to be written.");
/// The log's depth.
pub const LOG_DEPTH: Metric =
    gauge("evenkeel_log_depth_groups", "Groups that may be written at once, as the device was seen to gain from.");
/// Compaction's work.
pub const LOG_COMPACTED: Metric =
    counter("evenkeel_log_compacted_bytes_total", "Bytes that compaction read and wrote since the start.");
/// Compaction's gain.
pub const LOG_COMPACTION_FREED: Metric =
    counter("evenkeel_log_compaction_freed_bytes_total", "Bytes that segments got smaller by since the start.");
/// Compaction's passes.
pub const LOG_COMPACTION_PASSES: Metric =
    counter("evenkeel_log_compaction_passes_total", "Passes of compaction over a partition since the start.");
/// Doubts of the medium.
pub const LOG_WARNINGS: Metric =
    gauge("evenkeel_log_warnings", "Reasons to doubt that what is written is on the medium; doctor names them.");
/// What the write-ahead log may grow to.
pub const LOG_WAL_MAX: Metric =
    gauge("evenkeel_log_wal_max_bytes", "What the write-ahead files may grow to before appends wait.");
/// Damaged places.
pub const LOG_DAMAGED: Metric = gauge(
    "evenkeel_log_damaged_places",
    "Damaged places that were found at the start or by a reader since; above 0 the log is only read.",
);
/// Partitions near their limit.
pub const NEARLY_FULL: Metric =
    gauge("evenkeel_topic_nearly_full_partitions", "Partitions that hold four fifths of their limit, or more.");
/// What a topic holds.
pub const TOPIC_BYTES: Metric = gauge("evenkeel_topic_bytes", "Bytes of batches that the topic holds.");
/// Room on the disk.
pub const DISK_FREE: Metric =
    gauge("evenkeel_disk_free_bytes", "Bytes that the node may still take on the disk of its data folder.");
/// Ended events.
pub const EVENTS: Metric = counter("evenkeel_events_total", "Events that ended, by outcome, from the ledger.");
/// Failed attempts.
pub const FAILED_ATTEMPTS: Metric =
    counter("evenkeel_failed_attempts_total", "Attempts that did not end their event, by failure class.");
/// Deliveries.
pub const DELIVERIES: Metric = counter(
    "evenkeel_deliveries_total",
    "Times that ended events were handed to a handler, or given by their broker before they came here.",
);
/// Attempts that count.
pub const ATTEMPTS: Metric =
    counter("evenkeel_attempts_total", "Attempts of ended events that counted against their retries.");
/// Results that nobody knows.
pub const UNKNOWN: Metric =
    counter("evenkeel_unknown_results_total", "Attempts whose handler had the event, and of which no answer came.");
/// Deaths by class.
pub const DEAD: Metric =
    counter("evenkeel_dead_events_total", "Events that died, by the class of the failure that killed them.");
/// Emitted events.
pub const EMITTED: Metric = counter("evenkeel_emitted_events_total", "Events that handlers returned.");
/// Overdue events.
pub const OVERDUE: Metric =
    counter("evenkeel_overdue_events_total", "Events that passed an objective's threshold before they ended.");
/// Creation times that were not believed.
pub const NOT_BELIEVED: Metric =
    counter("evenkeel_creation_time_not_believed_total", "Events whose own creation time was not believed.");
/// Gaps in the ledger.
pub const LEDGER_GAPS: Metric = gauge("evenkeel_ledger_gaps", "Ledger records that were never seen.");
/// Lag in time.
pub const LAG: Metric = gauge("evenkeel_lag_seconds", "Age of the oldest event that is not complete.");
/// Lag as a distance.
pub const DISTANCE: Metric =
    gauge("evenkeel_lag_events", "Events between the newest one and the one in process, over all partitions.");
/// Lag as a distance in time.
pub const DISTANCE_TIME: Metric = gauge(
    "evenkeel_lag_distance_seconds",
    "Time between the newest event and the one in process, in the partition where it is longest.",
);
/// Whether it gets on.
pub const PACE: Metric = gauge("evenkeel_pace", "1 for the state that the subscription is in, 0 for the others.");
/// Ended events of a group.
pub const GROUP_EVENTS: Metric = counter(
    "evenkeel_group_events_total",
    "Ended events by outcome, type, source and handler version; at most 201 groups for each subscription.",
);
/// Latency of a group.
pub const GROUP_LATENCY: Metric = gauge(
    "evenkeel_group_created_to_completed_p99_seconds",
    "99th percentile from creation to completion, by type, source and handler version.",
);
/// Events that fit into no group.
pub const FOLDED: Metric = counter(
    "evenkeel_group_folded_events_total",
    "Ended events that were counted under `(other)`, since the subscription has 200 groups already.",
);
/// Completion rate.
pub const COMPLETION_RATE: Metric = gauge("evenkeel_ended_per_second", "Events that ended per second, over a minute.");
/// Arrival rate.
pub const ARRIVAL_RATE: Metric =
    gauge("evenkeel_arrived_per_second", "Events that arrived in the topic per second, over a minute.");
/// Delivered over all subscriptions.
pub const DELIVERED: Metric = counter(
    "evenkeel_topic_delivered_total",
    "Events that all subscriptions of the topic ended, one of which completed it and none failed.",
);
/// Failed over all subscriptions.
pub const UNDELIVERED: Metric = counter(
    "evenkeel_topic_failed_total",
    "Events that all subscriptions of the topic ended, and at least one let die or expire.",
);
/// Not known over all subscriptions.
pub const UNJOINED: Metric = counter(
    "evenkeel_topic_unjoined_total",
    "Events that were let go before all subscriptions had ended them, since too many waited.",
);
/// Latency.
pub const LATENCY: Metric =
    histogram("evenkeel_created_to_completed_seconds", "From an event's creation to its completion.");
/// Handler time.
pub const HANDLER: Metric = histogram("evenkeel_handler_seconds", "The last attempt of ended events.");
/// An objective's target.
pub const OBJECTIVE_TARGET: Metric = gauge("evenkeel_objective_target", "The share of events that must be good.");
/// Good events.
pub const OBJECTIVE_GOOD: Metric = gauge("evenkeel_objective_good_events", "Good events in the objective's window.");
/// Bad events.
pub const OBJECTIVE_BAD: Metric = gauge("evenkeel_objective_bad_events", "Bad events in the objective's window.");
/// The share of bad events.
pub const OBJECTIVE_ERROR: Metric = gauge(
    "evenkeel_objective_error_ratio",
    "The share of the objective's budgeting unit that was bad over the window; absent when nothing happened in it.",
);
/// What is left of a budget.
pub const BUDGET_REMAINING: Metric =
    gauge("evenkeel_objective_budget_remaining", "Share of the error budget that is left; below 0 when overspent.");
/// Burn rate.
pub const BURN: Metric =
    gauge("evenkeel_objective_burn_rate", "How many times as fast as allowed the budget is spent.");
/// Alerts.
pub const ALERTS_FIRING: Metric = gauge("evenkeel_objective_alerts_firing", "Alerts of the objective that fire.");
/// In flight.
pub const IN_FLIGHT: Metric = gauge("evenkeel_in_flight_events", "Events at the handler.");
/// Queued.
pub const QUEUED: Metric = gauge("evenkeel_queued_events", "Events read, neither parked nor at the handler.");
/// Parked events.
pub const PARKED: Metric = gauge("evenkeel_parked_events", "Events that wait durably for a later try, or behind one.");
/// Parked keys.
pub const PARKED_KEYS: Metric = gauge("evenkeel_parked_keys", "Keys that are parked.");
/// Events held aside.
pub const HELD: Metric =
    gauge("evenkeel_held_events", "Parked events that are held aside, beyond their topic's retention.");
/// Their bytes.
pub const HELD_BYTES: Metric = gauge("evenkeel_held_bytes", "Bytes of the parked events that are held aside.");
/// Shed events.
pub const SHED: Metric =
    gauge("evenkeel_shed_events", "Events that were put off since the node started, for others of a higher priority.");
/// Which are shed.
pub const SHED_BELOW: Metric =
    gauge("evenkeel_shedding_below_priority", "Events with a priority below this are put off now; 0: none are.");
/// What the fallback did.
pub const FELL_BACK: Metric =
    gauge("evenkeel_fallback_events", "Events that the fallback handled since the node started.");
/// Concurrency.
pub const CONCURRENCY: Metric = gauge("evenkeel_concurrency_limit", "How many events may be at the handler now.");
/// Bytes at the handler.
pub const IN_FLIGHT_BYTES: Metric = gauge("evenkeel_in_flight_bytes", "Bytes of the events at the handler.");
/// Retries that wait.
pub const UNPAID_RETRIES: Metric =
    gauge("evenkeel_unpaid_retries", "Retries that wait for the retry budget, and spend nothing meanwhile.");
/// Keys with a version.
pub const VERSIONS: Metric =
    gauge("evenkeel_versioned_keys", "Keys whose newest completed version is remembered, to tell stale events.");
/// Events without one.
pub const UNVERSIONED: Metric =
    counter("evenkeel_unversioned_events_total", "Events since the start whose version could not be read.");
/// Crash suspects.
pub const SUSPECTS: Metric =
    gauge("evenkeel_crash_suspects", "Events that were open when the process died: each runs alone.");
/// Paused.
pub const PAUSED: Metric = gauge("evenkeel_subscription_paused", "1 when the subscription is paused.");
/// Breaker.
pub const BREAKER_OPEN: Metric = gauge("evenkeel_breaker_open", "1 when the dependency's breaker is not closed.");
/// A breaker's next probe.
pub const BREAKER_PROBE: Metric =
    gauge("evenkeel_breaker_next_probe_timestamp_seconds", "When an open breaker lets the next event probe.");
/// An operator's word on a breaker.
pub const BREAKER_FORCED: Metric = gauge(
    "evenkeel_breaker_forced",
    "1 when an operator holds the dependency's breaker open, -1 when closed, 0 when it decides itself.",
);
/// The process.
pub const PROCESS_CPU: Metric =
    counter("process_cpu_seconds_total", "Processor time of the node's process since its start.");
/// Its threads.
pub const PROCESS_THREADS: Metric = gauge("process_threads", "Threads of the node's process.");
/// Its addresses.
pub const PROCESS_VIRTUAL: Metric = gauge("process_virtual_memory_bytes", "Address space of the node's process.");
/// Its memory.
pub const PROCESS_RESIDENT: Metric =
    gauge("process_resident_memory_bytes", "Memory of the node's process; files that the kernel caches are not in it.");
/// Its start.
pub const PROCESS_STARTED: Metric = gauge("process_start_time_seconds", "When the node's process began, since 1970.");
/// Its files.
pub const PROCESS_FILES: Metric = gauge("process_open_fds", "Files and connections that the node's process has open.");
/// Their limit.
pub const PROCESS_FILES_MAX: Metric = gauge("process_max_fds", "How many it may have open.");
/// Read from devices.
pub const PROCESS_READ: Metric =
    counter("process_disk_read_bytes_total", "Bytes that were read from block devices for the node's process.");
/// Written to devices.
pub const PROCESS_WRITTEN: Metric =
    counter("process_disk_written_bytes_total", "Bytes that were written to block devices for the node's process.");
/// Received.
pub const NETWORK_RECEIVED: Metric = counter(
    "evenkeel_network_received_bytes_total",
    "Bytes that a network device received: all of its container's or machine's, not the node's alone.",
);
/// Sent.
pub const NETWORK_SENT: Metric = counter(
    "evenkeel_network_sent_bytes_total",
    "Bytes that a network device sent: all of its container's or machine's, not the node's alone.",
);
/// The machine's memory.
pub const MACHINE_MEMORY: Metric = gauge("evenkeel_machine_memory_bytes", "Memory of the machine.");
/// What of it is free.
pub const MACHINE_MEMORY_FREE: Metric = gauge(
    "evenkeel_machine_memory_available_bytes",
    "Memory of the machine that may be taken without another process losing its own.",
);
/// Processors.
pub const MACHINE_CPUS: Metric = gauge("evenkeel_machine_cpus", "Processors that the node may use.");
/// How much a source sends.
pub const SENT_RATE: Metric = gauge(
    "evenkeel_source_sent_per_second",
    "Events that a source sends to the topic per second, over five minutes, by their creation.",
);
/// How much it usually sends.
pub const USUAL_RATE: Metric = gauge(
    "evenkeel_source_usual_per_second",
    "Events that the source sent per second over the hour before; absent while too little is known.",
);
/// How it sends.
pub const SENDING: Metric =
    gauge("evenkeel_source_state", "1 for the state that the source is in (usual, silent, surging), 0 for the others.");
/// Events of other sources.
pub const SENT_FOLDED: Metric = counter(
    "evenkeel_source_folded_events_total",
    "Events of sources that are not shown, since a node knows at most 1,000.",
);
/// Chains that began.
pub const CHAINS_BEGUN: Metric = counter("evenkeel_chains_begun_total", "Chains whose first event the log holds.");
/// Chains that ended.
pub const CHAINS_COMPLETED: Metric = counter("evenkeel_chains_completed_total", "Chains whose last event came.");
/// Late chains.
pub const CHAINS_LATE: Metric =
    counter("evenkeel_chains_late_total", "Chains that took longer than they may, completed or not.");
/// Forgotten chains.
pub const CHAINS_FORGOTTEN: Metric =
    counter("evenkeel_chains_forgotten_total", "Chains that were let go for want of room (`chains.NAME.open`).");
/// Open chains.
pub const CHAINS_OPEN: Metric = gauge("evenkeel_chains_open", "Open chains, by the farthest step that was seen.");
/// The oldest open chain.
pub const CHAINS_OLDEST: Metric =
    gauge("evenkeel_chains_oldest_seconds", "For how long the open chain that is longest after this step is there.");
/// What chains took.
pub const CHAINS_TOOK: Metric = histogram("evenkeel_chains_seconds", "From the first to the last event of a chain.");
/// What telemetry sent.
pub const OTLP_SENT: Metric =
    counter("evenkeel_otlp_sent_total", "Spans, log lines, and requests with metrics that the collector took.");
/// What it let go.
pub const OTLP_DROPPED: Metric = counter(
    "evenkeel_otlp_dropped_total",
    "Spans, log lines, and requests with metrics that nobody took, and that were let go.",
);
/// What waits.
pub const OTLP_QUEUED: Metric = gauge("evenkeel_otlp_queued", "Spans and log lines that wait for the collector.");
/// What happened.
pub const HAPPENED: Metric = counter(
    "evenkeel_happenings_total",
    "What happened in the process since its start, by kind: docs/reference/happenings.md has them all.",
);
/// Lines that were not written.
pub const LINES_LEFT_OUT: Metric =
    counter("evenkeel_log_lines_left_out_total", "Log lines that `log.per_minute` left out since the start, by kind.");
/// The page itself.
pub const SERIES: Metric = gauge("evenkeel_metrics_series", "Series on this page, this one left out.");

/// All metrics, in the order of this file.
#[rustfmt::skip]
pub const ALL: &[&Metric] = &[
    &UPTIME, &LOG_GROUPS, &LOG_FLUSHES, &LOG_BYTES, &LOG_WAL_BYTES, &LOG_SEGMENT_BYTES, &LOG_STOPPED, &LOG_UNWRITTEN,
    &LOG_WRITE, &LOG_CHECKPOINT, &LOG_CHECKPOINT_AGE, &LOG_PRODUCERS, &LOG_TRANSACTIONS, &LOG_WAITING,
    &LOG_WAITING_BYTES, &LOG_DEPTH, &LOG_COMPACTED, &LOG_COMPACTION_FREED, &LOG_COMPACTION_PASSES, &LOG_WARNINGS, &LOG_WAL_MAX,
    &LOG_DAMAGED, &NEARLY_FULL, &TOPIC_BYTES, &DISK_FREE, &EVENTS, &FAILED_ATTEMPTS, &DELIVERIES, &ATTEMPTS, &UNKNOWN,
    &DEAD, &EMITTED, &OVERDUE, &NOT_BELIEVED, &LEDGER_GAPS, &LAG, &DISTANCE, &DISTANCE_TIME, &PACE, &GROUP_EVENTS,
    &GROUP_LATENCY, &FOLDED, &COMPLETION_RATE, &ARRIVAL_RATE, &DELIVERED, &UNDELIVERED, &UNJOINED, &LATENCY, &HANDLER,
    &OBJECTIVE_TARGET, &OBJECTIVE_GOOD, &OBJECTIVE_BAD, &OBJECTIVE_ERROR, &BUDGET_REMAINING, &BURN, &ALERTS_FIRING,
    &IN_FLIGHT, &QUEUED, &PARKED, &PARKED_KEYS, &HELD, &HELD_BYTES, &SHED, &SHED_BELOW, &FELL_BACK, &CONCURRENCY,
    &IN_FLIGHT_BYTES, &UNPAID_RETRIES, &VERSIONS, &UNVERSIONED, &SUSPECTS, &PAUSED, &BREAKER_OPEN, &BREAKER_PROBE,
    &BREAKER_FORCED, &PROCESS_CPU, &PROCESS_THREADS, &PROCESS_VIRTUAL, &PROCESS_RESIDENT, &PROCESS_STARTED,
    &PROCESS_FILES, &PROCESS_FILES_MAX, &PROCESS_READ, &PROCESS_WRITTEN, &NETWORK_RECEIVED, &NETWORK_SENT,
    &MACHINE_MEMORY, &MACHINE_MEMORY_FREE, &MACHINE_CPUS, &SENT_RATE, &USUAL_RATE, &SENDING, &SENT_FOLDED, &CHAINS_BEGUN,
    &CHAINS_COMPLETED, &CHAINS_LATE, &CHAINS_FORGOTTEN, &CHAINS_OPEN, &CHAINS_OLDEST, &CHAINS_TOOK, &OTLP_SENT,
    &OTLP_DROPPED, &OTLP_QUEUED, &HAPPENED, &LINES_LEFT_OUT, &INTAKE_CONNECTED, &INTAKE_HELD, &INTAKE_RECEIVED,
    &INTAKE_PLACED, &INTAKE_AGAIN, &INTAKE_SETTLED, &INTAKE_RENEWED, &INTAKE_OVERSIZED, &SERIES,
];
