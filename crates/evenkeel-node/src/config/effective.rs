//! The effective configuration: the plan written back as YAML, with every default filled in.
//!
//! Invariant: what it writes reads to the same plan. Nothing secret is in a plan, since handler
//! URLs with credentials are refused.

use std::time::Duration;

use evenkeel_delivery::{BreakerPolicy, Effects, Exhausted, Freshness, Order};
use evenkeel_log::{AtLimit, Cleanup, TopicSettings};

use serde_json::Value;

use super::plan::{FallbackPlan, From, LogFormat, Plan, SubscriptionPlan, TopicPlan};
use super::raw::pick as written;
use super::units::{show_duration, show_rate, show_size};
use super::{brokers, chains, intakes, push, raw, receivers, telemetry};
use evenkeel_transport::Pick;

/// The YAML of a plan.
pub fn effective(plan: &Plan) -> String {
    serde_saphyr::to_string(&config(plan)).unwrap_or_else(|e| format!("# cannot be written: {e}\n"))
}

/// The whole file as it would be written.
pub(crate) fn config(plan: &Plan) -> raw::Config {
    let listen = |address: std::net::SocketAddr| Some(raw::Listen { listen: Some(address.to_string()) });
    raw::Config {
        data: Some(plan.data.display().to_string()),
        http: listen(plan.http),
        kafka: listen(plan.kafka),
        log: Some(raw::Logging {
            format: Some(match plan.log.format {
                LogFormat::Text => "text".to_owned(),
                LogFormat::Json => "json".to_owned(),
            }),
            level: Some(plan.log.level.clone()),
            per_minute: Some(plan.log.per_minute),
        }),
        limits: Some(raw::Limits {
            body: Some(show_size(plan.limits.body_bytes_max as u64)),
            headers: Some(show_size(plan.limits.headers_bytes_max as u64)),
            batch_events: u32::try_from(plan.limits.batch_events_max).ok(),
            requests: u32::try_from(plan.limits.requests_max).ok(),
        }),
        ledger: Some(raw::Ledger { retention: Some(show_duration(plan.ledger_retention)) }),
        publish: Some(raw::Publish { dedup: Some(show_duration(plan.publish_dedup)) }),
        brokers: plan.brokers.iter().map(|b| (b.name.to_string(), brokers::written(b))).collect(),
        intakes: plan.intakes.iter().map(|i| (i.topic.to_string(), intakes::written(i))).collect(),
        topics: plan.topics.iter().map(|t| (t.name.to_string(), Some(declared(t)))).collect(),
        auto_create: Some(raw::AutoCreate {
            allow: plan.auto_create.allow.clone(),
            partitions: Some(plan.auto_create.partitions),
        }),
        subscriptions: plan.subscriptions.iter().map(|s| (s.name.to_string(), subscription(s))).collect(),
        dependencies: plan
            .dependencies
            .iter()
            .map(|(name, policy)| (name.to_string(), Some(raw::Dependency { breaker: Some(breaker(policy)) })))
            .collect(),
        objectives: plan.objectives_from.clone(),
        slas: plan.slas_from.clone(),
        alerts: Some(raw::Alerts {
            webhooks: plan
                .webhooks
                .iter()
                .map(|w| raw::Webhook { name: Some(w.name.clone()), url: Some(w.url.clone()) })
                .collect(),
            receivers: plan.receivers.iter().map(receivers::written).collect(),
            producers: Some(raw::Producers {
                silent: Some(severity(plan.producers.silent)),
                surging: Some(severity(plan.producers.surging)),
            }),
        }),
        chains: plan.chains.iter().map(|c| (c.rule.name.to_string(), chains::written(c))).collect(),
        telemetry: plan.telemetry.as_ref().map(telemetry::written),
        playbooks: match &plan.playbooks_from {
            Some(pattern) => Some(raw::Playbooks::Files(pattern.clone())),
            None if plan.playbooks.is_empty() => None,
            None => Some(raw::Playbooks::Inline(plan.playbooks.iter().map(|p| p.written.clone()).collect())),
        },
        handlers: Some(raw::Handlers { allow: plan.allow.clone(), callback: plan.callback.clone() }),
    }
}

fn severity(severity: Option<evenkeel_watch::Severity>) -> String {
    severity.map_or("off", evenkeel_watch::Severity::name).to_owned()
}

/// A topic of the file as it is written.
fn declared(plan: &TopicPlan) -> raw::Topic {
    raw::Topic {
        identity: plan.identity.as_ref().map(pick),
        sequence: plan.sequence.as_ref().map(|(at, keys)| sequence(at, *keys)),
        ..topic(&plan.settings)
    }
}

/// The settings of a topic as they are written.
pub(crate) fn topic(settings: &TopicSettings) -> raw::Topic {
    let kept = settings.retention;
    let (cleanup, compact) = match settings.cleanup {
        Cleanup::Delete => ("delete", None),
        Cleanup::Compact { dirty_percent, delete_retention, min_lag } => {
            let compact = raw::Compact {
                dirty_ratio: Some(f64::from(dirty_percent) / 100.0),
                delete_retention: Some(show_duration(delete_retention)),
                min_lag: Some(show_duration(min_lag)),
            };
            ("compact", Some(compact))
        }
    };
    raw::Topic {
        partitions: Some(settings.partitions),
        retention: Some(raw::Retention {
            age: kept.age.map(show_duration),
            size: kept.bytes.map(show_size),
            limit: kept.limit.map(show_size),
            at_limit: kept.limit.map(|_| at_limit(kept.at_limit).to_owned()),
        }),
        identity: None,
        sequence: None,
        cleanup: Some(cleanup.to_owned()),
        compact,
    }
}

fn at_limit(choice: AtLimit) -> &'static str {
    match choice {
        AtLimit::Refuse => "refuse",
        AtLimit::Expire => "expire",
    }
}

/// A subscription as it is written.
pub(crate) fn subscription(plan: &SubscriptionPlan) -> raw::Subscription {
    let policy = &plan.policy;
    raw::Subscription {
        topic: Some(plan.topic.to_string()),
        uid: Some(plan.uid.clone()),
        filter: plan.filter_written.clone(),
        handler: Some(raw::Handler {
            http: plan.bridge.is_none().then(|| push::written(&plan.push, policy.timeout)),
            publish: plan.bridge.as_ref().map(|_| plan.push.shown()),
            mirror: plan.mirror.then_some(true),
            version: (!policy.handler_version.is_empty()).then(|| policy.handler_version.to_string()),
        }),
        order: Some(order(policy.order).to_owned()),
        retry: Some(raw::Retry {
            attempts: Some(policy.retry.attempts),
            initial: Some(show_duration(policy.retry.initial)),
            factor: Some(policy.retry.factor),
            max: Some(show_duration(policy.retry.max)),
            age: Some(show_duration(policy.retry.age)),
            inline: Some(show_duration(policy.retry.inline)),
        }),
        depends_on: policy.depends_on.iter().map(|(name, _)| name.to_string()).collect(),
        breaker: Some(breaker(&policy.handler_breaker)),
        when_exhausted: Some(exhausted(policy.when_exhausted).to_owned()),
        from: from(&plan.from),
        effects: Some(raw::Effects {
            mode: Some(effects(policy.effects).to_owned()),
            topic: plan.effects_topic.as_ref().map(ToString::to_string),
        }),
        identity: plan.identity.as_ref().map(pick),
        sequence: plan.sequence.as_ref().map(|at| sequence(at, policy.versions)),
        concurrency: Some(raw::Concurrency {
            min: Some(policy.concurrency.min),
            max: Some(policy.concurrency.max),
            bytes: Some(show_size(policy.concurrency.bytes)),
        }),
        fallback: policy.fallback.zip(plan.fallback.as_ref()).map(|(fallback, to)| falls_back(fallback.after, to)),
        freshness: Some(freshness(policy.freshness).to_owned()),
        backlog: policy.backlog.map(show_duration),
        inbox: Some(show_duration(policy.inbox)),
        dead_letter_budget: Some(raw::DeadLetterBudget {
            run: Some(policy.dead_budget.run),
            share: Some(policy.dead_budget.share),
            min: Some(policy.dead_budget.min),
            window: Some(show_duration(policy.dead_budget.window)),
        }),
        rate: policy.rate.map(|rate| show_rate(rate.per_second)),
        burst: policy.rate.map(|rate| rate.burst),
        retry_budget: Some(raw::RetryBudget {
            share: Some(policy.retry_budget.share),
            min: Some(show_rate(policy.retry_budget.min_per_second)),
        }),
        parking: Some(raw::Parking {
            keys: u32::try_from(policy.parking.keys).ok(),
            per_key: u32::try_from(policy.parking.per_key).ok(),
            held: Some(show_size(policy.parking.held)),
            slow_after: Some(show_duration(policy.parking.slow_after)),
        }),
    }
}

fn sequence(at: &Pick, keys: usize) -> written::Sequence {
    let written::Pick { attribute, header, pointer } = pick(at);
    written::Sequence { attribute, header, pointer, keys: u32::try_from(keys).ok() }
}

fn pick(pick: &Pick) -> written::Pick {
    let none = written::Pick::default();
    match pick.clone() {
        Pick::Attribute(name) => written::Pick { attribute: Some(name), ..none },
        Pick::Header(name) => written::Pick { header: Some(name), ..none },
        Pick::Pointer(pointer) => written::Pick { pointer: Some(pointer), ..none },
    }
}

fn falls_back(after: Duration, to: &FallbackPlan) -> raw::Fallback {
    let (handler, topic) = match to {
        FallbackPlan::Topic(topic) => (None, Some(topic.to_string())),
        FallbackPlan::Handler(to) => {
            let http = raw::push::HttpHandler { timeout: None, ..push::written(to, Duration::ZERO) };
            (Some(raw::Handler { http: Some(http), ..raw::Handler::default() }), None)
        }
    };
    raw::Fallback { handler, topic, after: Some(show_duration(after)) }
}

fn freshness(freshness: Freshness) -> &'static str {
    match freshness {
        Freshness::Fifo => "fifo",
        Freshness::LifoWhenBacklogged { .. } => "lifo_when_backlogged",
    }
}

fn breaker(policy: &BreakerPolicy) -> raw::Breaker {
    raw::Breaker {
        window: Some(show_duration(policy.window)),
        min_calls: Some(policy.min_calls),
        failure_ratio: Some(policy.failure_ratio),
        consecutive: Some(policy.consecutive),
        open: Some(show_duration(policy.open)),
        open_max: Some(show_duration(policy.longest_open())),
        slow_call: policy.slow_call.map(show_duration),
        slow_ratio: policy.slow_call.map(|_| policy.slow_ratio),
    }
}

fn order(order: Order) -> &'static str {
    match order {
        Order::Key => "key",
        Order::Partition => "partition",
        Order::None => "none",
    }
}

fn exhausted(choice: Exhausted) -> &'static str {
    match choice {
        Exhausted::Skip => "skip",
        Exhausted::ParkKey => "park_key",
        Exhausted::Pause => "pause",
    }
}

pub(super) fn effects(mode: Effects) -> &'static str {
    match mode {
        Effects::None => "none",
        Effects::Fenced => "fenced",
        Effects::Log => "log",
    }
}

fn from(from: &From) -> Option<Value> {
    Some(match from {
        From::Default => return None,
        From::Earliest => "earliest".into(),
        From::Latest => "latest".into(),
        From::Time(at) => evenkeel_cloudevents::time::format_rfc3339(*at).into(),
        From::Offset(offset) => (*offset).into(),
        From::Offsets(offsets) => {
            let written = |(partition, offset): (&u32, &u64)| (partition.to_string(), Value::from(*offset));
            Value::Object(offsets.iter().map(written).collect())
        }
    })
}
