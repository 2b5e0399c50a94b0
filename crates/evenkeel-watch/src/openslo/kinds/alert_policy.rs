//! `kind: AlertPolicy`: when somebody is told, and who.

use super::alert_condition::{self, AlertCondition};
use super::alert_target::{self, AlertTarget};
use crate::openslo::document::{Written, description, written};
use crate::openslo::fields::Fields;
use crate::openslo::finding::{Findings, Place, Rule};

/// When somebody is told, and who.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPolicy {
    /// For people.
    pub description: String,
    /// Tell when there is no burn rate, since there are no events.
    pub when_no_data: bool,
    /// Tell when it is over.
    pub when_resolved: bool,
    /// Tell when it begins.
    pub when_breaching: bool,
    /// What must hold.
    pub condition: Written<AlertCondition>,
    /// Who is told.
    pub targets: Vec<Written<AlertTarget>>,
    /// Where it stands.
    pub place: Place,
}

const FIELDS: [&str; 6] =
    ["description", "alertWhenNoData", "alertWhenResolved", "alertWhenBreaching", "conditions", "notificationTargets"];

pub(in crate::openslo) fn read(document: &Fields<'_>, out: &mut Findings) -> Option<AlertPolicy> {
    let spec = document.required_fields("spec", out)?;
    spec.only(&FIELDS, out);
    let description = description(&spec, out);
    let flags = ["alertWhenNoData", "alertWhenResolved", "alertWhenBreaching"]
        .map(|name| spec.flag(name, out).unwrap_or(false));
    let conditions = spec.list("conditions", out);
    out.check(conditions.len() == 1, &spec.at("conditions"), Rule::SliceLength, || {
        format!("has {} conditions; an alert policy has exactly one", conditions.len())
    });
    let mut condition = None;
    for place in conditions {
        condition = written(place, "conditionRef", "AlertCondition", out, alert_condition::read);
    }
    let targets = spec.list("notificationTargets", out);
    out.check(!targets.is_empty(), &spec.at("notificationTargets"), Rule::SliceMinLength, || {
        "is empty; an alert policy has at least one target".to_owned()
    });
    let targets = targets
        .into_iter()
        .filter_map(|place| written(place, "targetRef", "AlertNotificationTarget", out, alert_target::read))
        .collect();
    let [when_no_data, when_resolved, when_breaching] = flags;
    let place = spec.place.clone();
    Some(AlertPolicy {
        description,
        when_no_data,
        when_resolved,
        when_breaching,
        condition: condition?,
        targets,
        place,
    })
}
