//! Brokers that the node works over, and addresses of topics there: `kafka://main/orders`.
//!
//! Checked, written back, said in words. Nothing is connected here, and secrets are named, never held.

pub mod aws;
mod who;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::checked::{choice, duration, or, positive, unknown, value};
use super::push::FileAt;
use super::raw::brokers as raw;
use super::raw::push as raw_push;
use super::units::show_duration;
use crate::error::Error;
use who::{Written, file_at};

pub use who::Sasl;
#[cfg_attr(not(feature = "kafka"), allow(unused_imports, reason = "adapters read it, and none may be built in"))]
pub(crate) use who::secret;

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
    /// Of RabbitMQ: the virtual host; `/` unless it says so.
    pub vhost: String,
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

/// A topic at a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The broker.
    pub broker: Arc<BrokerPlan>,
    /// What it calls the topic.
    pub topic: Arc<str>,
}

/// Hosts that end so are Event Hubs.
const EVENT_HUBS: &str = ".servicebus.windows.net";

/// The broker of that name.
pub(super) fn read(name: &str, raw: raw::Broker, folder: &Path) -> Result<BrokerPlan, Error> {
    let key = |what: &str| format!("brokers.{name}.{what}");
    let url = raw
        .url
        .as_deref()
        .ok_or_else(|| value(&key("url"), "is missing").hint("write where it is, as `url: kafka://127.0.0.1:9092`"))?;
    let (kind, url) = kind_of(&key("url"), url)?;
    let (url, vhost) = vhost(&key("vhost"), kind, url, raw.vhost.clone())?;
    let address = located(&key("url"), kind, url)?;
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
    let said = Written {
        sasl: raw.sasl,
        user: raw.user,
        password: raw.password,
        token: raw.token,
        credentials: raw.credentials,
        nkey: raw.nkey,
    };
    let plan = BrokerPlan {
        name: Arc::from(name),
        kind,
        address,
        aws,
        vhost,
        tls: raw.tls.map(|tls| tls.roots.map(|written| file_at(written, folder))),
        sasl: who::read(name, kind, said, folder)?,
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

/// What a URL names, and what stands behind its scheme.
fn kind_of<'u>(key: &str, url: &'u str) -> Result<(BrokerKind, &'u str), Error> {
    let (scheme, address) = url
        .split_once("://")
        .ok_or_else(|| value(key, format!("`{url}` names no kind")).hint("write it like `kafka://127.0.0.1:9092`"))?;
    let schemes = BrokerKind::ALL.map(|(_, scheme)| scheme);
    let kind = BrokerKind::ALL.iter().find(|(_, known)| *known == scheme).map(|(kind, _)| *kind);
    let hint = match scheme {
        "amqps" => Some("write `amqp://…` and `tls: {}`"),
        "rabbitmq" => Some("write `amqp://…`"),
        "tls" => Some("write `nats://…` and `tls: {}`"),
        _ => None,
    };
    match (kind, hint) {
        (Some(kind), _) => Ok((kind, address)),
        (None, Some(hint)) => Err(value(key, format!("`{scheme}` is none of {}", schemes.join(", "))).hint(hint)),
        (None, None) => Err(choice(key, scheme, &schemes)),
    }
}

/// The hosts of a URL, and the virtual host behind them: `amqp://host:5672/shop`, `/%2f` or nothing for `/`.
fn vhost<'u>(
    key: &str,
    kind: BrokerKind,
    address: &'u str,
    written: Option<String>,
) -> Result<(&'u str, String), Error> {
    if kind != BrokerKind::RabbitMq {
        return match written {
            Some(_) => Err(value(key, format!("is for RabbitMQ, and this is {}", kind.name()))),
            None => Ok((address, String::new())),
        };
    }
    let (hosts, path) = address.split_once('/').unwrap_or((address, ""));
    let path = decoded(path).ok_or_else(|| value(key, format!("`{path}` in the URL is no percent-encoded name")))?;
    match (path.as_str(), written) {
        ("", None) => Ok((hosts, "/".to_owned())),
        ("", Some(vhost)) if vhost.is_empty() => Err(value(key, "is empty").hint("write `/` for the default one")),
        ("", Some(vhost)) => Ok((hosts, vhost)),
        (_, None) => Ok((hosts, path)),
        (path, Some(vhost)) if path == vhost => Ok((hosts, vhost)),
        (path, Some(vhost)) => {
            Err(value(key, format!("is `{vhost}`, and the URL says `{path}`")).hint("write one or the other"))
        }
    }
}

/// `None` for what is no percent-encoded text.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        out.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        out.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(out).ok()
}

fn located(key: &str, kind: BrokerKind, address: &str) -> Result<String, Error> {
    if address.contains('@') {
        return Err(value(key, "has credentials in it").hint("write them as `user` and `password: { env: … }`"));
    }
    let address = address.trim_end_matches('/');
    if kind == BrokerKind::Aws {
        return aws::region(key, address);
    }
    let hosts: Vec<&str> = address.split(',').map(str::trim).collect();
    let bad = hosts
        .iter()
        .find(|host| host.rsplit_once(':').is_none_or(|(name, port)| name.is_empty() || port.parse::<u16>().is_err()));
    match bad {
        Some(host) => Err(value(key, format!("`{host}` is not `host:port`"))),
        None => Ok(hosts.join(",")),
    }
}

/// The topic that an address names; `None`: it's a topic of the node's own log.
pub(crate) fn home(key: &str, topic: &str, brokers: &[Arc<BrokerPlan>]) -> Result<Option<Home>, Error> {
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
    let Written { sasl, user, password, token, credentials, nkey } = who::written(plan.sasl.as_ref());
    let url = Some(format!("{}://{}", plan.kind.scheme(), plan.address));
    let tls = plan.tls.as_ref().map(|roots| raw_push::Tls { roots: roots.as_ref().map(|file| file.written.clone()) });
    if plan.kind != BrokerKind::Kafka {
        let aws::Place { endpoint, profile } = plan.aws.clone();
        let vhost = (plan.kind == BrokerKind::RabbitMq).then(|| plan.vhost.clone());
        return raw::Broker {
            url,
            tls,
            user,
            password,
            token,
            credentials,
            nkey,
            endpoint,
            profile,
            vhost,
            ..raw::Broker::default()
        };
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
        Some(Sasl::Credentials(file)) => format!("signs as the user of the credentials in {}", file.shown()),
        Some(Sasl::Nkey(seed)) => format!("signs with the nkey whose seed is in {}", seed.shown()),
    };
    let line = if plan.tls.is_some() { "over TLS" } else { "over a line that anybody can read" };
    let (name, kind, address) = (&plan.name, plan.kind.name(), &plan.address);
    let vhost = if plan.vhost.is_empty() { String::new() } else { format!(", virtual host `{}`", plan.vhost) };
    let mut lines = vec![format!("Broker {name}: {kind} at {address}{vhost}; the node {who}, {line}.")];
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
        lines.push("Event Hubs: an event is at most 1 MB; a journal needs transactions and compacted topics, which the Premium and Dedicated tiers have. On Standard and Basic let its topics come in by `intakes:`; the journal is then the node's own log.".to_owned());
    }
    lines.join("\n  ")
}

#[cfg(test)]
mod tests;
