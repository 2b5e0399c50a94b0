//! `kind: DataSource`: where metrics come from, for many indicators at once.

use std::sync::Arc;

use crate::openslo::document::description;
use crate::openslo::fields::Fields;
use crate::openslo::finding::{Findings, Rule};
use crate::openslo::tree::Tree;

/// Where metrics come from.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSource {
    /// For people.
    pub description: String,
    /// What kind of source.
    pub kind: Arc<str>,
    /// How to reach it. For `evenkeel`: fields that each metric of this source begins with.
    pub connection: Tree,
}

pub(in crate::openslo) fn read(document: &Fields<'_>, out: &mut Findings) -> Option<DataSource> {
    let spec = document.required_fields("spec", out)?;
    spec.only(&["description", "type", "connectionDetails"], out);
    let description = description(&spec, out);
    let kind = spec.required("type", out);
    let connection = spec.get("connectionDetails");
    out.check(connection.is_some(), &spec.at("connectionDetails"), Rule::Required, || "is missing".to_owned());
    Some(DataSource { description, kind: Arc::from(kind?), connection: connection?.clone() })
}
