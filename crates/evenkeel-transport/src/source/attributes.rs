//! What an event says of its own delivery: `expirytime` and `priority`.
//!
//! Whoever publishes over HTTP is told when a value means nothing ([`senseless`]). What came in on another way
//! cannot be refused any more: such a value counts as not there, which is told once for each subscription and
//! attribute. It decides nothing else.

use std::sync::atomic::{AtomicBool, Ordering};

use evenkeel_cloudevents::Problem;
use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_model::{Event, Timestamp};

use super::SourceSettings;
use crate::happenings::AttributeNotKnown;

const EXPIRES: &str = "expirytime";
const PRIORITY: &str = "priority";

/// The priority of an event that names none, or none that is known.
const USUAL: u8 = 4;

/// So much of a value is told.
const SHOWN: usize = 200;

/// Which attributes of a subscription's events had a value that means nothing.
#[derive(Debug, Default)]
pub struct Doubts {
    expires: AtomicBool,
    priority: AtomicBool,
}

/// After this it is not worth handling.
pub(super) fn expires(settings: &SourceSettings, event: &Event) -> Option<Timestamp> {
    let text = event.extension(EXPIRES)?;
    let at = parse_rfc3339(&text);
    if at.is_none() {
        tell(settings, &settings.doubts.expires, EXPIRES, &text, event);
    }
    at
}

/// 0 to 9.
pub(super) fn priority(settings: &SourceSettings, event: &Event) -> u8 {
    let Some(text) = event.extension(PRIORITY) else { return USUAL };
    let known = level(&text);
    if known.is_none() {
        tell(settings, &settings.doubts.priority, PRIORITY, &text, event);
    }
    known.unwrap_or(USUAL)
}

/// What of an event means nothing here, where something must.
pub fn senseless(event: &Event) -> Option<Problem> {
    let problem = |field: &str, text: &str, rule: &str| {
        let (field, value) = (field.to_owned(), text.chars().take(SHOWN).collect());
        Some(Problem { field, value, rule: rule.to_owned() })
    };
    match event.extension(EXPIRES) {
        Some(text) if parse_rfc3339(&text).is_none() => {
            return problem(EXPIRES, &text, "must be a timestamp, such as `2026-12-01T00:00:00Z`");
        }
        _ => {}
    }
    match event.extension(PRIORITY) {
        Some(text) if level(&text).is_none() => {
            problem(PRIORITY, &text, "must be 0 to 9 (9 is the most urgent), `low`, `high` or `critical`")
        }
        _ => None,
    }
}

/// 0 to 9, or a name.
fn level(text: &str) -> Option<u8> {
    match text.trim() {
        "low" => Some(1),
        "high" => Some(7),
        "critical" => Some(9),
        other => other.parse().ok().filter(|n| *n <= 9),
    }
}

fn tell(settings: &SourceSettings, told: &AtomicBool, attribute: &str, value: &str, event: &Event) {
    if told.swap(true, Ordering::Relaxed) {
        return;
    }
    AttributeNotKnown {
        subscription: settings.subscription.to_string(),
        attribute: attribute.to_owned(),
        value: value.chars().take(SHOWN).collect(),
        event: event.id.id.clone(),
    }
    .tell();
}

#[cfg(test)]
mod tests {
    use evenkeel_model::{AttributeValue, Event};

    use super::{SourceSettings, expires, priority, senseless};

    fn with(name: &str, value: &str) -> Event {
        let mut event = Event::new("/s", "1", "T");
        event.set_extension(name, AttributeValue::String(value.to_owned()));
        event
    }

    #[test]
    fn a_value_that_means_nothing_is_refused_with_field_value_and_rule() {
        for (name, value) in [("expirytime", "never"), ("priority", "top"), ("priority", "10"), ("priority", "")] {
            let problem = senseless(&with(name, value)).expect("refused");
            assert_eq!((problem.field.as_str(), problem.value.as_str()), (name, value));
            assert!(problem.rule.starts_with("must be "), "{}", problem.rule);
        }
        for (name, value) in [
            ("expirytime", "2026-12-01T00:00:00Z"),
            ("expirytime", "2026-12-01T01:00:00.5+01:00"),
            ("priority", "0"),
            ("priority", "9"),
            ("priority", "critical"),
            ("colour", "never"),
        ] {
            assert_eq!(senseless(&with(name, value)), None, "{name}: {value}");
        }
        assert_eq!(senseless(&Event::new("/s", "1", "T")), None);
    }

    #[test]
    fn what_came_in_all_the_same_counts_as_not_there() {
        let settings = SourceSettings::new("payment", "orders");
        assert_eq!(expires(&settings, &with("expirytime", "never")), None);
        assert_eq!(priority(&settings, &with("priority", "top")), 4);
        assert_eq!(priority(&settings, &with("priority", " high")), 7);
        assert!(expires(&settings, &with("expirytime", "2026-12-01T00:00:00Z")).is_some());
    }
}
