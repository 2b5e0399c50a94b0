//! Prometheus' protobuf form, length-delimited (`io.prometheus.client`, metrics.proto): the only one that has
//! native histograms.
//!
//! Writes what the page needs of it and nothing else. Classic buckets stand beside the exponential ones: who
//! knows only those reads only those, and exemplars are on them.

use evenkeel_watch::{NATIVE_SCHEMA, NATIVE_ZERO_S, Native};

use super::exposition::{Example, Exposition, Family, Histogram, Label, Series, Value};
use super::names::Kind;

/// The page as messages, each behind its length.
pub(super) fn write(page: &Exposition<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(page.series() * 64);
    for family in page.families() {
        let message = message_of(family);
        varint(&mut out, message.len() as u64);
        out.extend(message);
    }
    out
}

fn message_of(family: &Family<'_>) -> Vec<u8> {
    let metric = family.metric;
    let mut out = Vec::with_capacity(family.series.len() * 64);
    text(&mut out, 1, metric.name);
    text(&mut out, 2, metric.help);
    let kind = match metric.kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 4,
    };
    number(&mut out, 3, kind);
    for series in &family.series {
        bytes(&mut out, 4, &series_of(series, metric.kind));
    }
    if let Some(unit) = metric.unit() {
        text(&mut out, 5, unit);
    }
    out
}

fn series_of(series: &Series<'_>, kind: Kind) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    series.labels.iter().for_each(|label| bytes(&mut out, 1, &pair(label)));
    match &series.value {
        Value::Number(value) => {
            let mut inner = Vec::with_capacity(9);
            double(&mut inner, 1, *value);
            bytes(&mut out, if kind == Kind::Counter { 3 } else { 2 }, &inner);
        }
        Value::Histogram(histogram) => bytes(&mut out, 7, &histogram_of(histogram)),
    }
    out
}

fn histogram_of(histogram: &Histogram<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    number(&mut out, 1, histogram.count);
    double(&mut out, 2, histogram.sum_us as f64 / 1e6);
    let bounded = histogram.cumulative.iter().map(|(bound_us, count)| (*bound_us as f64 / 1e6, *count));
    for (at, (bound, count)) in bounded.chain([(f64::INFINITY, histogram.count)]).enumerate() {
        let mut bucket = Vec::with_capacity(32);
        number(&mut bucket, 1, count);
        double(&mut bucket, 2, bound);
        if let Some((_, example)) = histogram.exemplars.iter().find(|(bucket, _)| *bucket == at) {
            bytes(&mut bucket, 3, &example_of(example));
        }
        bytes(&mut out, 3, &bucket);
    }
    if let Some(native) = histogram.native {
        exponential(&mut out, native);
    }
    out
}

/// Spans of buckets that follow each other, and each count as the difference to the one before.
fn exponential(out: &mut Vec<u8>, native: &Native) {
    signed(out, 5, i64::from(NATIVE_SCHEMA));
    double(out, 6, NATIVE_ZERO_S);
    number(out, 7, native.zeros);
    let (mut next, mut before) = (0_i64, 0_i64);
    let mut spans: Vec<(i64, u64)> = Vec::new();
    let mut deltas = Vec::with_capacity(native.buckets.len());
    for &(bucket, count) in &native.buckets {
        match spans.last_mut() {
            Some((_, length)) if i64::from(bucket) == next => *length += 1,
            _ => spans.push((i64::from(bucket) - next, 1)),
        }
        next = i64::from(bucket) + 1;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        deltas.push(count - before);
        before = count;
    }
    // One that is empty is told from a classic histogram by a span of nothing.
    if spans.is_empty() {
        spans.push((0, 0));
    }
    for (offset, length) in spans {
        let mut span = Vec::with_capacity(8);
        signed(&mut span, 1, offset);
        number(&mut span, 2, length);
        bytes(out, 12, &span);
    }
    deltas.into_iter().for_each(|delta| signed(out, 13, delta));
}

fn example_of(example: &Example<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    example.labels.iter().for_each(|label| bytes(&mut out, 1, &pair(label)));
    double(&mut out, 2, example.value);
    let micros = u64::try_from(example.when.micros()).unwrap_or(0);
    let mut when = Vec::with_capacity(12);
    number(&mut when, 1, micros / 1_000_000);
    number(&mut when, 2, micros % 1_000_000 * 1_000);
    bytes(&mut out, 3, &when);
    out
}

fn pair((name, value): &Label<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + value.len() + 4);
    text(&mut out, 1, name);
    text(&mut out, 2, value);
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn tag(out: &mut Vec<u8>, field: u64, wire: u64) {
    varint(out, field << 3 | wire);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    tag(out, field, 0);
    varint(out, value);
}

/// `sint32` and `sint64`: zigzag.
fn signed(out: &mut Vec<u8>, field: u64, value: i64) {
    number(out, field, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    tag(out, field, 1);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    tag(out, field, 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

fn text(out: &mut Vec<u8>, field: u64, value: &str) {
    bytes(out, field, value.as_bytes());
}
