//! What a metric is, and what its name says of it.

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
}

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the node starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    /// Its name in all forms.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

impl Metric {
    /// Its name as OpenMetrics describes it: a counter's without `_total`.
    pub fn family(&self) -> &'static str {
        self.name.strip_suffix("_total").filter(|_| self.kind == Kind::Counter).unwrap_or(self.name)
    }

    /// Its unit, which its name ends with; none for what is counted in pieces of its own.
    pub fn unit(&self) -> Option<&'static str> {
        let last = self.family().rsplit('_').next()?;
        ["seconds", "bytes", "ratio", "events"].into_iter().find(|unit| *unit == last)
    }
}
