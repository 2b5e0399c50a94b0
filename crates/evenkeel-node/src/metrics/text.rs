//! The two text forms: Prometheus' 0.0.4, and OpenMetrics 1.0.
//!
//! OpenMetrics names a counter without `_total` where it describes it, says the unit, shows exemplars behind
//! buckets, writes bounds as floats, and ends with `# EOF`.

use std::fmt::Write as _;

use super::exposition::{Example, Exposition, Family, Histogram, Label, Value};
use super::names::Kind;

/// The page as text.
pub(super) fn write(page: &Exposition<'_>, is_open: bool) -> String {
    let mut text = Text { out: String::with_capacity(page.series() * 128), is_open };
    page.families().for_each(|family| text.family(family));
    if is_open {
        text.out.push_str("# EOF\n");
    }
    text.out
}

struct Text {
    out: String,
    is_open: bool,
}

impl Text {
    fn family(&mut self, family: &Family<'_>) {
        let metric = family.metric;
        let name = if self.is_open { metric.family() } else { metric.name };
        let _ = writeln!(self.out, "# TYPE {name} {}", metric.kind.name());
        if let Some(unit) = metric.unit().filter(|_| self.is_open) {
            let _ = writeln!(self.out, "# UNIT {name} {unit}");
        }
        let _ = write!(self.out, "# HELP {name} ");
        self.escaped(metric.help);
        self.out.push('\n');
        for series in &family.series {
            match &series.value {
                Value::Number(value) => self.sample(metric.name, "", &series.labels, None, *value),
                Value::Histogram(histogram) => self.histogram(metric.name, &series.labels, histogram),
            }
        }
        debug_assert!(metric.kind != Kind::Counter || metric.name.ends_with("_total"), "{name}");
    }

    fn histogram(&mut self, name: &str, labels: &[Label<'_>], histogram: &Histogram<'_>) {
        let mut examples = histogram.exemplars.iter().peekable();
        let mut bound_text = String::new();
        for bucket in 0..=histogram.cumulative.len() {
            bound_text.clear();
            let count = match histogram.cumulative.get(bucket) {
                Some((bound_us, count)) => {
                    let point = if self.is_open && bound_us.is_multiple_of(1_000_000) { ".0" } else { "" };
                    let _ = write!(bound_text, "{}{point}", *bound_us as f64 / 1e6);
                    *count
                }
                None => {
                    bound_text.push_str("+Inf");
                    histogram.count
                }
            };
            self.name(name, "_bucket", labels, Some(&bound_text));
            let _ = write!(self.out, "{count}");
            if let Some((_, example)) = examples.next_if(|(at, _)| *at == bucket).filter(|_| self.is_open) {
                self.example(example);
            }
            self.out.push('\n');
        }
        self.sample(name, "_sum", labels, None, histogram.sum_us as f64 / 1e6);
        self.sample(name, "_count", labels, None, histogram.count as f64);
    }

    fn sample(&mut self, name: &str, ending: &str, labels: &[Label<'_>], bound: Option<&str>, value: f64) {
        self.name(name, ending, labels, bound);
        self.number(value);
        self.out.push('\n');
    }

    fn name(&mut self, name: &str, ending: &str, labels: &[Label<'_>], bound: Option<&str>) {
        self.out.push_str(name);
        self.out.push_str(ending);
        if !labels.is_empty() || bound.is_some() {
            self.labels(labels.iter().map(|(name, value)| (*name, &**value)).chain(bound.map(|bound| ("le", bound))));
        }
        self.out.push(' ');
    }

    fn labels<'l>(&mut self, labels: impl Iterator<Item = (&'static str, &'l str)>) {
        let mut before = '{';
        for (name, value) in labels {
            self.out.push(before);
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.escaped(value);
            self.out.push('"');
            before = ',';
        }
        if before == '{' {
            self.out.push(before);
        }
        self.out.push('}');
    }

    fn example(&mut self, example: &Example<'_>) {
        self.out.push_str(" # ");
        self.labels(example.labels.iter().map(|(name, value)| (*name, &**value)));
        let seconds = example.when.micros() as f64 / 1e6;
        let _ = write!(self.out, " {} {seconds:.3}", example.value);
    }

    fn number(&mut self, value: f64) {
        let _ = match value {
            f64::INFINITY => write!(self.out, "+Inf"),
            f64::NEG_INFINITY => write!(self.out, "-Inf"),
            // No text form has a short zero with a sign.
            0.0 => write!(self.out, "0"),
            value => write!(self.out, "{value}"),
        };
    }

    fn escaped(&mut self, text: &str) {
        if !text.contains(['\\', '"', '\n']) {
            return self.out.push_str(text);
        }
        for letter in text.chars() {
            match letter {
                '\\' => self.out.push_str("\\\\"),
                '"' => self.out.push_str("\\\""),
                '\n' => self.out.push_str("\\n"),
                other => self.out.push(other),
            }
        }
    }
}
