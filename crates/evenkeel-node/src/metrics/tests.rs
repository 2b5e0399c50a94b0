//! What a metrics page says, in each form.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::{Ended, LedgerEntry, LedgerRecord};
use evenkeel_model::{Outcome, Timestamp};
use evenkeel_transport::IntakeView;
use evenkeel_watch::{Snapshot, Watch};

use super::gather::{Seen, prometheus_duration};
use super::names::{ALL, Kind};
use super::{Form, log, names, packed, write};

const AT: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn ended(offset: u64, source: &str) -> LedgerEntry {
    LedgerEntry::Ended(Ended {
        handler_version: Arc::from("1"),
        created_to_ended_us: 12_000,
        handler_us: 4_000,
        ..Ended::at_once(offset, Outcome::Completed, "OrderCreated", source, AT)
    })
}

fn snapshot(entries: Vec<LedgerEntry>) -> Snapshot {
    let mut watch = Watch::new(Vec::new()).unwrap();
    let (subscription, topic) = (Arc::from("pay\"ment"), Arc::from("orders"));
    watch.ingest(&LedgerRecord { subscription, topic, partition: 0, sequence: 0, at: AT, entries });
    watch.snapshot(AT)
}

fn text(seen: &Seen, form: Form) -> String {
    String::from_utf8(write(seen, form)).unwrap()
}

#[test]
fn metrics_are_folded_from_the_ledger_and_typed_once() {
    let log =
        log::Seen { disk_free: Some(4096), topics: [(Arc::from("orders"), (812, 1))].into(), ..log::Seen::default() };
    let seen = Seen {
        snapshot: Some(snapshot(vec![ended(0, "/shop")])),
        log,
        uptime: Duration::from_millis(1500),
        ..Seen::default()
    };
    let text = text(&seen, Form::Text);
    assert!(text.contains(&format!("{}{{topic=\"orders\"}} 812\n", names::TOPIC_BYTES.name)), "{text}");
    assert!(text.contains(&format!("{} 4096\n", names::DISK_FREE.name)), "{text}");
    let events = names::EVENTS.name;
    assert!(text.contains(&format!("{events}{{subscription=\"pay\\\"ment\",outcome=\"completed\"}} 1\n")), "{text}");
    let latency = names::LATENCY.name;
    assert!(text.contains(&format!("{latency}_bucket{{subscription=\"pay\\\"ment\",le=\"0.025\"}} 1\n")), "{text}");
    assert!(text.contains(&format!("{latency}_bucket{{subscription=\"pay\\\"ment\",le=\"1\"}} 1\n")), "{text}");
    assert_eq!(text.matches(&format!("# TYPE {events} counter")).count(), 1);
    assert!(text.ends_with('\n') && !text.contains("# UNIT") && !text.contains("# EOF"));
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(text.contains(&format!("{} {}\n", names::SERIES.name, samples - 1)), "{samples} samples: {text}");
}

#[test]
fn open_metrics_has_units_and_ends_and_names_counters_without_total() {
    let seen = Seen { snapshot: Some(snapshot(vec![ended(0, "/shop")])), ..Seen::default() };
    let text = text(&seen, Form::OpenMetrics);
    assert!(text.contains("# TYPE evenkeel_log_appended_bytes counter\n# UNIT evenkeel_log_appended_bytes bytes\n"));
    assert!(text.contains("\nevenkeel_log_appended_bytes_total 0\n"), "{text}");
    assert!(text.contains("le=\"1.0\"") && !text.contains("le=\"1\""), "{text}");
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    assert!(!text.contains(" # {"), "no event is known, so that none can be named");
}

#[test]
fn a_source_with_a_password_is_counted_without_it_and_with_its_like() {
    let entries = vec![ended(0, "https://a:hunter2@shop/x?token=t1"), ended(1, "https://b:hunter3@shop/x?token=t2")];
    let seen = Seen { snapshot: Some(snapshot(entries)), ..Seen::default() };
    for form in Form::ALL {
        let page = String::from_utf8_lossy(&write(&seen, form)).into_owned();
        assert!(!page.contains("hunter") && !page.contains("token"), "{form:?}");
    }
    let text = text(&seen, Form::Text);
    let groups: Vec<&str> = text.lines().filter(|line| line.starts_with(names::GROUP_EVENTS.name)).collect();
    assert_eq!(groups.len(), 1, "one sample for one set of labels: {groups:?}");
    assert!(groups[0].contains("source=\"https://shop/x\"") && groups[0].ends_with("} 2"), "{groups:?}");
}

#[test]
fn the_protobuf_form_holds_as_many_families_as_the_text_form() {
    let seen = Seen { snapshot: Some(snapshot(vec![ended(0, "/shop")])), ..Seen::default() };
    let bytes = write(&seen, Form::Protobuf);
    let (mut at, mut families) = (0, Vec::new());
    while at < bytes.len() {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = bytes[at];
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        // The first field of each is its name.
        assert_eq!(bytes[at], 0x0a);
        let name = &bytes[at + 2..at + 2 + usize::from(bytes[at + 1])];
        families.push(String::from_utf8(name.to_vec()).unwrap());
        at += length;
    }
    let text = text(&seen, Form::Text);
    let named: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(families, named);
}

#[test]
fn what_is_packed_unpacks_to_the_same() {
    use std::io::Read as _;
    let page = write(&Seen::default(), Form::Text);
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(packed(&page).as_slice()).read_to_end(&mut out).unwrap();
    assert_eq!(out, page);
}

#[test]
fn an_intake_is_told_by_its_topic_and_broker() {
    let view =
        IntakeView { held: 2, received: 9, placed: 7, again: 2, settled: 5, connected: true, ..IntakeView::default() };
    let seen = Seen { intakes: vec![(Arc::from("orders"), Arc::from("shop"), view)], ..Seen::default() };
    let text = text(&seen, Form::Text);
    for (metric, value) in [
        (names::INTAKE_CONNECTED, 1),
        (names::INTAKE_HELD, 2),
        (names::INTAKE_RECEIVED, 9),
        (names::INTAKE_PLACED, 7),
        (names::INTAKE_AGAIN, 2),
        (names::INTAKE_SETTLED, 5),
        (names::INTAKE_RENEWED, 0),
        (names::INTAKE_OVERSIZED, 0),
    ] {
        let line = format!("{}{{topic=\"orders\",broker=\"shop\"}} {value}\n", metric.name);
        assert!(text.contains(&line), "{line}{text}");
    }
}

#[test]
fn durations_are_written_as_prometheus_writes_them() {
    let said = [300, 3_600, 86_400, 3 * 86_400, 28 * 86_400, 30 * 86_400, 365 * 86_400, 90, 0]
        .map(|seconds| prometheus_duration(Duration::from_secs(seconds)));
    assert_eq!(said, ["5m", "1h", "1d", "3d", "4w", "30d", "1y", "1m30s", "0s"]);
}

#[test]
fn every_metric_is_listed_once_and_named_by_the_rules() {
    let declared = include_str!("names.rs").lines().chain(include_str!("names/intakes.rs").lines());
    let declared = declared.filter(|line| line.starts_with("pub const ") && line.contains(": Metric"));
    assert_eq!(declared.count(), ALL.len(), "a metric that is not in ALL is in no document");
    for (at, metric) in ALL.iter().enumerate() {
        assert!(ALL[..at].iter().all(|other| other.name != metric.name), "{} twice", metric.name);
        assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        assert!(metric.help.ends_with('.'), "{}: a sentence", metric.name);
    }
}
