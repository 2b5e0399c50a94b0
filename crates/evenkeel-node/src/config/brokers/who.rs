//! How we say at a broker who we are: checked, and written back. Secrets are named, never held.

use std::path::Path;

use super::super::checked::{choice, or, value};
use super::super::push::{FileAt, SecretFrom};
use super::super::raw::push as raw_push;
use super::BrokerKind;
use crate::error::Error;

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
    /// What a `.creds` file holds: a JWT, and the seed of its key (NATS).
    Credentials(SecretFrom),
    /// The seed of an nkey (NATS).
    Nkey(SecretFrom),
}

/// What may be written of it.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) sasl: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<raw_push::Secret>,
    pub(super) token: Option<raw_push::Secret>,
    pub(super) credentials: Option<raw_push::Secret>,
    pub(super) nkey: Option<raw_push::Secret>,
}

const MECHANISMS: [&str; 3] = ["plain", "scram-sha-256", "scram-sha-512"];

/// Who we are at that broker.
pub(super) fn read(name: &str, kind: BrokerKind, said: Written, folder: &Path) -> Result<Option<Sasl>, Error> {
    let key = |what: &str| format!("brokers.{name}.{what}");
    if said.sasl.as_deref() == Some("oauthbearer") {
        let file = said.token.and_then(|token| token.file);
        let file = file.ok_or_else(|| {
            value(&key("token"), "is missing")
                .hint("write `token: { file: ./token }`; the file is read again before the token expires")
        })?;
        return Ok(Some(Sasl::Token(file_at(file, folder))));
    }
    if let Some(alone) = alone(name, kind, &said, folder)? {
        return Ok(Some(alone));
    }
    let Written { sasl: mechanism, user, password, .. } = said;
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
    let password = secret_from(&key("password"), &password, example(kind), folder)?;
    Ok(Some(Sasl::Password { mechanism, user, password }))
}

/// What of NATS takes the place of a user and a password.
fn alone(name: &str, kind: BrokerKind, said: &Written, folder: &Path) -> Result<Option<Sasl>, Error> {
    let Written { token, credentials, nkey, .. } = said;
    type Kind = fn(SecretFrom) -> Sasl;
    let ways: [(&str, &Option<raw_push::Secret>, &str, Kind); 3] = [
        ("token", token, "NATS_TOKEN", Sasl::Shared),
        ("credentials", credentials, "NATS_CREDS", Sasl::Credentials),
        ("nkey", nkey, "NATS_NKEY", Sasl::Nkey),
    ];
    let mut found = None;
    for (what, secret, example, sasl) in ways {
        let Some(secret) = secret else { continue };
        let key = format!("brokers.{name}.{what}");
        if kind == BrokerKind::Kafka && what == "token" {
            return Err(value(&key, "goes with `sasl: oauthbearer`"));
        }
        if kind != BrokerKind::Nats {
            return Err(value(&key, format!("is for NATS, and this is {}", kind.name())));
        }
        if said.user.is_some() || said.password.is_some() || found.is_some() {
            return Err(value(
                &key,
                "takes the place of a user and a password, and of any other way to say who we are",
            )
            .hint("write one or the other"));
        }
        found = Some(sasl(secret_from(&key, secret, example, folder)?));
    }
    Ok(found)
}

/// As it would be written.
pub(super) fn written(sasl: Option<&Sasl>) -> Written {
    let secret = |from: &SecretFrom| {
        Some(match from {
            SecretFrom::Env(name) => raw_push::Secret { env: Some(name.clone()), file: None },
            SecretFrom::File(file) => raw_push::Secret { env: None, file: Some(file.written.clone()) },
        })
    };
    match sasl {
        None => Written::default(),
        Some(Sasl::Password { mechanism, user, password }) => Written {
            sasl: Some((*mechanism).to_owned()),
            user: Some(user.clone()),
            password: secret(password),
            ..Written::default()
        },
        Some(Sasl::Token(file)) => Written {
            sasl: Some("oauthbearer".to_owned()),
            token: Some(raw_push::Secret { env: None, file: Some(file.written.clone()) }),
            ..Written::default()
        },
        Some(Sasl::Shared(token)) => Written { token: secret(token), ..Written::default() },
        Some(Sasl::Credentials(file)) => Written { credentials: secret(file), ..Written::default() },
        Some(Sasl::Nkey(seed)) => Written { nkey: secret(seed), ..Written::default() },
    }
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

fn secret_from(key: &str, written: &raw_push::Secret, example: &str, folder: &Path) -> Result<SecretFrom, Error> {
    match (&written.env, &written.file) {
        (Some(name), None) => Ok(SecretFrom::Env(name.clone())),
        (None, Some(written)) => Ok(SecretFrom::File(file_at(written.clone(), folder))),
        _ => Err(value(key, "names no place, or two")
            .hint(format!("write `{{ env: {example} }}` or `{{ file: ./secret }}`"))),
    }
}

pub(super) fn file_at(written: String, folder: &Path) -> FileAt {
    let path = folder.join(&written);
    FileAt { written, path }
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
