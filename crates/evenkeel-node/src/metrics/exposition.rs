//! What a metrics page shows, before it is written in one of its forms: families of series.
//!
//! Samples of one metric stand together, in the order of the metrics' names. Does not know any form.

use std::borrow::Cow;
use std::collections::BTreeMap;

use evenkeel_log::Times;
use evenkeel_model::Timestamp;
use evenkeel_watch::{Buckets, Native};

use super::exemplars::Known;
use super::names::Metric;

/// A label and its value.
pub(super) type Label<'a> = (&'static str, Cow<'a, str>);

/// A page being gathered.
#[derive(Default)]
pub(super) struct Exposition<'a> {
    families: BTreeMap<&'static str, Family<'a>>,
}

/// One metric.
pub(super) struct Family<'a> {
    pub(super) metric: &'static Metric,
    pub(super) series: Vec<Series<'a>>,
}

/// One series of a metric.
pub(super) struct Series<'a> {
    pub(super) labels: Vec<Label<'a>>,
    pub(super) value: Value<'a>,
}

/// What a series says.
pub(super) enum Value<'a> {
    Number(f64),
    Histogram(Histogram<'a>),
}

/// A histogram, in classic buckets and perhaps in exponential ones.
pub(super) struct Histogram<'a> {
    /// Upper bounds in microseconds, each with what lies at or below it.
    pub(super) cumulative: &'a [(u64, u64)],
    pub(super) count: u64,
    pub(super) sum_us: u64,
    pub(super) native: Option<&'a Native>,
    /// By the number of their bucket, ascending.
    pub(super) exemplars: Vec<(usize, Example<'a>)>,
}

/// An event that stands for a bucket.
#[derive(Clone)]
pub(super) struct Example<'a> {
    pub(super) labels: Vec<Label<'a>>,
    pub(super) value: f64,
    pub(super) when: Timestamp,
}

impl<'a> Exposition<'a> {
    /// Adds the only sample of a metric.
    pub(super) fn alone(&mut self, metric: &'static Metric, value: f64) {
        self.one::<&str>(metric, &[], value);
    }

    /// Adds a sample.
    pub(super) fn one<V: Clone + Into<Cow<'a, str>>>(
        &mut self,
        metric: &'static Metric,
        labels: &[(&'static str, V)],
        value: f64,
    ) {
        self.add(metric, labels, Value::Number(value));
    }

    /// Adds a histogram of the watch.
    pub(super) fn histogram(
        &mut self,
        metric: &'static Metric,
        labels: &[(&'static str, &'a str)],
        buckets: &'a Buckets,
        known: &'a Known,
    ) {
        let exemplars = buckets.exemplars.iter().filter_map(|(bucket, exemplar)| {
            let labels = known.labels(&exemplar.at)?;
            Some((*bucket, Example { labels, value: exemplar.us as f64 / 1e6, when: exemplar.when }))
        });
        let histogram = Histogram {
            cumulative: &buckets.cumulative,
            count: buckets.count,
            sum_us: buckets.sum_us,
            native: Some(&buckets.native),
            exemplars: exemplars.collect(),
        };
        self.add(metric, labels, Value::Histogram(histogram));
    }

    /// Adds a histogram of the log.
    pub(super) fn times(&mut self, metric: &'static Metric, times: &'a Times) {
        let Times { count, sum_us, at_most } = times;
        let histogram =
            Histogram { cumulative: at_most, count: *count, sum_us: *sum_us, native: None, exemplars: Vec::new() };
        self.add::<&str>(metric, &[], Value::Histogram(histogram));
    }

    /// All of it, in the order of names.
    pub(super) fn families(&self) -> impl Iterator<Item = &Family<'a>> {
        self.families.values()
    }

    /// How many series there are; each bucket of a histogram is one, and so are its sum and its count.
    pub(super) fn series(&self) -> usize {
        let of = |series: &Series<'_>| match &series.value {
            Value::Number(_) => 1,
            Value::Histogram(histogram) => histogram.cumulative.len() + 3,
        };
        self.families.values().flat_map(|family| family.series.iter().map(of)).sum()
    }

    fn add<V: Clone + Into<Cow<'a, str>>>(
        &mut self,
        metric: &'static Metric,
        labels: &[(&'static str, V)],
        value: Value<'a>,
    ) {
        let family = self.families.entry(metric.name).or_insert_with(|| Family { metric, series: Vec::new() });
        let labels = labels.iter().map(|(name, value)| (*name, value.clone().into())).collect();
        family.series.push(Series { labels, value });
    }
}
