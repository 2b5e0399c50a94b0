//! `kind: SLI`: what is measured.

use std::sync::Arc;

use crate::openslo::document::description;
use crate::openslo::fields::Fields;
use crate::openslo::finding::{Findings, Place, Rule};
use crate::openslo::metadata::check_name;
use crate::openslo::tree::{Tree, Value};

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sli {
    /// For people.
    pub description: String,
    /// How it is measured.
    pub metric: Metric,
    /// Where it stands.
    pub place: Place,
}

/// How it is measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// A value, which each objective compares with its own.
    Threshold(Source),
    /// Good ones of all.
    Good {
        /// The good ones.
        good: Source,
        /// All.
        total: Source,
    },
    /// Bad ones of all.
    Bad {
        /// The bad ones.
        bad: Source,
        /// All.
        total: Source,
    },
    /// A ratio that somebody else computed.
    Raw {
        /// The ratio.
        raw: Source,
        /// Whether it is that of the failures.
        failures: bool,
    },
}

/// Where a metric comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The name of a `DataSource`, and where it is named.
    pub reference: Option<(Arc<str>, Place)>,
    /// What kind of source.
    pub kind: Option<Arc<str>>,
    /// What is asked of it.
    pub spec: Tree,
    /// Where it stands.
    pub place: Place,
}

pub(in crate::openslo) fn read(document: &Fields<'_>, out: &mut Findings) -> Option<Sli> {
    let spec = document.required_fields("spec", out)?;
    spec.only(&["description", "thresholdMetric", "ratioMetric"], out);
    let description = description(&spec, out);
    spec.exactly_one(&["thresholdMetric", "ratioMetric"], out);
    let threshold = spec.fields("thresholdMetric", out).map(|metric| source(&metric, out));
    let ratio = spec.fields("ratioMetric", out).map(|metric| ratio(&metric, out));
    let metric = match (threshold, ratio) {
        (Some(threshold), None) => Metric::Threshold(threshold?),
        (None, ratio) => ratio??,
        (Some(_), Some(_)) => return None,
    };
    Some(Sli { description, metric, place: spec.place.clone() })
}

fn ratio(fields: &Fields<'_>, out: &mut Findings) -> Option<Metric> {
    fields.only(&["counter", "good", "bad", "total", "rawType", "raw"], out);
    fields.flag("counter", out);
    fields.exactly_one(&["total", "raw"], out);
    if fields.has("raw") {
        for other in ["good", "bad"].into_iter().filter(|other| fields.has(other)) {
            let message = format!("only one of raw, {other} may be there");
            out.add(&fields.place, Rule::MutuallyExclusive, message);
        }
        return raw(fields, out);
    }
    let any = fields.has("good") || fields.has("bad");
    out.check(any, &fields.place, Rule::OneOfProperties, || "one of good, bad must be there".to_owned());
    out.check(!(fields.has("good") && fields.has("bad")), &fields.place, Rule::MutuallyExclusive, || {
        "only one of good, bad may be there".to_owned()
    });
    let [good, bad, total] =
        ["good", "bad", "total"].map(|name| fields.fields(name, out).and_then(|metric| source(&metric, out)));
    match (good, bad) {
        (Some(good), None) => Some(Metric::Good { good, total: total? }),
        (None, Some(bad)) => Some(Metric::Bad { bad, total: total? }),
        _ => None,
    }
}

fn raw(fields: &Fields<'_>, out: &mut Findings) -> Option<Metric> {
    let kind = fields.required("rawType", out);
    if let Some(kind) = kind {
        let known = matches!(kind, "success" | "failure");
        out.check(known, &fields.at("rawType"), Rule::OneOf, || format!("is `{kind}`; the types are success, failure"));
    }
    let raw = fields.fields("raw", out).and_then(|metric| source(&metric, out));
    Some(Metric::Raw { raw: raw?, failures: kind? == "failure" })
}

fn source(metric: &Fields<'_>, out: &mut Findings) -> Option<Source> {
    metric.only(&["metricSource"], out);
    let fields = metric.required_fields("metricSource", out)?;
    fields.only(&["metricSourceRef", "type", "spec"], out);
    let reference = fields.text("metricSourceRef", out).filter(|name| !name.is_empty());
    if let Some(name) = reference {
        check_name(name, &fields.at("metricSourceRef"), out);
    }
    let kind = fields.text("type", out).filter(|kind| !kind.is_empty());
    let spec = fields.required_fields("spec", out)?;
    out.check(spec.all().next().is_some(), &spec.place, Rule::MapMinLength, || {
        "is empty; it says at least one thing".to_owned()
    });
    Some(Source {
        reference: reference.map(|name| (Arc::from(name), fields.at("metricSourceRef"))),
        kind: kind.map(Arc::from),
        spec: fields.get("spec").cloned().unwrap_or(Tree { line: fields.place.line, value: Value::Null }),
        place: fields.place.clone(),
    })
}
