//! How a subscription's handler is called over HTTP: checked, written back, said in words.
//!
//! Secrets are named here, never held: they are read when the subscription starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use evenkeel_delivery::{Order, Policy};
use evenkeel_transport::http::{Batch, Ejection, Format, Health, Signing};

use super::checked::{choice, duration, or, parse, positive, value};
use super::plan::Plan;
use super::raw::push as raw;
use super::units::{show_duration, show_size};
use super::{addresses, units};
use crate::error::Error;

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
    /// How endpoints are asked whether they are well.
    pub health: Option<Health>,
}

/// Where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFrom {
    /// In this variable of the environment.
    Env(String),
    /// In this file.
    File {
        /// As it was written.
        written: String,
        /// Where it is.
        path: PathBuf,
    },
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
            health: None,
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
            secrets.push(match from {
                SecretFrom::Env(name) => std::env::var(name).map_err(|_| {
                    value(&key, format!("the environment has no variable `{name}`"))
                        .hint(format!("set it: {name}=whsec_$(openssl rand -base64 32)"))
                })?,
                SecretFrom::File { path, .. } => std::fs::read_to_string(path)
                    .map_err(|e| value(&key, format!("cannot read `{}`: {e}", path.display())))?,
            });
        }
        Signing::new(&secrets).map_err(|why| value(&format!("subscriptions.{subscription}.handler.http.sign"), why))
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
        secrets: secrets(&key("sign"), raw.sign, folder)?,
        ejection: ejection(&key("ejection"), &raw.ejection.unwrap_or_default())?,
        health: raw.health.map(|raw| health(&key("health"), &raw)).transpose()?,
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

fn secrets(at: &str, raw: Vec<raw::Secret>, folder: &Path) -> Result<Vec<SecretFrom>, Error> {
    let one = |(i, secret): (usize, raw::Secret)| match (secret.env, secret.file) {
        (Some(name), None) => Ok(SecretFrom::Env(name)),
        (None, Some(written)) => Ok(SecretFrom::File { path: folder.join(&written), written }),
        _ => Err(value(&format!("{at}[{i}]"), "names no place, or two")
            .hint("write `{ env: PAYMENT_SECRET }` or `{ file: ./payment.secret }`")),
    };
    raw.into_iter().enumerate().map(one).collect()
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
    let secret = |from: &SecretFrom| match from {
        SecretFrom::Env(name) => raw::Secret { env: Some(name.clone()), file: None },
        SecretFrom::File { written, .. } => raw::Secret { env: None, file: Some(written.clone()) },
    };
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
        sign: push.secrets.iter().map(secret).collect(),
        ejection: Some(raw::Ejection {
            failures: Some(push.ejection.failures),
            open: Some(show_duration(push.ejection.open)),
            max: Some(show_duration(push.ejection.open_max)),
            slow_start: Some(show_duration(push.ejection.slow_start)),
        }),
        health: push.health.as_ref().map(|health| raw::Health {
            path: Some(health.path.to_string()),
            every: Some(show_duration(health.every)),
            timeout: Some(show_duration(health.timeout)),
        }),
    }
}

/// What is out of the ordinary, a sentence each.
pub(super) fn explained(push: &Push, policy: &Policy) -> Vec<String> {
    let mut lines = Vec::new();
    if push.urls.len() > 1 {
        let Ejection { failures, open, open_max, slow_start } = push.ejection;
        lines.push(format!(
            "Its {} endpoints are called in turn, the least busy first. One that fails {failures} times in a row is left out for {}, twice as long each time up to {}, and gets its share back within {}; when all are out, all are called. A call that finds no connection goes to the next.",
            push.urls.len(),
            show_duration(open),
            show_duration(open_max),
            show_duration(slow_start),
        ));
    }
    lines.extend(push.health.as_ref().map(|health| {
        format!(
            "Each endpoint is asked at `{}` every {}; after two answers that are no 2xx within {} it is left out until one is.",
            health.path,
            show_duration(health.every),
            show_duration(health.timeout),
        )
    }));
    lines.extend(push.batch.map(|batch| batched(batch, policy)));
    if !push.secrets.is_empty() {
        let place = |from: &SecretFrom| match from {
            SecretFrom::Env(name) => format!("the variable `{name}`"),
            SecretFrom::File { written, .. } => format!("the file `{written}`"),
        };
        let places = push.secrets.iter().map(place).collect::<Vec<_>>().join(" and ");
        let covers = match (push.format, push.batch) {
            (Format::Binary, None) => {
                "the data, but not the attributes, which are headers; `format: structured` covers both"
            }
            _ => "the whole event",
        };
        lines.push(format!(
            "Each request is signed with the secret of {places} (Standard Webhooks); the signature covers {covers}."
        ));
    }
    lines
}

fn batched(batch: Batch, policy: &Policy) -> String {
    let waits = match batch.linger {
        Duration::ZERO => "none waits for others".to_owned(),
        linger => format!("none waits longer than {} for others", show_duration(linger)),
    };
    let most = policy.concurrency.max;
    let full = most / u32::try_from(batch.max).unwrap_or(u32::MAX);
    let at_once = match full {
        0 => format!("`concurrency.max: {most}` counts events, so a request never holds more than {most}"),
        n => format!("`concurrency.max: {most}` counts events, so at most {n} full requests are under way"),
    };
    let lanes = match policy.order {
        Order::Key => " Events of one key never go together.",
        Order::Partition => {
            " Events of one partition never go together, so a request holds one event a partition at most."
        }
        Order::None => "",
    };
    format!(
        "Up to {} events ({} of data) go in one request, and {waits}; {at_once}.{lanes} When a request fails as a whole, its events go again one by one, and only that counts.",
        batch.max,
        show_size(batch.bytes_max as u64),
    )
}
