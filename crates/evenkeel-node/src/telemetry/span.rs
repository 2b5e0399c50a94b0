//! A span, and its bytes.

use evenkeel_cloudevents::trace::TraceParent;
use evenkeel_model::Timestamp;

use super::conventions::Kind;
use super::wire::{Attribute, Message};

/// Links of one span; more are counted and left out.
pub(super) const LINKS_MAX: usize = 128;

/// Something that took time, in a trace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// Its trace and its own id.
    pub(super) at: TraceParent,
    pub(super) parent: Option<[u8; 8]>,
    /// The event's `tracestate`.
    pub(super) state: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) attributes: Vec<Attribute>,
    pub(super) links: Vec<TraceParent>,
    /// What went wrong, in words.
    pub(super) error: Option<String>,
}

impl Span {
    pub(super) fn write(&self, span: &mut Message) {
        span.bytes(1, &self.at.trace).bytes(2, &self.at.span).text(3, &self.state);
        if let Some(parent) = &self.parent {
            span.bytes(4, parent);
        }
        span.text(5, &self.name).number(6, self.kind as u64);
        span.fixed64(7, nanos(self.began)).fixed64(8, nanos(self.ended.max(self.began)));
        for (name, value) in &self.attributes {
            span.attribute(9, name, value);
        }
        for link in self.links.iter().take(LINKS_MAX) {
            span.message(13, |to| {
                to.bytes(1, &link.trace).bytes(2, &link.span);
            });
        }
        if self.links.len() > LINKS_MAX {
            span.number(14, (self.links.len() - LINKS_MAX) as u64);
        }
        if let Some(error) = &self.error {
            span.message(15, |status| {
                status.text(2, error).number(3, 2);
            });
        }
        span.fixed32(16, u32::from(self.at.flags));
    }
}

pub(crate) fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.micros()).unwrap_or(0).saturating_mul(1_000)
}
