//! How a subscription's handler is called over HTTP: checked, written back, said in words.
//!
//! Secrets are named here, never held: they are read when the subscription starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use evenkeel_delivery::Rate;
use evenkeel_transport::http::{Accepted, Batch, Ejection, Format, Handshake, Health, Pace, Roots, Signing, Version};

use super::checked::{choice, duration, gate, or, parse, positive, value};
use super::plan::Plan;
use super::raw::push as raw;
use super::receivers::Receiver;
use super::units::{show_duration, show_rate, show_size};
use super::{addresses, units};
use crate::error::Error;
use crate::logs::mask;

/// Of an answer so much is read, unless told otherwise.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How a handler is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// Its endpoints, one or more.
    pub urls: Vec<String>,
    /// In which mode an event goes out alone.
    pub format: Format,
    /// Several events in one request, where the handler takes them so.
    pub batch: Option<Batch>,
    /// Where the secrets that sign stand.
    pub secrets: Vec<SecretFrom>,
    /// When one of several endpoints is left out.
    pub ejection: Ejection,
    /// How fast each endpoint is called.
    pub pace: Option<Pace>,
    /// How endpoints are asked whether they are well.
    pub health: Option<Health>,
    /// What a 202 means.
    pub accepted: Accepted,
    /// Which HTTP is spoken.
    pub version: Version,
    /// The root certificates that TLS trusts; `None`: the system's.
    pub roots: Option<FileAt>,
    /// How endpoints are asked before they are sent events.
    pub handshake: Option<Handshake>,
    /// The largest answer that is read, in bytes.
    pub answer_bytes_max: usize,
    /// The receiver of alerts that it tells, where it is one.
    pub receiver: Option<Box<Receiver>>,
}

/// A file that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAt {
    /// As it was written.
    pub written: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFrom {
    /// In this variable of the environment.
    Env(String),
    /// In this file.
    File(FileAt),
}

impl SecretFrom {
    /// The secret, read now; no log line holds it from here on. The error names the place, never what stands there.
    pub fn look_up(&self, key: &str) -> Result<String, Error> {
        let secret = match self {
            SecretFrom::Env(name) => {
                std::env::var(name).map_err(|_| value(key, format!("the environment has no variable `{name}`")))
            }
            SecretFrom::File(FileAt { path, .. }) => {
                std::fs::read_to_string(path).map_err(|e| value(key, format!("cannot read `{}`: {e}", path.display())))
            }
        };
        secret.inspect(|secret| mask(secret))
    }

    /// Where it stands, in words.
    pub fn shown(&self) -> String {
        match self {
            SecretFrom::Env(name) => format!("the variable `{name}`"),
            SecretFrom::File(FileAt { path, .. }) => format!("the file `{}`", path.display()),
        }
    }

    pub(super) fn read_from(key: &str, raw: &raw::Secret, folder: &Path) -> Result<SecretFrom, Error> {
        match (&raw.env, &raw.file) {
            (Some(name), None) => Ok(SecretFrom::Env(name.clone())),
            (None, Some(written)) => Ok(SecretFrom::File(file_at(written.clone(), folder))),
            _ => Err(value(key, "names no place, or two")
                .hint("write `{ env: PAYMENT_SECRET }` or `{ file: ./payment.secret }`")),
        }
    }

    pub(super) fn written(&self) -> raw::Secret {
        match self {
            SecretFrom::Env(name) => raw::Secret { env: Some(name.clone()), file: None },
            SecretFrom::File(FileAt { written, .. }) => raw::Secret { env: None, file: Some(written.clone()) },
        }
    }
}

impl Push {
    /// One URL, and the defaults.
    pub fn to(url: String) -> Push {
        Push {
            urls: vec![url],
            format: Format::Binary,
            batch: None,
            secrets: Vec::new(),
            ejection: Ejection::default(),
            pace: None,
            health: None,
            accepted: Accepted::Ack,
            version: Version::Auto,
            roots: None,
            handshake: None,
            answer_bytes_max: ANSWER_BYTES_MAX,
            receiver: None,
        }
    }

    /// Its endpoints in one line.
    pub fn shown(&self) -> String {
        self.urls.join(", ")
    }

    /// The secrets, read now. The error names the place, never what stands there.
    pub fn signing(&self, subscription: &str) -> Result<Signing, Error> {
        let mut secrets = Vec::with_capacity(self.secrets.len());
        for (number, from) in self.secrets.iter().enumerate() {
            let key = format!("subscriptions.{subscription}.handler.http.sign[{number}]");
            let hint = |e: Error| match from {
                SecretFrom::Env(name) => e.hint(format!("set it: {name}=whsec_$(openssl rand -base64 32)")),
                SecretFrom::File(_) => e,
            };
            secrets.push(from.look_up(&key).map_err(hint)?);
        }
        Signing::new(&secrets).map_err(|why| value(&format!("subscriptions.{subscription}.handler.http.sign"), why))
    }

    /// Whom TLS trusts, read now.
    pub fn trusted(&self, subscription: &str) -> Result<Roots, Error> {
        let Some(FileAt { path, .. }) = &self.roots else { return Ok(Roots::System) };
        let key = format!("subscriptions.{subscription}.handler.http.tls.roots");
        let pem = std::fs::read(path).map_err(|e| value(&key, format!("cannot read `{}`: {e}", path.display())))?;
        Roots::only(&pem).map_err(|why| value(&key, format!("`{}`: {why}", path.display())))
    }
}

/// The checked form. `at` is the path of `handler.http`, `folder` that of the file.
pub(super) fn read(at: &str, raw: raw::HttpHandler, plan: &Plan, folder: &Path) -> Result<Push, Error> {
    let key = |name: &str| format!("{at}.{name}");
    let written = match (raw.url, raw.urls) {
        (Some(url), urls) if urls.is_empty() => vec![(key("url"), url)],
        (None, urls) if !urls.is_empty() => {
            urls.into_iter().enumerate().map(|(i, url)| (key(&format!("urls[{i}]")), url)).collect()
        }
        (None, _) => return Err(value(&key("url"), "is missing")),
        (Some(_), _) => {
            return Err(value(&key("urls"), "stands beside `url`; write all endpoints there, or one as `url`"));
        }
    };
    let batched = raw.batch.is_some();
    let urls = written
        .into_iter()
        .map(|(key, url)| addresses::callee(&key, &url, &plan.reach))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(twice) = urls.iter().enumerate().find_map(|(i, url)| urls[..i].contains(url).then_some(url)) {
        return Err(value(&key("urls"), format!("`{twice}` is there twice")));
    }
    Ok(Push {
        urls,
        format: match or(&raw.format, "binary") {
            "binary" => Format::Binary,
            "structured" => Format::Structured,
            other => return Err(choice(&key("format"), other, &["binary", "structured"])),
        },
        batch: raw.batch.map(|raw| batch(&key("batch"), &raw)).transpose()?,
        secrets: secrets(&key("sign"), &raw.sign, folder)?,
        ejection: ejection(&key("ejection"), &raw.ejection.unwrap_or_default())?,
        pace: gate::rate(&key("rate"), raw.rate.as_deref(), &key("burst"), raw.burst)?.map(pace),
        health: raw.health.map(|raw| health(&key("health"), &raw)).transpose()?,
        accepted: accepted(at, &raw.accepted, &raw.pending, batched)?,
        version: match or(&raw.version, "auto") {
            "auto" => Version::Auto,
            "1" => Version::Http1,
            "2" => Version::Http2,
            other => return Err(choice(&key("version"), other, &["auto", "1", "2"])),
        },
        roots: raw.tls.and_then(|tls| tls.roots).map(|written| file_at(written, folder)),
        handshake: raw.handshake.map(|raw| handshake(&key("handshake"), raw)).transpose()?,
        answer_bytes_max: answer(&key("answer"), &raw.answer)?,
        receiver: None,
    })
}

fn batch(at: &str, raw: &raw::Batch) -> Result<Batch, Error> {
    let default = Batch::default();
    let max = raw.max.map_or(default.max, |n| n as usize);
    if !(1..=1000).contains(&max) {
        return Err(value(&format!("{at}.max"), format!("{max} is not between 1 and 1000")));
    }
    let linger = duration(&format!("{at}.linger"), &raw.linger, default.linger)?;
    if linger > Duration::from_secs(10) {
        return Err(value(&format!("{at}.linger"), format!("{} is more than 10s", show_duration(linger))));
    }
    let bytes = format!("{at}.bytes");
    let bytes_max = raw.bytes.as_ref().map_or(Ok(default.bytes_max as u64), |t| parse(&bytes, t, units::size))?;
    if !(1024..=64 << 20).contains(&bytes_max) {
        return Err(value(&bytes, format!("{} is not between 1KiB and 64MiB", show_size(bytes_max))));
    }
    Ok(Batch { max, linger, bytes_max: usize::try_from(bytes_max).unwrap_or(default.bytes_max) })
}

pub(super) fn secrets(at: &str, raw: &[raw::Secret], folder: &Path) -> Result<Vec<SecretFrom>, Error> {
    let one = |(i, secret)| SecretFrom::read_from(&format!("{at}[{i}]"), secret, folder);
    raw.iter().enumerate().map(one).collect()
}

fn ejection(at: &str, raw: &raw::Ejection) -> Result<Ejection, Error> {
    let default = Ejection::default();
    let failures = raw.failures.unwrap_or(default.failures);
    if failures == 0 {
        return Err(value(&format!("{at}.failures"), "must be 1 or more"));
    }
    let key = |name: &str| format!("{at}.{name}");
    Ok(Ejection {
        failures,
        open: positive(&key("open"), duration(&key("open"), &raw.open, default.open)?)?,
        open_max: positive(&key("max"), duration(&key("max"), &raw.max, default.open_max)?)?,
        slow_start: duration(&key("slow_start"), &raw.slow_start, default.slow_start)?,
    })
}

fn pace(rate: Rate) -> Pace {
    Pace { per_second: rate.per_second, burst: rate.burst }
}

fn accepted(at: &str, text: &Option<String>, pending: &Option<String>, batched: bool) -> Result<Accepted, Error> {
    let key = format!("{at}.pending");
    match (or(text, "ack"), pending) {
        ("pending", _) if batched => Err(value(
            &format!("{at}.accepted"),
            "`pending` and `batch` do not go together: a callback speaks for one event",
        )),
        ("pending", pending) => {
            let within = positive(&key, duration(&key, pending, Duration::from_secs(3600))?)?;
            Ok(Accepted::Pending { within })
        }
        (_, Some(_)) => Err(value(&key, "means something with `accepted: pending` only")),
        ("ack", None) => Ok(Accepted::Ack),
        ("fail", None) => Ok(Accepted::Failed),
        (other, None) => Err(choice(&format!("{at}.accepted"), other, &["ack", "fail", "pending"])),
    }
}

fn handshake(at: &str, raw: raw::Handshake) -> Result<Handshake, Error> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let origin = raw.origin.filter(|name| !name.is_empty() && name.chars().all(legal));
    let origin = origin.ok_or_else(|| {
        value(&format!("{at}.origin"), "is no name of a host").hint("write who sends, like `events.shop.example`")
    })?;
    if raw.rate == Some(0) {
        return Err(value(&format!("{at}.rate"), "must be 1 or more: requests a minute"));
    }
    Ok(Handshake { origin, rate: raw.rate })
}

fn answer(at: &str, text: &Option<String>) -> Result<usize, Error> {
    let bytes = text.as_ref().map_or(Ok(ANSWER_BYTES_MAX as u64), |t| parse(at, t, units::size))?;
    match usize::try_from(bytes) {
        Ok(bytes @ 1024..=0x400_0000) => Ok(bytes),
        _ => Err(value(at, format!("{} is not between 1KiB and 64MiB", show_size(bytes)))),
    }
}

fn file_at(written: String, folder: &Path) -> FileAt {
    FileAt { path: folder.join(&written), written }
}

fn health(at: &str, raw: &raw::Health) -> Result<Health, Error> {
    let key = |name: &str| format!("{at}.{name}");
    let path = raw.path.as_deref().filter(|path| path.starts_with('/')).and_then(|path| path.parse().ok());
    let path = path.ok_or_else(|| {
        value(&key("path"), format!("`{}` is no path", or(&raw.path, ""))).hint("write it like `/healthz`")
    })?;
    let every = positive(&key("every"), duration(&key("every"), &raw.every, Duration::from_secs(10))?)?;
    let timeout = positive(&key("timeout"), duration(&key("timeout"), &raw.timeout, Duration::from_secs(2))?)?;
    Ok(Health { path, every, timeout })
}

/// The form that is written, with every default filled in.
pub(super) fn written(push: &Push, timeout: Duration) -> raw::HttpHandler {
    let one = push.urls.len() == 1;
    raw::HttpHandler {
        url: push.urls.first().filter(|_| one).cloned(),
        urls: if one { Vec::new() } else { push.urls.clone() },
        timeout: Some(show_duration(timeout)),
        format: Some(
            match push.format {
                Format::Binary => "binary",
                Format::Structured => "structured",
            }
            .to_owned(),
        ),
        batch: push.batch.map(|batch| raw::Batch {
            max: u32::try_from(batch.max).ok(),
            linger: Some(show_duration(batch.linger)),
            bytes: Some(show_size(batch.bytes_max as u64)),
        }),
        sign: push.secrets.iter().map(SecretFrom::written).collect(),
        ejection: Some(raw::Ejection {
            failures: Some(push.ejection.failures),
            open: Some(show_duration(push.ejection.open)),
            max: Some(show_duration(push.ejection.open_max)),
            slow_start: Some(show_duration(push.ejection.slow_start)),
        }),
        rate: push.pace.map(|pace| show_rate(pace.per_second)),
        burst: push.pace.map(|pace| pace.burst),
        health: push.health.as_ref().map(|health| raw::Health {
            path: Some(health.path.to_string()),
            every: Some(show_duration(health.every)),
            timeout: Some(show_duration(health.timeout)),
        }),
        accepted: Some(
            match push.accepted {
                Accepted::Ack => "ack",
                Accepted::Failed => "fail",
                Accepted::Pending { .. } => "pending",
            }
            .to_owned(),
        ),
        pending: match push.accepted {
            Accepted::Pending { within } => Some(show_duration(within)),
            _ => None,
        },
        version: Some(
            match push.version {
                Version::Auto => "auto",
                Version::Http1 => "1",
                Version::Http2 => "2",
            }
            .to_owned(),
        ),
        tls: push.roots.as_ref().map(|file| raw::Tls { roots: Some(file.written.clone()) }),
        handshake: push
            .handshake
            .as_ref()
            .map(|asked| raw::Handshake { origin: Some(asked.origin.clone()), rate: asked.rate }),
        answer: Some(show_size(push.answer_bytes_max as u64)),
    }
}
