//! Brokers that the node works over, and addresses of topics there: `kafka://main/orders`.
//!
//! Checked, written back, said in words. Nothing is connected here, and secrets are named, never held.

pub mod aws;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::checked::{choice, duration, or, positive, unknown, value};
use super::push::{FileAt, SecretFrom};
use super::raw::brokers as raw;
use super::raw::push as raw_push;
use super::units::show_duration;
use crate::error::Error;

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerPlan {
    /// What it is called here.
    pub name: Arc<str>,
    /// What it is.
    pub kind: BrokerKind,
    /// Where it is: what stands behind the scheme.
    pub address: String,
    /// What of it is AWS's alone.
    pub aws: aws::Place,
    /// TLS, with the system's roots or those of a file.
    pub tls: Option<Option<FileAt>>,
    /// Who we are.
    pub sasl: Option<Sasl>,
    /// True: Azure Event Hubs, with its limits.
    pub event_hubs: bool,
    /// True: the broker shares partitions out (KIP-848); false: the members do.
    pub broker_groups: bool,
    /// Who is not heard of for so long is taken for dead.
    pub session: Duration,
    /// How long handlers may finish when a partition is asked back.
    pub grace: Duration,
    /// Whether topics beside the source are made where they are missing.
    pub create_topics: bool,
    /// Properties of the client library.
    pub properties: Vec<(String, String)>,
}

/// What a broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerKind {
    /// Apache Kafka, or what speaks its protocol.
    Kafka,
    /// NATS, with JetStream.
    Nats,
    /// RabbitMQ.
    RabbitMq,
    /// AWS, with SQS and SNS.
    Aws,
}

impl BrokerKind {
    /// All of them, with the schemes of their URLs.
    pub const ALL: [(BrokerKind, &'static str); 4] = [
        (BrokerKind::Kafka, "kafka"),
        (BrokerKind::Nats, "nats"),
        (BrokerKind::RabbitMq, "amqp"),
        (BrokerKind::Aws, "aws"),
    ];

    /// As one says it.
    pub fn name(self) -> &'static str {
        match self {
            BrokerKind::Kafka => "Kafka",
            BrokerKind::Nats => "NATS",
            BrokerKind::RabbitMq => "RabbitMQ",
            BrokerKind::Aws => "AWS",
        }
    }

    /// The scheme of its URLs and addresses.
    pub fn scheme(self) -> &'static str {
        BrokerKind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, scheme)| scheme)
    }
}

/// How we say who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// A name and a password: `plain`, `scram-sha-256` or `scram-sha-512`.
    Password {
        /// How the password is shown.
        mechanism: &'static str,
        /// The name.
        user: String,
        /// Where the password stands.
        password: SecretFrom,
    },
    /// `oauthbearer`, with the token in a file.
    Token(FileAt),
    /// A token that whoever may come in has (NATS).
    Shared(SecretFrom),
}

/// A topic at a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The broker.
    pub broker: Arc<BrokerPlan>,
    /// What it calls the topic.
    pub topic: Arc<str>,
}

const MECHANISMS: [&str; 3] = ["plain", "scram-sha-256", "scram-sha-512"];
/// Hosts that end so are Event Hubs.
const EVENT_HUBS: &str = ".servicebus.windows.net";

/// The broker of that name.
pub(super) fn read(name: &str, raw: raw::Broker, folder: &Path) -> Result<BrokerPlan, Error> {
    let key = |what: &str| format!("brokers.{name}.{what}");
    let url = raw
        .url
        .as_deref()
        .ok_or_else(|| value(&key("url"), "is missing").hint("write where it is, as `url: kafka://127.0.0.1:9092`"))?;
    let (kind, address) = located(&key("url"), url)?;
    if kind != BrokerKind::Kafka {
        of_kafka_alone(name, kind, &raw)?;
    }
    let aws = aws::read(name, kind, &raw)?;
    let guessed = if address.contains(EVENT_HUBS) { "event_hubs" } else { "kafka" };
    let event_hubs = match or(&raw.flavour, guessed) {
        "kafka" => false,
        "event_hubs" => true,
        other => return Err(choice(&key("flavour"), other, &["kafka", "event_hubs"])),
    };
    let broker_groups = match or(&raw.groups, "classic") {
        "classic" => false,
        "consumer" => true,
        other => return Err(choice(&key("groups"), other, &["classic", "consumer"])),
    };
    let plan = BrokerPlan {
        name: Arc::from(name),
        kind,
        address,
        aws,
        tls: raw.tls.map(|tls| tls.roots.map(|written| file_at(written, folder))),
        sasl: sasl(name, kind, raw.sasl, raw.user, raw.password, raw.token, folder)?,
        event_hubs,
        broker_groups,
        session: positive(&key("session"), duration(&key("session"), &raw.session, Duration::from_secs(45))?)?,
        grace: duration(&key("grace"), &raw.grace, Duration::from_secs(30))?,
        create_topics: raw.create_topics.unwrap_or(true),
        properties: raw.properties.into_iter().collect(),
    };
    if plan.event_hubs && (plan.tls.is_none() || plan.sasl.is_none()) {
        return Err(value(&key("tls"), "Event Hubs speaks TLS only, to those who say who they are").hint(
            "write `tls: {}`, `user: $ConnectionString` and `password: { env: EVENT_HUBS_CONNECTION_STRING }`, or `sasl: oauthbearer` with `token: { file: … }`",
        ));
    }
    Ok(plan)
}

/// Refuses keys that mean nothing for another broker.
fn of_kafka_alone(name: &str, kind: BrokerKind, raw: &raw::Broker) -> Result<(), Error> {
    let keys = [
        ("sasl", raw.sasl.is_some()),
        ("token", raw.token.is_some() && kind != BrokerKind::Nats),
        ("flavour", raw.flavour.is_some()),
        ("groups", raw.groups.is_some()),
        ("session", raw.session.is_some()),
        ("grace", raw.grace.is_some()),
        ("create_topics", raw.create_topics.is_some()),
        ("properties", !raw.properties.is_empty()),
    ];
    match keys.iter().find(|(_, there)| *there) {
        Some((key, _)) => {
            Err(value(&format!("brokers.{name}.{key}"), format!("is for Kafka, and this is {}", kind.name())))
        }
        None => Ok(()),
    }
}

fn located(key: &str, url: &str) -> Result<(BrokerKind, String), Error> {
    let (scheme, address) = url
        .split_once("://")
        .ok_or_else(|| value(key, format!("`{url}` names no kind")).hint("write it like `kafka://127.0.0.1:9092`"))?;
    let schemes = BrokerKind::ALL.map(|(_, scheme)| scheme);
    let kind = BrokerKind::ALL.iter().find(|(_, known)| *known == scheme).map(|(kind, _)| *kind);
    let kind = kind.ok_or_else(|| choice(key, scheme, &schemes))?;
    if address.contains('@') {
        return Err(value(key, "has credentials in it").hint("write them as `user` and `password: { env: … }`"));
    }
    let address = address.trim_end_matches('/');
    if kind == BrokerKind::Aws {
        return Ok((kind, aws::region(key, address)?));
    }
    let hosts: Vec<&str> = address.split(',').map(str::trim).collect();
    let bad = hosts
        .iter()
        .find(|host| host.rsplit_once(':').is_none_or(|(name, port)| name.is_empty() || port.parse::<u16>().is_err()));
    match bad {
        Some(host) => Err(value(key, format!("`{host}` is not `host:port`"))),
        None => Ok((kind, hosts.join(","))),
    }
}

fn sasl(
    name: &str,
    kind: BrokerKind,
    mechanism: Option<String>,
    user: Option<String>,
    password: Option<raw_push::Secret>,
    token: Option<raw_push::Secret>,
    folder: &Path,
) -> Result<Option<Sasl>, Error> {
    let key = |what: &str| format!("brokers.{name}.{what}");
    if mechanism.as_deref() == Some("oauthbearer") {
        let file = token.and_then(|token| token.file);
        let file = file.ok_or_else(|| {
            value(&key("token"), "is missing")
                .hint("write `token: { file: ./token }`; the file is read again before the token expires")
        })?;
        return Ok(Some(Sasl::Token(file_at(file, folder))));
    }
    if let Some(token) = token.filter(|_| kind == BrokerKind::Nats) {
        if user.is_some() || password.is_some() {
            return Err(value(&key("token"), "takes the place of a user and a password").hint("write one or the other"));
        }
        return Ok(Some(Sasl::Shared(secret_from(&key("token"), token, "NATS_TOKEN", folder)?)));
    }
    let (user, password) = match (user, password) {
        (None, None) if mechanism.is_none() => return Ok(None),
        (Some(user), Some(password)) => (user, password),
        _ => {
            let example = example(kind);
            return Err(value(&key("password"), "a user and a password go together")
                .hint(format!("write `user: evenkeel` and `password: {{ env: {example} }}`")));
        }
    };
    let written = or(&mechanism, "plain");
    let mechanism = MECHANISMS.iter().find(|known| **known == written);
    let mechanism = mechanism
        .ok_or_else(|| choice(&key("sasl"), written, &["plain", "scram-sha-256", "scram-sha-512", "oauthbearer"]))?;
    let password = secret_from(&key("password"), password, example(kind), folder)?;
    Ok(Some(Sasl::Password { mechanism, user, password }))
}

/// A variable's name, as an example.
fn example(kind: BrokerKind) -> &'static str {
    match kind {
        BrokerKind::Kafka => "KAFKA_PASSWORD",
        BrokerKind::Nats => "NATS_PASSWORD",
        BrokerKind::RabbitMq => "RABBIT_PASSWORD",
        BrokerKind::Aws => "AWS_SECRET_ACCESS_KEY",
    }
}

fn secret_from(key: &str, written: raw_push::Secret, example: &str, folder: &Path) -> Result<SecretFrom, Error> {
    match (written.env, written.file) {
        (Some(name), None) => Ok(SecretFrom::Env(name)),
        (None, Some(written)) => Ok(SecretFrom::File(file_at(written, folder))),
        _ => Err(value(key, "names no place, or two")
            .hint(format!("write `{{ env: {example} }}` or `{{ file: ./secret }}`"))),
    }
}

fn file_at(written: String, folder: &Path) -> FileAt {
    let path = folder.join(&written);
    FileAt { written, path }
}

/// The topic that an address names; `None`: it's a topic of the node's own log.
pub(super) fn home(key: &str, topic: &str, brokers: &[Arc<BrokerPlan>]) -> Result<Option<Home>, Error> {
    let Some((scheme, rest)) = topic.split_once("://") else { return Ok(None) };
    let form = || value(key, format!("`{topic}` is no address of a topic")).hint("write it like `kafka://main/orders`");
    let (broker, name) = rest.split_once('/').ok_or_else(form)?;
    if name.is_empty() {
        return Err(form());
    }
    let known: Vec<&str> = brokers.iter().map(|b| &*b.name).collect();
    let found = brokers.iter().find(|b| *b.name == *broker);
    let found = found.ok_or_else(|| unknown(key, "broker", broker, &known))?;
    if found.kind.scheme() != scheme {
        let is = found.kind.scheme();
        return Err(value(key, format!("broker `{broker}` speaks {is}, not {scheme}"))
            .hint(format!("write `{is}://{broker}/{name}`")));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if found.kind == BrokerKind::Kafka && (name.len() > 249 || !name.chars().all(legal)) {
        return Err(value(
            key,
            format!("`{name}` is no name of a Kafka topic: 1 to 249 of a-z, A-Z, 0-9, `.`, `_`, `-`"),
        ));
    }
    if found.kind == BrokerKind::Aws {
        aws::target(key, topic, name)?;
    }
    Ok(Some(Home { broker: found.clone(), topic: Arc::from(name) }))
}

/// As it would be written.
pub(super) fn written(plan: &BrokerPlan) -> raw::Broker {
    let secret = |from: &SecretFrom| match from {
        SecretFrom::Env(name) => raw_push::Secret { env: Some(name.clone()), file: None },
        SecretFrom::File(file) => raw_push::Secret { env: None, file: Some(file.written.clone()) },
    };
    let (sasl, user, password, token) = match &plan.sasl {
        None => (None, None, None, None),
        Some(Sasl::Password { mechanism, user, password }) => {
            (Some((*mechanism).to_owned()), Some(user.clone()), Some(secret(password)), None)
        }
        Some(Sasl::Token(file)) => {
            let token = raw_push::Secret { env: None, file: Some(file.written.clone()) };
            (Some("oauthbearer".to_owned()), None, None, Some(token))
        }
        Some(Sasl::Shared(token)) => (None, None, None, Some(secret(token))),
    };
    let url = Some(format!("{}://{}", plan.kind.scheme(), plan.address));
    let tls = plan.tls.as_ref().map(|roots| raw_push::Tls { roots: roots.as_ref().map(|file| file.written.clone()) });
    if plan.kind != BrokerKind::Kafka {
        let aws::Place { endpoint, profile } = plan.aws.clone();
        return raw::Broker { url, tls, user, password, token, endpoint, profile, ..raw::Broker::default() };
    }
    raw::Broker {
        url,
        tls,
        user,
        password,
        token,
        sasl,
        flavour: Some(if plan.event_hubs { "event_hubs" } else { "kafka" }.to_owned()),
        groups: Some(if plan.broker_groups { "consumer" } else { "classic" }.to_owned()),
        session: Some(show_duration(plan.session)),
        grace: Some(show_duration(plan.grace)),
        create_topics: Some(plan.create_topics),
        properties: plan.properties.iter().cloned().collect(),
        ..raw::Broker::default()
    }
}

/// A broker, a sentence a line.
pub(super) fn explain(plan: &BrokerPlan) -> String {
    if plan.kind == BrokerKind::Aws {
        return aws::explain(plan);
    }
    let who = match &plan.sasl {
        None => "says nobody who it is".to_owned(),
        Some(Sasl::Password { user, .. }) if plan.kind != BrokerKind::Kafka => format!("says it is `{user}`"),
        Some(Sasl::Password { mechanism, user, .. }) => format!("says it is `{user}` (SASL {mechanism})"),
        Some(Sasl::Token(file)) => format!("shows the token in {} (SASL oauthbearer)", file.path.display()),
        Some(Sasl::Shared(token)) => format!("shows the token in {}", token.shown()),
    };
    let line = if plan.tls.is_some() { "over TLS" } else { "over a line that anybody can read" };
    let (name, kind, address) = (&plan.name, plan.kind.name(), &plan.address);
    let mut lines = vec![format!("Broker {name}: {kind} at {address}; the node {who}, {line}.")];
    if plan.sasl.is_some() && plan.tls.is_none() {
        lines.push("Whoever listens can read what it says: write `tls: {}` unless the line is yours.".to_owned());
    }
    if plan.kind != BrokerKind::Kafka {
        return lines.join("\n  ");
    }
    lines.push(match plan.create_topics {
        true => "Journals, ledgers and dead letters of its subscriptions are topics there, made where they are missing.".to_owned(),
        false => "Journals, ledgers and dead letters of its subscriptions are topics there; an operator makes them (`check --connect` lists them).".to_owned(),
    });
    lines.push(format!(
        "A node that is not heard of for {} loses its partitions to others; one that is asked for a partition has {} to finish what is at its handlers.",
        show_duration(plan.session),
        show_duration(plan.grace)
    ));
    if plan.event_hubs {
        lines.push("Event Hubs: an event is at most 1 MB; a journal needs transactions and compacted topics, which the Premium and Dedicated tiers have. On Standard and Basic let subscriptions run elsewhere, and bridge.".to_owned());
    }
    lines.join("\n  ")
}

/// What stands in its place, read now. The error names the place, never what stands there.
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "adapters read it, and none is built in"))]
pub(crate) fn secret(key: &str, from: &SecretFrom) -> Result<String, Error> {
    let text = from.look_up(key)?;
    Ok(match from {
        SecretFrom::Env(_) => text,
        SecretFrom::File(_) => text.trim_end_matches(['\r', '\n']).to_owned(),
    })
}

#[cfg(test)]
mod tests;
