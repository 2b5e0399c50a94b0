//! `kind: AlertCondition`: what must hold before somebody is told.

use std::sync::Arc;

use crate::openslo::document::description;
use crate::openslo::fields::Fields;
use crate::openslo::finding::{Findings, Place, Rule};
use crate::openslo::shorthand::{self, Shorthand};

/// What must hold before somebody is told.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertCondition {
    /// For people.
    pub description: String,
    /// How bad it is: any text.
    pub severity: Arc<str>,
    /// How the burn rate is compared.
    pub op: Operator,
    /// The burn rate that it is compared with.
    pub threshold: f64,
    /// Over how long the burn rate is taken.
    pub lookback: Shorthand,
    /// How long it must hold.
    pub after: Option<Shorthand>,
    /// Where it stands.
    pub place: Place,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Greater than.
    Gt,
    /// Less than.
    Lt,
    /// Greater than or equal to.
    Gte,
    /// Less than or equal to.
    Lte,
}

const OPERATORS: [(&str, Operator); 4] =
    [("gt", Operator::Gt), ("lt", Operator::Lt), ("gte", Operator::Gte), ("lte", Operator::Lte)];

impl Operator {
    /// Its name.
    pub fn name(self) -> &'static str {
        OPERATORS.into_iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }
}

/// `op` of these fields, when it is there.
pub(in crate::openslo) fn operator(fields: &Fields<'_>, out: &mut Findings) -> Option<Operator> {
    let text = fields.text("op", out)?;
    let found = OPERATORS.into_iter().find(|(name, _)| *name == text);
    out.check(found.is_some(), &fields.at("op"), Rule::OneOf, || {
        format!("is `{text}`; the operators are gt, lt, gte, lte")
    });
    found.map(|(_, op)| op)
}

pub(in crate::openslo) fn read(document: &Fields<'_>, out: &mut Findings) -> Option<AlertCondition> {
    let spec = document.required_fields("spec", out)?;
    spec.only(&["description", "severity", "condition"], out);
    let description = description(&spec, out);
    let severity = spec.required("severity", out);
    let condition = spec.required_fields("condition", out)?;
    condition.only(&["kind", "op", "threshold", "lookbackWindow", "alertAfter"], out);
    if let Some(kind) = condition.required("kind", out) {
        let at = condition.at("kind");
        out.check(kind == "burnrate", &at, Rule::OneOf, || format!("is `{kind}`; the kinds are burnrate"));
    }
    let missing = |field: &str, out: &mut Findings| {
        out.check(condition.has(field), &condition.at(field), Rule::Required, || "is missing".to_owned());
    };
    missing("op", out);
    let op = operator(&condition, out);
    missing("threshold", out);
    let threshold = condition.number("threshold", out);
    let lookback = shorthand::required(&condition, "lookbackWindow", out);
    let after = shorthand::read(&condition, "alertAfter", out);
    Some(AlertCondition {
        description,
        severity: Arc::from(severity?),
        op: op?,
        threshold: threshold?,
        lookback: lookback?,
        after,
        place: condition.place.clone(),
    })
}
