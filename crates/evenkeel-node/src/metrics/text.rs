//! Prometheus' text form 0.0.4: samples of one metric stand together, under one TYPE line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use evenkeel_log::Times;
use evenkeel_watch::Buckets;

use super::names::Metric;

/// A page being written.
#[derive(Default)]
pub(super) struct Text {
    metrics: BTreeMap<&'static str, (&'static Metric, String)>,
}

impl Text {
    /// Adds a sample.
    pub(super) fn one(&mut self, metric: &'static Metric, labels: &[(&str, &str)], value: f64) {
        let lines = self.lines(metric);
        let _ = writeln!(lines, "{}{} {value}", metric.name, labelled(labels, None));
    }

    /// Adds a histogram of the watch.
    pub(super) fn histogram(&mut self, metric: &'static Metric, labels: &[(&str, &str)], buckets: &Buckets) {
        self.buckets(metric, labels, &buckets.cumulative, buckets.count, buckets.sum_us);
    }

    /// Adds a histogram of the log.
    pub(super) fn times(&mut self, metric: &'static Metric, times: &Times) {
        self.buckets(metric, &[], &times.at_most, times.count, times.sum_us);
    }

    fn buckets(
        &mut self,
        metric: &'static Metric,
        labels: &[(&str, &str)],
        cumulative: &[(u64, u64)],
        count: u64,
        sum_us: u64,
    ) {
        let lines = self.lines(metric);
        for (bound_us, count) in cumulative {
            let bound = (*bound_us as f64 / 1e6).to_string();
            let _ = writeln!(lines, "{}_bucket{} {count}", metric.name, labelled(labels, Some(&bound)));
        }
        let _ = writeln!(lines, "{}_bucket{} {count}", metric.name, labelled(labels, Some("+Inf")));
        let _ = writeln!(lines, "{}_sum{} {}", metric.name, labelled(labels, None), sum_us as f64 / 1e6);
        let _ = writeln!(lines, "{}_count{} {count}", metric.name, labelled(labels, None));
    }

    pub(super) fn finish(self) -> String {
        self.metrics.into_values().fold(String::new(), |mut page, (metric, lines)| {
            let _ = write!(page, "# HELP {0} {1}\n# TYPE {0} {2}\n{lines}", metric.name, metric.help, metric.kind);
            page
        })
    }

    fn lines(&mut self, metric: &'static Metric) -> &mut String {
        &mut self.metrics.entry(metric.name).or_insert_with(|| (metric, String::new())).1
    }
}

fn labelled(labels: &[(&str, &str)], bound: Option<&str>) -> String {
    let all: Vec<String> = labels
        .iter()
        .copied()
        .chain(bound.map(|le| ("le", le)))
        .map(|(name, value)| {
            format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        })
        .collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}
