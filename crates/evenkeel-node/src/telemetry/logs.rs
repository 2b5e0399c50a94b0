//! The node's own log lines as log records: a layer beside the one that writes to stderr.
//!
//! A process has one log, so that the way out is one for the process; the first node that sends takes it.
//! Lines of what sends are left out: an exporter that is down must not feed itself.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, OnceLock};

use evenkeel_model::{Clock, Timestamp};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::export::Queue;
use super::span::nanos;
use super::wire::{Message, Value};
use crate::logs::masked;

/// Whose lines are left out.
const OWN: [&str; 4] = ["evenkeel_node::telemetry", "hyper", "rustls", "h2"];
/// The kinds that are left out, for the same reason.
const OWN_KINDS: [&str; 2] = ["collector-down", "collector-back"];
/// The most of a line, or of one of its fields, that is kept.
const TEXT_MAX: usize = 8 << 10;

static WAY_OUT: OnceLock<(Queue<Line>, Arc<dyn Clock>)> = OnceLock::new();

/// From here on lines are sent there, if nobody else sends them yet.
pub(super) fn send_to(queue: Queue<Line>, clock: Arc<dyn Clock>) {
    let _ = WAY_OUT.set((queue, clock));
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    at: Timestamp,
    level: Level,
    text: String,
    fields: Vec<(&'static str, String)>,
    target: &'static str,
}

impl Line {
    pub(super) fn write(&self, record: &mut Message) {
        let severity = match self.level {
            Level::TRACE => 1,
            Level::DEBUG => 5,
            Level::INFO => 9,
            Level::WARN => 13,
            Level::ERROR => 17,
        };
        record.fixed64(1, nanos(self.at)).fixed64(11, nanos(self.at));
        record.number(2, severity).text(3, self.level.as_str());
        record.message(5, |body| {
            body.bytes(1, self.text.as_bytes());
        });
        record.attribute(6, "code.namespace", &Value::from(self.target));
        for (name, value) in &self.fields {
            record.attribute(6, name, &Value::Text(value.clone()));
        }
    }
}

/// The layer; it does nothing until somebody sends.
pub(crate) struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some((queue, clock)) = WAY_OUT.get() else { return };
        let metadata = event.metadata();
        if OWN.iter().any(|own| metadata.target().starts_with(own)) {
            return;
        }
        let mut read = Reading::default();
        event.record(&mut read);
        if read.fields.iter().any(|(name, value)| *name == "kind" && OWN_KINDS.contains(&value.as_str())) {
            return;
        }
        let line = Line {
            at: clock.now(),
            level: *metadata.level(),
            text: read.text,
            fields: read.fields,
            target: metadata.target(),
        };
        queue.push(line);
    }
}

#[derive(Default)]
struct Reading {
    text: String,
    fields: Vec<(&'static str, String)>,
}

impl Reading {
    fn put(&mut self, field: &Field, text: String) {
        let mut text = masked(&text).into_owned();
        if text.len() > TEXT_MAX {
            let cut = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
        }
        match field.name() {
            "message" => self.text = text,
            name => self.fields.push((name, text)),
        }
    }
}

impl Visit for Reading {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.put(field, text);
    }
}
