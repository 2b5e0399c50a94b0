use std::time::Duration;

use evenkeel_model::{AttributeValue, Created, Event, Timestamp};

use super::created;

const HOUR: Duration = Duration::from_secs(3600);
const APPENDED: Timestamp = Timestamp::from_micros(1_769_848_200_000_000); // 2026-01-31T08:30:00Z

fn event(recorded: Option<&str>, time: Option<&str>) -> Event {
    let mut event = Event::new("/s", "1", "T");
    event.time = time.map(str::to_owned);
    if let Some(text) = recorded {
        event.set_extension("recordedtime", AttributeValue::String(text.to_owned()));
    }
    event
}

fn ago(seconds: u64) -> Timestamp {
    APPENDED - Duration::from_secs(seconds)
}

#[test]
fn the_first_claim_counts() {
    let believed = |at| Created { at, believed: true };
    let both = event(Some("2026-01-31T08:29:50Z"), Some("2026-01-31T08:29:00Z"));
    assert_eq!(created(&both, ago(1), APPENDED, HOUR), believed(ago(10)));
    let time = event(None, Some("2026-01-31T08:29:00Z"));
    assert_eq!(created(&time, ago(1), APPENDED, HOUR), believed(ago(60)));
    let unreadable = event(Some("soon"), None);
    assert_eq!(created(&unreadable, ago(1), APPENDED, HOUR), believed(ago(1)));
    let none = event(None, None);
    assert_eq!(created(&none, Timestamp::EPOCH, APPENDED, HOUR), believed(APPENDED));
}

#[test]
fn a_claim_after_the_append_or_long_before_it_is_not_believed() {
    let disbelieved = Created { at: APPENDED, believed: false };
    let future = event(None, Some("2026-01-31T08:30:00.000001Z"));
    assert_eq!(created(&future, ago(1), APPENDED, HOUR), disbelieved);
    let last_year = event(None, Some("2010-12-01T08:26:00Z"));
    assert_eq!(created(&last_year, ago(1), APPENDED, HOUR), disbelieved);
    let none = event(None, None);
    assert_eq!(created(&none, ago(3600), APPENDED, HOUR), Created { at: ago(3600), believed: true });
    assert_eq!(created(&none, ago(3601), APPENDED, HOUR), disbelieved);
}

#[test]
fn a_recorded_time_saves_an_old_event() {
    let replayed = event(Some("2026-01-31T08:29:59Z"), Some("2010-12-01T08:26:00Z"));
    assert_eq!(created(&replayed, ago(0), APPENDED, HOUR), Created { at: ago(1), believed: true });
}
