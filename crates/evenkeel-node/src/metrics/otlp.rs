//! OTLP's form of a page: for each of our metrics one of the collector's, under the same name.
//!
//! Counters are cumulative sums, and begin at an unknown time: those from the ledger are older than the process, and
//! a reader that took its start for theirs would count all of them again. Histograms have the page's bounds.

use evenkeel_model::Timestamp;

use super::exposition::{Example, Exposition, Family, Histogram, Label, Series, Value};
use super::names::{self, Kind};
use crate::telemetry::{Message, Value as Attribute, nanos};

const CUMULATIVE: u64 = 2;

/// The page as metrics of OTLP, each in field 2 of its scope.
pub(super) fn write(page: &Exposition<'_>, now: Timestamp) -> Message {
    let mut scope = Message::default();
    for family in page.families() {
        scope.message(2, |metric| metric_of(metric, family, nanos(now)));
    }
    scope
}

fn metric_of(out: &mut Message, family: &Family<'_>, now: u64) {
    let metric = family.metric;
    out.text(1, metric.name).text(2, metric.help).text(3, unit(metric.unit()));
    let points = |out: &mut Message| {
        family.series.iter().for_each(|series| {
            out.message(1, |point| point_of(point, series, now));
        });
    };
    match metric.kind {
        Kind::Gauge => out.message(5, points),
        Kind::Counter => out.message(7, |sum| {
            points(sum);
            sum.number(2, CUMULATIVE).number(3, 1);
        }),
        Kind::Histogram => out.message(9, |histogram| {
            points(histogram);
            histogram.number(2, CUMULATIVE);
        }),
    };
}

/// By UCUM, as OpenTelemetry wants it.
fn unit(of: Option<&str>) -> &str {
    match of {
        Some("seconds") => "s",
        Some("bytes") => "By",
        Some("ratio") => "1",
        Some("events") => "{event}",
        _ => "",
    }
}

fn point_of(out: &mut Message, series: &Series<'_>, now: u64) {
    out.fixed64(3, now);
    match &series.value {
        Value::Number(value) => {
            out.double(4, *value);
            attributes(out, 7, &series.labels);
        }
        Value::Histogram(histogram) => {
            buckets(out, histogram, now);
            attributes(out, 9, &series.labels);
        }
    }
}

fn attributes(out: &mut Message, field: u32, labels: &[Label<'_>]) {
    for (name, value) in labels {
        out.attribute(field, name, &Attribute::from(&**value));
    }
}

/// Each bucket holds its own values here, and one beyond the last bound the rest.
fn buckets(out: &mut Message, histogram: &Histogram<'_>, now: u64) {
    let up_to = histogram.cumulative.iter().map(|(_, count)| *count).chain([histogram.count]);
    let below = [0].into_iter().chain(histogram.cumulative.iter().map(|(_, count)| *count));
    let counts: Vec<u8> = up_to.zip(below).flat_map(|(up_to, below)| (up_to - below).to_le_bytes()).collect();
    let bounds: Vec<u8> = histogram.cumulative.iter().flat_map(|(us, _)| (*us as f64 / 1e6).to_le_bytes()).collect();
    out.fixed64(4, histogram.count).double(5, histogram.sum_us as f64 / 1e6).bytes(6, &counts).bytes(7, &bounds);
    for (_, example) in &histogram.exemplars {
        out.message(8, |exemplar| exemplar_of(exemplar, example, now));
    }
}

fn exemplar_of(out: &mut Message, example: &Example<'_>, now: u64) {
    out.fixed64(2, nanos(example.when).min(now)).double(3, example.value);
    for (name, value) in &example.labels {
        match bytes_of(value).filter(|_| *name == names::TRACE_ID) {
            Some(trace) => out.bytes(5, &trace),
            None => out.attribute(7, name, &Attribute::from(&**value)),
        };
    }
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use evenkeel_model::Timestamp;

    use super::super::exposition::{Exposition, Histogram, Series, Value};
    use super::super::names;
    use super::{buckets, point_of, write};
    use crate::telemetry::Message;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn each_metric_of_the_page_is_there_under_its_own_name_with_its_unit_and_labels() {
        let mut page = Exposition::default();
        page.one(&names::LAG, &[(names::SUBSCRIPTION, "payment")], 2.5);
        page.one(&names::EVENTS, &[(names::SUBSCRIPTION, "payment")], 7.0);
        let written = write(&page, NOW).0;
        for part in [names::LAG.name, names::EVENTS.name, "subscription", "payment"] {
            assert!(contains(&written, part.as_bytes()), "{part}");
        }
        // A gauge in seconds is field 5; a sum, field 7, is cumulative and only grows.
        assert!(contains(&written, &[0x1a, 1, b's', 0x2a]) && contains(&written, &[0x10, 2, 0x18, 1]));
        let mut point = Message::default();
        point_of(&mut point, &Series { labels: Vec::new(), value: Value::Number(7.0) }, 1);
        let expected = [&[0x19][..], &1_u64.to_le_bytes(), &[0x21], &7.0_f64.to_le_bytes()].concat();
        assert_eq!(point.0, expected, "no start: it may lie before the process");
    }

    #[test]
    fn buckets_hold_their_own_values_and_the_last_one_the_rest() {
        let cumulative = [(5_000, 2), (10_000, 2), (25_000, 9)];
        let histogram =
            Histogram { cumulative: &cumulative, count: 10, sum_us: 1_500_000, native: None, exemplars: Vec::new() };
        let mut point = Message::default();
        buckets(&mut point, &histogram, 1);
        let counts: Vec<u8> = [2_u64, 0, 7, 1].iter().flat_map(|count| count.to_le_bytes()).collect();
        assert!(contains(&point.0, &[&[0x32, 32][..], &counts].concat()));
        assert!(contains(&point.0, &[&[0x29][..], &1.5_f64.to_le_bytes()].concat()));
    }
}
