//! What is sent to an OpenTelemetry Collector: checked, written back, said in words.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use evenkeel_transport::Reach;
use evenkeel_transport::trace::Sampling;

use super::addresses;
use super::checked::{choice, duration, or, positive, value};
use super::push::SecretFrom;
use super::raw::telemetry as raw;
use super::units::show_duration;
use crate::error::Error;

/// An OpenTelemetry Collector.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// Where it takes OTLP, without a path.
    pub endpoint: String,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Headers that go along, and where their values stand.
    pub headers: BTreeMap<String, SecretFrom>,
    /// What is sent.
    pub signals: Vec<Signal>,
    /// Which traces are kept.
    pub sampling: Sampling,
    /// How often metrics are sent.
    pub interval: Duration,
    /// Spans, and log lines, that may wait.
    pub queue: usize,
    /// How long a request may take.
    pub timeout: Duration,
    /// What the node is called there.
    pub service: String,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 with protobuf.
    Http,
    /// gRPC.
    Grpc,
}

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Counts and durations.
    Metrics,
    /// Log lines.
    Logs,
}

impl Signal {
    /// All there are.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }
}

pub(super) fn read(raw: Option<raw::Telemetry>, folder: &Path) -> Result<Option<Otlp>, Error> {
    raw.and_then(|telemetry| telemetry.otlp).map(|raw| otlp(raw, folder)).transpose()
}

fn otlp(raw: raw::Otlp, folder: &Path) -> Result<Otlp, Error> {
    let key = |name: &str| format!("telemetry.otlp.{name}");
    let endpoint = raw.endpoint.ok_or_else(|| {
        value(&key("endpoint"), "is missing")
            .hint("write it like `http://127.0.0.1:4318`, for gRPC `http://127.0.0.1:4317`")
    })?;
    let endpoint = addresses::callee(&key("endpoint"), &endpoint, &Reach::default())?;
    if endpoint.trim_end_matches('/').matches('/').count() > 2 {
        return Err(value(&key("endpoint"), format!("`{endpoint}` has a path; `/v1/traces` is added here")));
    }
    let protocol = match or(&raw.protocol, "http") {
        "http" => Protocol::Http,
        "grpc" => Protocol::Grpc,
        other => return Err(choice(&key("protocol"), other, &["http", "grpc"])),
    };
    let header = |(name, from): (String, super::raw::push::Secret)| {
        let at = key(&format!("headers.{name}"));
        http::HeaderName::try_from(&name).map_err(|_| value(&at, "is no name of a header"))?;
        Ok((name, SecretFrom::read_from(&at, &from, folder)?))
    };
    let queue = raw.queue.unwrap_or(8_192);
    if !(512..=1_000_000).contains(&queue) {
        return Err(value(&key("queue"), format!("{queue} is not between 512 and 1000000")));
    }
    Ok(Otlp {
        endpoint,
        protocol,
        headers: raw.headers.into_iter().map(header).collect::<Result<_, Error>>()?,
        signals: raw.signals.map_or(Ok(Signal::ALL.to_vec()), |names| signals(&key("signals"), &names))?,
        sampling: Sampling { share: share(&key("sample"), or(&raw.sample, "1%"))?, follow: raw.follow.unwrap_or(true) },
        interval: positive(&key("interval"), duration(&key("interval"), &raw.interval, Duration::from_secs(15))?)?,
        queue: queue as usize,
        timeout: positive(&key("timeout"), duration(&key("timeout"), &raw.timeout, Duration::from_secs(10))?)?,
        service: raw.service.unwrap_or_else(|| "evenkeel".to_owned()),
    })
}

fn signals(key: &str, names: &[String]) -> Result<Vec<Signal>, Error> {
    let all = Signal::ALL.map(Signal::name);
    let of = |name: &String| {
        Signal::ALL.into_iter().find(|signal| signal.name() == name).ok_or_else(|| choice(key, name, &all))
    };
    names.iter().map(of).collect()
}

/// `1%`, `0.5 %` or `100%`.
fn share(key: &str, text: &str) -> Result<f64, Error> {
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match percent.filter(|percent| (0.0..=100.0).contains(percent)) {
        Some(percent) => Ok(percent / 100.0),
        None => Err(value(key, format!("`{text}` is no share: write `1%`, between `0%` and `100%`"))),
    }
}

/// The form that is written, with every default filled in.
pub(super) fn written(otlp: &Otlp) -> raw::Telemetry {
    let protocol = match otlp.protocol {
        Protocol::Http => "http",
        Protocol::Grpc => "grpc",
    };
    raw::Telemetry {
        otlp: Some(raw::Otlp {
            endpoint: Some(otlp.endpoint.clone()),
            protocol: Some(protocol.to_owned()),
            headers: otlp.headers.iter().map(|(name, from)| (name.clone(), from.written())).collect(),
            signals: Some(otlp.signals.iter().map(|signal| signal.name().to_owned()).collect()),
            sample: Some(format!("{}%", otlp.sampling.share * 100.0)),
            follow: Some(otlp.sampling.follow),
            interval: Some(show_duration(otlp.interval)),
            queue: u32::try_from(otlp.queue).ok(),
            timeout: Some(show_duration(otlp.timeout)),
            service: Some(otlp.service.clone()),
        }),
    }
}

/// What is sent, in words.
pub(super) fn explain(otlp: &Otlp) -> String {
    let protocol = match otlp.protocol {
        Protocol::Http => "HTTP",
        Protocol::Grpc => "gRPC",
    };
    let signals: Vec<&str> = otlp.signals.iter().map(|signal| signal.name()).collect();
    let follow = if otlp.sampling.follow { ", and those whose traceparent says so," } else { "" };
    format!(
        "By OTLP over {protocol} {} go to {}. {} % of the traces{follow} are kept, and the whole story of every event that fails. What finds the queue of {} full is dropped and counted; nobody waits.",
        signals.join(", "),
        otlp.endpoint,
        otlp.sampling.share * 100.0,
        otlp.queue,
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config;

    fn read(otlp: &str) -> Result<config::Plan, crate::error::Error> {
        config::parse(&format!("telemetry: {{ otlp: {{ {otlp} }} }}\n"), Path::new("/etc"))
    }

    #[test]
    fn what_is_sent_is_explained_and_written_back_and_no_secret_is_shown() {
        let plan = read("endpoint: \"https://otel.internal:4317\", protocol: grpc, headers: { authorization: { env: TOKEN } }, sample: 0.5%, signals: [ traces, logs ]").unwrap();
        let words = config::explain(&plan);
        assert!(words.contains("By OTLP over gRPC traces, logs go to https://otel.internal:4317. 0.5 % of the traces, and those whose traceparent says so, are kept"), "{words}");
        let written = config::effective(&plan);
        assert_eq!(config::parse(&written, Path::new("/etc")).unwrap().telemetry, plan.telemetry, "{written}");
        assert!(read("endpoint: \"http://127.0.0.1:4318\"").unwrap().telemetry.is_some());
        assert!(config::parse("", Path::new("/etc")).unwrap().telemetry.is_none(), "nothing is sent by default");
    }

    #[test]
    fn what_is_wrong_is_refused_with_field_value_and_rule() {
        for (otlp, says) in [
            ("protocol: http", "telemetry.otlp.endpoint`: is missing"),
            ("endpoint: \"http://h:4318/v1/traces\"", "telemetry.otlp.endpoint`: `http://h:4318/v1/traces` has a path"),
            ("endpoint: \"http://h\", protocol: tcp", "telemetry.otlp.protocol`: `tcp` is none of http, grpc"),
            ("endpoint: \"http://h\", sample: 101%", "telemetry.otlp.sample`: `101%` is no share"),
            ("endpoint: \"http://h\", sample: \"0.1\"", "telemetry.otlp.sample`: `0.1` is no share"),
            ("endpoint: \"http://h\", signals: [ trace ]", "telemetry.otlp.signals`: `trace` is none of"),
            ("endpoint: \"http://h\", queue: 1", "telemetry.otlp.queue`: 1 is not between 512"),
            ("endpoint: \"http://h\", interval: 0s", "telemetry.otlp.interval`: must be more than 0"),
            ("endpoint: \"http://h\", headers: { \"a b\": { env: X } }", "telemetry.otlp.headers.a b`: is no name"),
            ("endpoint: \"http://h\", headers: { a: {} }", "telemetry.otlp.headers.a`: names no place"),
        ] {
            let error = read(otlp).unwrap_err();
            assert!(error.message.contains(says), "{otlp}: {error}");
        }
    }
}
