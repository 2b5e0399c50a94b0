//! How many lines of a kind are written.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_model::{Clock, ManualClock, Timestamp};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::{Limit, Lines};
use crate::happenings::{IncidentNotStored, LinesLeftOut};

/// Counts what is written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<&'static str>>>);

impl<S: Subscriber> Layer<S> for Written {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.lock().unwrap().push(event.metadata().level().as_str());
    }
}

fn tell(times: usize) {
    for _ in 0..times {
        IncidentNotStored { error: "no room".to_owned() }.tell();
    }
}

#[test]
fn of_one_kind_so_many_lines_are_written_in_a_minute_and_the_rest_is_counted_and_said() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_000_000_000)));
    let limit = Arc::new(Limit::new(5, clock.clone()));
    let written = Written::default();
    let lines = || written.0.lock().unwrap().len();
    let listening = tracing_subscriber::registry().with(Lines(limit.clone())).with(written.clone());
    tracing::subscriber::with_default(listening, || {
        tell(12);
        assert_eq!(lines(), 5);
        LinesLeftOut { of: "other".to_owned(), lines: 1 }.tell();
        assert_eq!(lines(), 6, "another kind has lines of its own");
        assert_eq!(limit.over(), [], "the minute is not over");
        assert_eq!(limit.left_out(), [("incident-not-stored".to_owned(), 7)]);
        clock.advance(Duration::from_secs(60));
        tell(1);
        assert_eq!(lines(), 6, "what was left out is said first");
        assert_eq!(limit.over(), [("incident-not-stored".to_owned(), 8)]);
        assert_eq!(limit.over(), [], "once");
        tell(7);
        assert_eq!(lines(), 11, "and the next minute has lines again");
        assert_eq!(limit.left_out(), [("incident-not-stored".to_owned(), 10)]);
    });
}

#[test]
fn a_kind_that_is_rare_loses_no_line_however_long_it_goes_on() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_000_000_000)));
    let limit = Limit::new(2, clock.clone());
    for _ in 0..100 {
        assert!(limit.take("rare"));
        clock.advance(Duration::from_secs(31));
    }
    let off = Limit::new(0, clock as Arc<dyn Clock>);
    assert!((0..1_000).all(|_| off.take("any")), "0 leaves nothing out");
}
