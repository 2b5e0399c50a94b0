//! `kind: SLO`: what is aimed at.

use std::sync::Arc;

use super::alert_condition::{Operator, operator};
use super::alert_policy::{self, AlertPolicy};
use super::sli::{self, Metric, Sli};
use super::time_window::{self, TimeWindow};
use crate::openslo::document::{Written, description, named, written};
use crate::openslo::fields::Fields;
use crate::openslo::finding::{Findings, Place, Rule};
use crate::openslo::metadata;
use crate::openslo::shorthand::{self, Shorthand};

/// What is aimed at.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo {
    /// For people.
    pub description: String,
    /// The service that it belongs to.
    pub service: Arc<str>,
    /// What is measured; none when each objective says it for itself.
    pub indicator: Option<Written<Sli>>,
    /// Over what it is judged.
    pub window: TimeWindow,
    /// How the budget is counted.
    pub budgeting: Budgeting,
    /// What is aimed at: one, several of one indicator, or the parts of a composite.
    pub objectives: Vec<Target>,
    /// When somebody is told.
    pub policies: Vec<Written<AlertPolicy>>,
}

/// How the budget is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budgeting {
    /// Good events of all events.
    Occurrences,
    /// Good time slices of all.
    Timeslices,
    /// The mean of the slices' ratios.
    RatioTimeslices,
}

/// One objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// For people.
    pub display_name: String,
    /// How a threshold metric is compared.
    pub op: Option<Operator>,
    /// What a threshold metric is compared with.
    pub value: Option<f64>,
    /// The share that must be good, in [0, 1).
    pub share: f64,
    /// The share of a slice's events that makes the slice good.
    pub slice_target: Option<f64>,
    /// How long a slice is.
    pub slice: Option<Shorthand>,
    /// What is measured, in a composite.
    pub indicator: Option<Written<Sli>>,
    /// How much it weighs in a composite.
    pub weight: f64,
    /// Where it stands.
    pub place: Place,
}

const FIELDS: [&str; 8] = [
    "description",
    "service",
    "indicator",
    "indicatorRef",
    "timeWindow",
    "budgetingMethod",
    "objectives",
    "alertPolicies",
];
const TARGET_FIELDS: [&str; 10] = [
    "displayName",
    "op",
    "value",
    "target",
    "targetPercent",
    "timeSliceTarget",
    "timeSliceWindow",
    "indicator",
    "indicatorRef",
    "compositeWeight",
];

impl Slo {
    /// Whether each objective says for itself what is measured.
    pub fn is_composite(&self) -> bool {
        self.indicator.is_none()
    }
}

pub(in crate::openslo) fn read(document: &Fields<'_>, out: &mut Findings) -> Option<Slo> {
    let spec = document.required_fields("spec", out)?;
    spec.only(&FIELDS, out);
    let description = description(&spec, out);
    let service = spec.required("service", out);
    let budgeting = budgeting(&spec, out);
    let window = time_window::read(&spec, out);
    let indicator = indicator(&spec, out);
    let targets = spec.list("objectives", out);
    out.check(!targets.is_empty(), &spec.at("objectives"), Rule::Required, || "is missing or empty".to_owned());
    let targets: Vec<Fields<'_>> =
        targets.into_iter().filter_map(|(place, tree)| Fields::of(place, tree, out)).collect();
    let composite = targets.iter().any(|fields| fields.has("indicator") || fields.has("indicatorRef"));
    let own = spec.has("indicator") || spec.has("indicatorRef");
    out.check(composite || own, &spec.place, Rule::MutuallyExclusive, || {
        "`indicator` or `indicatorRef` must be there, either here or in each of the objectives (composite)".to_owned()
    });
    out.check(!(composite && own), &spec.place, Rule::MutuallyExclusive, || {
        "`indicator` or `indicatorRef` may be here or in the objectives (composite), not both".to_owned()
    });
    let objectives =
        targets.iter().filter_map(|fields| target(fields, composite, budgeting, indicator.as_ref(), out)).collect();
    let policies = spec
        .list("alertPolicies", out)
        .into_iter()
        .filter_map(|place| written(place, "alertPolicyRef", "AlertPolicy", out, alert_policy::read))
        .collect();
    let (service, budgeting, window) = (Arc::from(service?), budgeting?, window?);
    Some(Slo { description, service, indicator, window, budgeting, objectives, policies })
}

fn budgeting(spec: &Fields<'_>, out: &mut Findings) -> Option<Budgeting> {
    match spec.required("budgetingMethod", out)? {
        "Occurrences" => Some(Budgeting::Occurrences),
        "Timeslices" => Some(Budgeting::Timeslices),
        "RatioTimeslices" => Some(Budgeting::RatioTimeslices),
        other => {
            let message = format!("is `{other}`; the methods are Occurrences, Timeslices, RatioTimeslices");
            out.add(&spec.at("budgetingMethod"), Rule::OneOf, message);
            None
        }
    }
}

/// `indicator` or `indicatorRef`; nothing when neither is there.
fn indicator(fields: &Fields<'_>, out: &mut Findings) -> Option<Written<Sli>> {
    if fields.has("indicator") && fields.has("indicatorRef") {
        let message = "only one of indicator, indicatorRef may be there";
        out.add(&fields.place, Rule::MutuallyExclusive, message);
        return None;
    }
    if fields.has("indicatorRef") {
        return named(fields, "indicatorRef", out);
    }
    let inline = fields.fields("indicator", out)?;
    inline.only(&["metadata", "spec"], out);
    let metadata = metadata::read(&inline, out);
    let spec = sli::read(&inline, out);
    Some(Written::Inline { metadata: metadata?, spec: spec? })
}

fn target(
    fields: &Fields<'_>,
    composite: bool,
    budgeting: Option<Budgeting>,
    shared: Option<&Written<Sli>>,
    out: &mut Findings,
) -> Option<Target> {
    fields.only(&TARGET_FIELDS, out);
    let display_name = fields.text("displayName", out).unwrap_or_default().to_owned();
    let op = operator(fields, out);
    let value = fields.number("value", out);
    compared(fields, shared, out);
    fields.exactly_one(&["target", "targetPercent"], out);
    let share = in_range(fields, "target", 1.0, out);
    let percent = in_range(fields, "targetPercent", 100.0, out);
    let slices = matches!(budgeting, Some(Budgeting::Timeslices | Budgeting::RatioTimeslices));
    let missing = |name: &str, out: &mut Findings| {
        out.check(fields.has(name), &fields.at(name), Rule::Required, || "is missing".to_owned());
    };
    let slice_target = fields.number("timeSliceTarget", out);
    if budgeting == Some(Budgeting::Timeslices) {
        missing("timeSliceTarget", out);
        if let Some(share) = slice_target {
            let at = fields.at("timeSliceTarget");
            out.check(share > 0.0, &at, Rule::GreaterThan, || format!("is {share}; it must be above 0"));
            out.check(share <= 1.0, &at, Rule::LessThanOrEqualTo, || format!("is {share}; it must be at most 1"));
        }
    }
    if slices {
        missing("timeSliceWindow", out);
    }
    let slice = shorthand::read(fields, "timeSliceWindow", out);
    let weight = weight(fields, composite, out);
    let indicator = if composite { indicator_of_part(fields, out) } else { None };
    // 99.9 / 100 is not the number nearest to 0.999.
    let share = share.or(percent.map(|percent| (percent * 1e10).round() / 1e12))?;
    let place = fields.place.clone();
    Some(Target { display_name, op, value, share, slice_target, slice, indicator, weight, place })
}

fn indicator_of_part(fields: &Fields<'_>, out: &mut Findings) -> Option<Written<Sli>> {
    let any = fields.has("indicator") || fields.has("indicatorRef");
    out.check(any, &fields.place, Rule::MutuallyExclusive, || {
        "one of indicator, indicatorRef must be there: the others of this composite have one".to_owned()
    });
    indicator(fields, out)
}

/// `op` and `value` are for threshold metrics, and only for these; of what is written elsewhere
/// nobody can tell here.
fn compared(fields: &Fields<'_>, shared: Option<&Written<Sli>>, out: &mut Findings) {
    let Some(Written::Inline { spec, .. }) = shared else { return };
    let threshold = matches!(spec.metric, Metric::Threshold(_));
    for name in ["op", "value"] {
        let at = fields.at(name);
        out.check(!threshold || fields.has(name), &at, Rule::Required, || {
            "is missing: a threshold metric is compared with a value".to_owned()
        });
        out.check(threshold || !fields.has(name), &at, Rule::Forbidden, || {
            "is there, and a ratio metric is compared with nothing".to_owned()
        });
    }
}

fn in_range(fields: &Fields<'_>, name: &str, end: f64, out: &mut Findings) -> Option<f64> {
    let number = fields.number(name, out)?;
    let at = fields.at(name);
    out.check(number >= 0.0, &at, Rule::GreaterThanOrEqualTo, || format!("is {number}; it must be at least 0"));
    out.check(number < end, &at, Rule::LessThan, || {
        format!("is {number}; it must be below {end}, or there would be no budget to burn")
    });
    Some(number)
}

fn weight(fields: &Fields<'_>, composite: bool, out: &mut Findings) -> f64 {
    let weight = fields.number("compositeWeight", out).unwrap_or(1.0);
    out.check(!composite || weight > 0.0, &fields.at("compositeWeight"), Rule::GreaterThan, || {
        format!("is {weight}; it must be above 0")
    });
    weight
}
