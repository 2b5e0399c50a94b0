//! How a handler is called, in words: only what is out of the ordinary.

use std::time::Duration;

use evenkeel_delivery::{Order, Policy};
use evenkeel_transport::http::{Accepted, Batch, Ejection, Format};

use crate::config::push::{FileAt, Push, SecretFrom};
use crate::config::units::{show_duration, show_rate, show_size};

/// A sentence each.
pub(super) fn sentences(push: &Push, policy: &Policy) -> Vec<String> {
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
    lines.extend(push.pace.map(|pace| {
        format!(
            "Each endpoint gets at most {} in the long run, {} at once after a pause; what comes faster goes to another one, or waits.",
            show_rate(pace.per_second),
            pace.burst,
        )
    }));
    lines.extend(push.health.as_ref().map(|health| {
        format!(
            "Each endpoint is asked at `{}` every {}; after two answers that are no 2xx within {} it is left out until one is.",
            health.path,
            show_duration(health.every),
            show_duration(health.timeout),
        )
    }));
    if let Accepted::Pending { within } = push.accepted {
        lines.push(format!(
            "A 202 is no answer yet: it is waited {} for a callback, with the event's key and a place within the concurrency held; then the event is tried again.",
            show_duration(within)
        ));
    }
    if let Some(asked) = &push.handshake {
        lines.push(format!(
            "An endpoint is asked first whether it takes events of `{}` (OPTIONS), and sent no more a minute than it allows.",
            asked.origin
        ));
    }
    if let Some(file) = &push.roots {
        lines.push(format!("TLS trusts the certificates in `{}`, and no others.", file.written));
    }
    lines.extend(push.batch.map(|batch| batched(batch, policy)));
    if !push.secrets.is_empty() {
        let place = |from: &SecretFrom| match from {
            SecretFrom::Env(name) => format!("the variable `{name}`"),
            SecretFrom::File(FileAt { written, .. }) => format!("the file `{written}`"),
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
