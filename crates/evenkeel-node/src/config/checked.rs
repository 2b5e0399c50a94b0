//! From the raw form to the plan: defaults filled in, units read, names resolved.

pub(super) mod topic;
pub(super) mod subscription;
mod begin;
mod bridge;
mod filter;
mod breaker;
pub(super) mod gate;
mod fallback;
mod pick;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::BreakerPolicy;
use evenkeel_transport::Reach;
use evenkeel_watch::Severity;

use super::plan::{AutoCreate, Limits, LogFormat, Logging, Plan, ProducerAlerts, Webhook};
use super::{
    addresses, brokers, chains, intakes, nearest, objectives, playbooks, raw, receivers, slas, telemetry, units,
};
use crate::error::{Error, codes};

/// The plan of a raw form.
pub(super) fn check(raw: raw::Config, folder: &Path) -> Result<Plan, Error> {
    let topics = raw
        .topics
        .into_iter()
        .map(|(n, t)| topic::declared(&n, t.unwrap_or_default()))
        .collect::<Result<Vec<_>, _>>()?;
    let dependencies = raw
        .dependencies
        .into_iter()
        .map(|(n, d)| {
            let at = format!("dependencies.{n}.breaker");
            Ok((Arc::from(n), breaker::read(&at, d.unwrap_or_default().breaker.unwrap_or_default())?))
        })
        .collect::<Result<Vec<(Arc<str>, BreakerPolicy)>, Error>>()?;
    let raw::Handlers { allow, callback } = raw.handlers.unwrap_or_default();
    let reach = Reach::new(&allow).map_err(|why| value("handlers.allow", why))?;
    let raw::Alerts { webhooks: hooks, receivers, producers } = raw.alerts.unwrap_or_default();
    let brokers = raw
        .brokers
        .into_iter()
        .map(|(n, b)| Ok(Arc::new(brokers::read(&n, b, folder)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    let intakes = intakes::all(raw.intakes, &brokers, &topics)?;
    let mut plan = Plan {
        brokers,
        intakes,
        data: folder.join(raw.data.as_deref().unwrap_or("evenkeel-data")),
        http: addresses::listen("http.listen", or(&raw.http.and_then(|l| l.listen), "127.0.0.1:8080"))?,
        kafka: addresses::listen("kafka.listen", or(&raw.kafka.and_then(|l| l.listen), "127.0.0.1:9092"))?,
        log: logging(raw.log.unwrap_or_default())?,
        limits: limits(&raw.limits.unwrap_or_default())?,
        ledger_retention: positive(
            "ledger.retention",
            duration("ledger.retention", &raw.ledger.and_then(|l| l.retention), LEDGER_RETENTION)?,
        )?,
        publish_dedup: duration("publish.dedup", &raw.publish.and_then(|p| p.dedup), Duration::from_secs(86_400))?,
        topics,
        auto_create: auto_create(raw.auto_create.unwrap_or_default())?,
        subscriptions: Vec::new(),
        dependencies,
        objectives_from: raw.objectives,
        objectives: Vec::new(),
        refused: Vec::new(),
        slas_from: raw.slas,
        agreements: Vec::new(),
        webhooks: webhooks(hooks, &reach)?,
        receivers: receivers::read(receivers, &reach, folder)?,
        chains: Vec::new(),
        telemetry: telemetry::read(raw.telemetry, folder)?,
        producers: producer_alerts(&producers.unwrap_or_default())?,
        playbooks_from: None,
        playbooks: Vec::new(),
        callback: callback.map(|url| own_url("handlers.callback", &url)).transpose()?,
        reach,
        allow,
    };
    plan.chains = chains::read(raw.chains, &plan)?;
    plan.subscriptions = subscription::all(raw.subscriptions, &plan, folder)?;
    if let Some(pattern) = &plan.objectives_from {
        let read = objectives::load(pattern, folder, &plan.subscriptions, &plan.chains)?;
        (plan.objectives, plan.refused) = (read.objectives, read.findings);
        objectives::into_policies(&plan.objectives, &mut plan.subscriptions);
    }
    slas::load(folder, &mut plan)?;
    healing(raw.playbooks, folder, &mut plan)?;
    Ok(plan)
}

fn healing(raw: Option<raw::Playbooks>, folder: &Path, plan: &mut Plan) -> Result<(), Error> {
    match raw {
        Some(raw::Playbooks::Files(pattern)) => {
            plan.playbooks = playbooks::load(&pattern, folder, plan)?;
            plan.playbooks_from = Some(pattern);
        }
        Some(raw::Playbooks::Inline(written)) => plan.playbooks = playbooks::inline(written, plan)?,
        None => {}
    }
    Ok(())
}

/// A URL without a path: others put theirs behind it.
fn own_url(key: &str, text: &str) -> Result<String, Error> {
    let url = addresses::callee(key, text, &Reach::default())?;
    let url = url.trim_end_matches('/');
    if url.matches('/').count() > 2 || url.contains('?') {
        return Err(value(key, format!("`{text}` has a path")).hint("write it like `http://10.0.0.5:8080`"));
    }
    Ok(url.to_owned())
}

/// How long the ledger and the journal are kept, unless the file says so.
const LEDGER_RETENTION: Duration = Duration::from_secs(30 * 86_400);

/// Lines of one kind that are written within a minute, unless the file says so.
const LINES_PER_MINUTE: u32 = 60;

fn logging(raw: raw::Logging) -> Result<Logging, Error> {
    let format = match or(&raw.format, "text") {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        other => return Err(choice("log.format", other, &["text", "json"])),
    };
    let level = raw.level.unwrap_or_else(|| "info".to_owned());
    level
        .parse::<tracing_subscriber::filter::Targets>()
        .map_err(|e| value("log.level", format!("`{level}` is not a filter: {e}")))?;
    Ok(Logging { format, level, per_minute: raw.per_minute.unwrap_or(LINES_PER_MINUTE) })
}

fn limits(raw: &raw::Limits) -> Result<Limits, Error> {
    let default = Limits::default();
    let bytes = |key: &str, text: &Option<String>, default: usize, max: u64| -> Result<usize, Error> {
        let Some(text) = text else { return Ok(default) };
        let read = parse(key, text, units::size)?;
        if read == 0 || read > max {
            return Err(value(key, format!("`{text}` is not between 1B and {}", units::show_size(max))));
        }
        Ok(usize::try_from(read).unwrap_or(default))
    };
    let count = |key: &str, number: Option<u32>, default: usize| match number {
        Some(0) => Err(value(key, "0 would refuse everything")),
        Some(n) => Ok(n as usize),
        None => Ok(default),
    };
    Ok(Limits {
        body_bytes_max: bytes("limits.body", &raw.body, default.body_bytes_max, 7 << 20)?,
        headers_bytes_max: bytes("limits.headers", &raw.headers, default.headers_bytes_max, 1 << 20)?.max(8 << 10),
        batch_events_max: count("limits.batch_events", raw.batch_events, default.batch_events_max)?,
        requests_max: count("limits.requests", raw.requests, default.requests_max)?,
    })
}

fn producer_alerts(raw: &raw::Producers) -> Result<ProducerAlerts, Error> {
    let severity = |key: &str, text: &Option<String>| match or(text, "off") {
        "off" => Ok(None),
        "ticket" => Ok(Some(Severity::Ticket)),
        "page" => Ok(Some(Severity::Page)),
        other => Err(choice(&format!("alerts.producers.{key}"), other, &["page", "ticket", "off"])),
    };
    Ok(ProducerAlerts { silent: severity("silent", &raw.silent)?, surging: severity("surging", &raw.surging)? })
}

fn auto_create(raw: raw::AutoCreate) -> Result<AutoCreate, Error> {
    let partitions = raw.partitions.unwrap_or(4);
    if !(1..=10_000).contains(&partitions) {
        return Err(value("auto_create.partitions", format!("{partitions} is not between 1 and 10000")));
    }
    Ok(AutoCreate { allow: raw.allow, partitions })
}

fn webhooks(raw: Vec<raw::Webhook>, reach: &Reach) -> Result<Vec<Webhook>, Error> {
    let mut seen = BTreeMap::new();
    for (i, hook) in raw.into_iter().enumerate() {
        let at = format!("alerts.webhooks[{i}]");
        let name = hook.name.unwrap_or_else(|| format!("webhook-{}", i + 1));
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') || name.is_empty() {
            return Err(value(&format!("{at}.name"), format!("`{name}`: a name is of a-z, A-Z, 0-9 and `-`")));
        }
        let url = hook.url.ok_or_else(|| value(&format!("{at}.url"), "is missing"))?;
        let url = addresses::callee(&format!("{at}.url"), &url, reach)?;
        if seen.insert(name.clone(), url).is_some() {
            return Err(value(&format!("{at}.name"), format!("`{name}` is there twice")));
        }
    }
    Ok(seen.into_iter().map(|(name, url)| Webhook { name, url }).collect())
}

pub(super) fn or<'a>(text: &'a Option<String>, default: &'a str) -> &'a str {
    text.as_deref().unwrap_or(default)
}

pub(super) fn duration(key: &str, text: &Option<String>, default: Duration) -> Result<Duration, Error> {
    text.as_ref().map_or(Ok(default), |t| parse(key, t, units::duration))
}

pub(super) fn positive(key: &str, duration: Duration) -> Result<Duration, Error> {
    if duration.is_zero() { Err(value(key, "must be more than 0")) } else { Ok(duration) }
}

pub(super) fn parse<T>(key: &str, text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, Error> {
    read(text).map_err(|why| value(key, why))
}

pub(super) fn value(key: &str, why: impl std::fmt::Display) -> Error {
    Error::new(codes::CONFIG_VALUE, format!("`{key}`: {why}"))
}

pub(super) fn choice(key: &str, wrong: &str, right: &[&str]) -> Error {
    let error = value(key, format!("`{wrong}` is none of {}", right.join(", ")));
    match nearest(wrong, right.iter().copied()) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error,
    }
}

pub(super) fn unknown(key: &str, kind: &str, wrong: &str, known: &[&str]) -> Error {
    let error = Error::new(codes::CONFIG_UNKNOWN_NAME, format!("`{key}`: there is no {kind} `{wrong}`"));
    match nearest(wrong, known.iter().copied()) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None if known.is_empty() => error.hint(format!("no {kind} is declared")),
        None => error.hint(format!("there are: {}", known.join(", "))),
    }
}
