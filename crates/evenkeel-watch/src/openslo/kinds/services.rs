//! `kind: Service`: a group of objectives.

use crate::openslo::document::description;
use crate::openslo::fields::Fields;
use crate::openslo::finding::Findings;

/// A group of objectives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// For people.
    pub description: String,
}

pub(in crate::openslo) fn read(document: &Fields<'_>, out: &mut Findings) -> Option<Service> {
    let Some(spec) = document.fields("spec", out) else { return Some(Service::default()) };
    spec.only(&["description"], out);
    Some(Service { description: description(&spec, out) })
}
