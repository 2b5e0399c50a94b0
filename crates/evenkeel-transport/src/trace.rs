//! Where in which trace an event was created and is handled, and which traces are kept.
//!
//! Nothing is remembered: an event's own `traceparent` is its creation; where it has none, ids are
//! made from its identity. An attempt's span is made from the effect's key and the number of the
//! delivery, so that it differs between attempts, is known before and after, and links to the
//! attempt before it cost no memory.

use evenkeel_cloudevents::trace::TraceParent;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::Call;
use evenkeel_model::Event;

/// Where an event was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The span that created it.
    pub at: TraceParent,
    /// True when the event says so itself; else it is made from its identity.
    pub is_told: bool,
}

/// Where an event of this topic was created.
pub fn creation(topic: &str, event: &Event) -> Creation {
    if let Some(at) = event.extension("traceparent").as_deref().and_then(TraceParent::parse) {
        return Creation { at, is_told: true };
    }
    let trace = Mark::of(topic, &event.id.source, &event.id.id).0;
    let span = span_of(&trace, 0);
    Creation { at: TraceParent { trace, span, flags: 0 }, is_told: false }
}

/// The span of one hand-out of an event: the first has number 1.
pub fn attempt(key: &Mark, delivery: u32) -> [u8; 8] {
    span_of(&key.0, u64::from(delivery))
}

/// The span of this call.
pub fn attempt_of(call: &Call) -> [u8; 8] {
    attempt(&call.key, call.delivery)
}

/// Another span for each number; none is all zeros.
pub fn span_of(seed: &[u8; 16], number: u64) -> [u8; 8] {
    let base = seed[..8].iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    base.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).max(1).to_be_bytes()
}

/// Which traces are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Of all traces so many, from 0 to 1, chosen by their ids: everybody who samples so keeps the same ones.
    pub share: f64,
    /// Those whose `traceparent` says that they are kept are kept here as well.
    pub follow: bool,
}

impl Sampling {
    /// Whether the trace that begins there is kept.
    pub fn keeps(&self, creation: &Creation) -> bool {
        if self.follow && creation.is_told && creation.at.is_sampled() {
            return true;
        }
        let low = creation.at.trace[9..].iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        #[expect(clippy::cast_precision_loss, reason = "56 bits, and a share is not exact to the last of them")]
        let at = low as f64 / (1_u64 << 56) as f64;
        at < self.share
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_cloudevents::trace::TraceParent;
    use evenkeel_delivery::Mark;
    use evenkeel_model::{AttributeValue, Event};

    use super::{Sampling, attempt, creation};

    fn event(id: usize) -> Event {
        Event::new("/shop", id.to_string(), "T")
    }

    #[test]
    fn an_event_without_a_trace_has_one_of_its_own_wherever_it_is_looked_at() {
        let one = creation("orders", &event(1));
        assert_eq!(one, creation("orders", &event(1)));
        assert_ne!(one.at.trace, creation("orders", &event(2)).at.trace);
        assert_ne!(one.at.trace, creation("payments", &event(1)).at.trace);
        assert_eq!(TraceParent::parse(&one.at.to_string()), Some(one.at), "it is a sound one");
    }

    #[test]
    fn an_events_own_trace_counts_and_an_ill_formed_one_does_not() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut told = event(1);
        told.set_extension("traceparent", AttributeValue::String(text.to_owned()));
        assert_eq!((creation("o", &told).at.to_string().as_str(), creation("o", &told).is_told), (text, true));
        told.set_extension("traceparent", AttributeValue::String("rubbish".to_owned()));
        assert!(!creation("o", &told).is_told);
    }

    #[test]
    fn a_share_of_traces_is_kept_and_those_that_are_kept_elsewhere_are_followed() {
        let kept = |share: f64| {
            let sampling = Sampling { share, follow: true };
            (0..10_000).filter(|id| sampling.keeps(&creation("o", &event(*id)))).count()
        };
        assert_eq!((kept(0.0), kept(1.0)), (0, 10_000));
        assert!((950..1050).contains(&kept(0.1)), "{}", kept(0.1));
        let mut told = event(1);
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
        told.set_extension("traceparent", AttributeValue::String(text));
        assert!(Sampling { share: 0.0, follow: true }.keeps(&creation("o", &told)));
        assert!(!Sampling { share: 0.0, follow: false }.keeps(&creation("o", &told)));
    }

    #[test]
    fn each_attempt_has_a_span_of_its_own() {
        let key = Mark::of("s", "/shop", "1");
        let spans: std::collections::HashSet<[u8; 8]> = (1..100).map(|n| attempt(&key, n)).collect();
        assert_eq!(spans.len(), 99);
    }
}
