//! Of one kind so many lines within a minute; what is more is counted, and said in one line when the minute is over.
//!
//! A kind is what a line's field `kind` names, with its `code` where it has one; of a line without, the place in the
//! code that writes it. Invariant: lines that were written, and those that were left out, are all lines.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_model::{Clock, Timestamp};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

const MINUTE: Duration = Duration::from_secs(60);

/// How many lines of each kind were written of late.
pub(super) struct Limit {
    /// None are left out where this is 0.
    per_minute: u32,
    clock: Arc<dyn Clock>,
    kinds: Mutex<BTreeMap<String, Window>>,
}

/// The minute that began with a kind's first line.
#[derive(Default)]
struct Window {
    began: Timestamp,
    lines: u32,
    left_out: u64,
    /// In all minutes before.
    left_out_before: u64,
}

impl Limit {
    pub(super) fn new(per_minute: u32, clock: Arc<dyn Clock>) -> Limit {
        Limit { per_minute, clock, kinds: Mutex::default() }
    }

    /// Whether a line may be written; counts it.
    fn take(&self, kind: &str) -> bool {
        let now = self.clock.now();
        let mut kinds = self.kinds();
        if !kinds.contains_key(kind) {
            kinds.insert(kind.to_owned(), Window { began: now, ..Window::default() });
        }
        let Some(window) = kinds.get_mut(kind) else { return true };
        // What was left out waits until it is said.
        if window.left_out == 0 && now.since(window.began) >= MINUTE {
            (window.began, window.lines) = (now, 0);
        }
        let room = self.per_minute == 0 || window.lines < self.per_minute;
        if room {
            window.lines += 1;
        } else {
            window.left_out += 1;
        }
        room
    }

    /// The kinds whose minute is over, with what was left out; they begin anew.
    pub(super) fn over(&self) -> Vec<(String, u64)> {
        let now = self.clock.now();
        let mut over = Vec::new();
        for (kind, window) in self.kinds().iter_mut() {
            if window.left_out > 0 && now.since(window.began) >= MINUTE {
                let lines = std::mem::take(&mut window.left_out);
                window.left_out_before += lines;
                (window.began, window.lines) = (now, 0);
                over.push((kind.clone(), lines));
            }
        }
        over
    }

    /// What was left out of each kind, ever.
    pub(super) fn left_out(&self) -> Vec<(String, u64)> {
        let all = self.kinds();
        let of = all.iter().map(|(kind, window)| (kind.clone(), window.left_out + window.left_out_before));
        of.filter(|(_, lines)| *lines > 0).collect()
    }

    fn kinds(&self) -> MutexGuard<'_, BTreeMap<String, Window>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds the limit against all that listen.
pub(super) struct Lines(pub(super) Arc<Limit>);

impl<S: Subscriber> Layer<S> for Lines {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let mut read = Reading::default();
        event.record(&mut read);
        let kind = match (read.kind, read.code) {
            (Some(kind), Some(code)) => format!("{kind}/{code}"),
            (Some(kind), None) => kind,
            (None, _) => event.metadata().name().to_owned(),
        };
        self.0.take(&kind)
    }
}

/// What of a line says its kind.
#[derive(Default)]
struct Reading {
    kind: Option<String>,
    code: Option<String>,
}

impl Visit for Reading {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "kind" => self.kind = Some(value.to_owned()),
            "code" => self.code = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "code" {
            let mut text = String::new();
            let _ = write!(text, "{value:?}");
            self.code = Some(text);
        }
    }
}

#[cfg(test)]
mod tests;
