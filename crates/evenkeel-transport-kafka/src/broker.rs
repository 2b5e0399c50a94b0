//! Which Kafka, and how one speaks to it. Credentials never show in `Debug`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::config::FromClientConfigAndContext;

use crate::client::Ears;

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What stands behind the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// Apache Kafka or Redpanda.
    #[default]
    Kafka,
    /// Azure Event Hubs: SASL_SSL only, at most 1 MB, and no transactions or compaction on some tiers.
    EventHubs,
}

/// Who we are, and who may listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Nobody asks, everybody may listen.
    #[default]
    Plaintext,
    /// TLS, with the system's authorities or this one.
    Tls {
        /// A file of authorities in PEM.
        ca: Option<PathBuf>,
    },
    /// SASL, over TLS or not.
    Sasl {
        /// How we say who we are.
        mechanism: Mechanism,
        /// True: TLS beneath.
        tls: bool,
        /// A file of authorities in PEM.
        ca: Option<PathBuf>,
    },
}

/// How we say who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// PLAIN.
    Plain(String, Secret),
    /// SCRAM-SHA-256.
    ScramSha256(String, Secret),
    /// SCRAM-SHA-512.
    ScramSha512(String, Secret),
    /// OAUTHBEARER, with the token in a file, which is read again before the token expires.
    OauthBearer(PathBuf),
}

/// Where a Kafka is, and how one speaks to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerSettings {
    /// What the configuration calls it.
    pub name: Arc<str>,
    /// `host:port`, several behind commas.
    pub bootstrap: String,
    /// Credentials.
    pub security: Security,
    /// What it is.
    pub flavour: Flavour,
    /// Properties of librdkafka on top, which win.
    pub properties: Vec<(String, String)>,
}

impl BrokerSettings {
    /// A Kafka that asks for nothing.
    pub fn plaintext(name: impl Into<Arc<str>>, bootstrap: impl Into<String>) -> BrokerSettings {
        BrokerSettings {
            name: name.into(),
            bootstrap: bootstrap.into(),
            security: Security::default(),
            flavour: Flavour::default(),
            properties: Vec::new(),
        }
    }
}

/// A Kafka that can be spoken to; a clone is the same one. It holds no connection of its own.
#[derive(Clone, Debug)]
pub struct Broker(Arc<BrokerSettings>);

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

impl Broker {
    /// Nothing is connected yet.
    pub fn new(settings: BrokerSettings) -> Broker {
        Broker(Arc::new(settings))
    }

    /// What the configuration calls it.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// What it is.
    pub fn flavour(&self) -> Flavour {
        self.0.flavour
    }

    /// A client of that kind: consumer, producer or administrator.
    pub(crate) fn client<T: FromClientConfigAndContext<Ears>>(
        &self,
        properties: &[(&str, &str)],
        ears: Ears,
    ) -> Result<T, PortError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.0.bootstrap).set("client.id", "evenkeel");
        // A connection that nothing comes from for this long is given up: a stalled line shows.
        config.set("socket.timeout.ms", "10000").set("reconnect.backoff.max.ms", "1000");
        self.secure(&mut config);
        for (key, value) in properties {
            config.set(*key, *value);
        }
        for (key, value) in &self.0.properties {
            config.set(key, value);
        }
        config.create_with_context(ears).map_err(|e| self.failed("no client", &e))
    }

    /// A client that makes topics and asks for their settings. The library gives such a one no token, and would wait
    /// in vain: then the answer is at once an error that says what to do.
    pub(crate) fn admin(&self, what: &str) -> Result<AdminClient<Ears>, PortError> {
        if self.token().is_some() {
            let why = "topics are neither made nor asked for their settings with `oauthbearer`; make them first";
            return Err(self.failed(what, &why));
        }
        self.client(&[], Ears::new(self))
    }

    fn secure(&self, config: &mut ClientConfig) {
        let (protocol, ca) = match &self.0.security {
            Security::Plaintext => ("plaintext", None),
            Security::Tls { ca } => ("ssl", ca.as_ref()),
            Security::Sasl { tls, ca, .. } => (if *tls { "sasl_ssl" } else { "sasl_plaintext" }, ca.as_ref()),
        };
        config.set("security.protocol", protocol);
        if let Some(ca) = ca {
            config.set("ssl.ca.location", ca.to_string_lossy());
        }
        let Security::Sasl { mechanism, .. } = &self.0.security else { return };
        let (name, who) = match mechanism {
            Mechanism::Plain(user, password) => ("PLAIN", Some((user, password))),
            Mechanism::ScramSha256(user, password) => ("SCRAM-SHA-256", Some((user, password))),
            Mechanism::ScramSha512(user, password) => ("SCRAM-SHA-512", Some((user, password))),
            Mechanism::OauthBearer(_) => ("OAUTHBEARER", None),
        };
        config.set("sasl.mechanism", name);
        if let Some((user, password)) = who {
            config.set("sasl.username", user).set("sasl.password", password.reveal());
        }
    }

    /// Where a token is, if that is how we say who we are.
    pub(crate) fn token(&self) -> Option<PathBuf> {
        match &self.0.security {
            Security::Sasl { mechanism: Mechanism::OauthBearer(file), .. } => Some(file.clone()),
            _ => None,
        }
    }

    pub(crate) fn failed(&self, what: &str, why: &dyn std::fmt::Display) -> PortError {
        PortError(format!("broker `{}` ({}): {what}: {why}", self.0.name, self.0.bootstrap))
    }
}
