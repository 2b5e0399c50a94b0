//! `kind: AlertNotificationTarget`: who is told.

use std::sync::Arc;

use crate::openslo::document::description;
use crate::openslo::fields::Fields;
use crate::openslo::finding::Findings;

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertTarget {
    /// For people.
    pub description: String,
    /// What kind of target: `slack`, `webhook`, `email`, …
    pub target: Arc<str>,
}

pub(in crate::openslo) fn read(document: &Fields<'_>, out: &mut Findings) -> Option<AlertTarget> {
    let spec = document.required_fields("spec", out)?;
    spec.only(&["description", "target"], out);
    let description = description(&spec, out);
    Some(AlertTarget { description, target: Arc::from(spec.required("target", out)?) })
}
