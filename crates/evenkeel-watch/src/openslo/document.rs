//! One OpenSLO v1 document: its kind, its metadata, and what its kind says.
//!
//! Does: read a [`Tree`] by the rules of OpenSLO's validator, all findings at once. Does not:
//! follow references, or judge whether Evenkeel can compute it. The rules stand in one file for
//! each kind.

use std::sync::Arc;

use super::fields::Fields;
use super::finding::{Finding, Findings, Place, Rule};
use super::kinds::{alert_condition, alert_policy, alert_target, data_source, services, sli, slo};
use super::metadata::{self, Metadata};
use super::tree::Tree;

/// The version that is read.
pub const API_VERSION: &str = "openslo/v1";
/// The longest description.
const DESCRIPTION_MAX: usize = 1050;

/// A document that obeys OpenSLO's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The file.
    pub file: Arc<str>,
    /// Who it is.
    pub metadata: Metadata,
    /// What its kind says.
    pub body: Body,
}

/// What a kind says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A group of objectives.
    Service(services::Service),
    /// Where metrics come from.
    DataSource(data_source::DataSource),
    /// What is measured.
    Sli(sli::Sli),
    /// What is aimed at.
    Slo(Box<slo::Slo>),
    /// When somebody is told.
    AlertPolicy(alert_policy::AlertPolicy),
    /// What must hold before somebody is told.
    AlertCondition(alert_condition::AlertCondition),
    /// Who is told.
    AlertNotificationTarget(alert_target::AlertTarget),
}

/// The kinds that there are.
pub const KINDS: [&str; 7] =
    ["AlertCondition", "AlertNotificationTarget", "AlertPolicy", "DataSource", "SLI", "SLO", "Service"];

impl Body {
    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::Service(_) => "Service",
            Body::DataSource(_) => "DataSource",
            Body::Sli(_) => "SLI",
            Body::Slo(_) => "SLO",
            Body::AlertPolicy(_) => "AlertPolicy",
            Body::AlertCondition(_) => "AlertCondition",
            Body::AlertNotificationTarget(_) => "AlertNotificationTarget",
        }
    }
}

/// Something that is written in place, or named and written elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Written<T> {
    /// In place.
    Inline {
        /// Who it is.
        metadata: Metadata,
        /// What it says.
        spec: T,
    },
    /// Elsewhere, under this name.
    Named {
        /// The name.
        name: Arc<str>,
        /// Where it is named.
        place: Place,
    },
}

/// Reads one document, by all rules of OpenSLO v1.
pub fn read(file: &Arc<str>, tree: &Tree) -> Result<Document, Vec<Finding>> {
    let mut out = Findings::of(file);
    let whole = Place { line: tree.line, field: String::new() };
    let document = Fields::of(whole, tree, &mut out).and_then(|fields| read_fields(&fields, &mut out));
    match document {
        Some(document) if out.all.is_empty() => Ok(document),
        _ => Err(out.all),
    }
}

fn read_fields(fields: &Fields<'_>, out: &mut Findings) -> Option<Document> {
    fields.only(&["apiVersion", "kind", "metadata", "spec"], out);
    if let Some(version) = fields.required("apiVersion", out) {
        let at = fields.at("apiVersion");
        out.check(version == API_VERSION, &at, Rule::EqualTo, || format!("is `{version}`; it must be `{API_VERSION}`"));
    }
    let kind = fields.required("kind", out);
    let metadata = metadata::read(fields, out);
    let body = match kind? {
        "Service" => services::read(fields, out).map(Body::Service),
        "DataSource" => data_source::read(fields, out).map(Body::DataSource),
        "SLI" => sli::read(fields, out).map(Body::Sli),
        "SLO" => slo::read(fields, out).map(Box::new).map(Body::Slo),
        "AlertPolicy" => alert_policy::read(fields, out).map(Body::AlertPolicy),
        "AlertCondition" => alert_condition::read(fields, out).map(Body::AlertCondition),
        "AlertNotificationTarget" => alert_target::read(fields, out).map(Body::AlertNotificationTarget),
        other => {
            let message = format!("is `{other}`; the kinds are {}", KINDS.join(", "));
            out.add(&fields.at("kind"), Rule::OneOf, message);
            None
        }
    };
    Some(Document { file: Arc::clone(&out.file), metadata: metadata?, body: body? })
}

/// `spec.description` of any kind.
pub(super) fn description(spec: &Fields<'_>, out: &mut Findings) -> String {
    let text = spec.text("description", out).unwrap_or_default();
    let long = text.chars().count();
    out.check(long <= DESCRIPTION_MAX, &spec.at("description"), Rule::StringMaxLength, || {
        format!("has {long} characters, and may have {DESCRIPTION_MAX}")
    });
    text.to_owned()
}

/// Something that is written in place as `kind`, `metadata`, `spec`, or named by `reference`.
pub(super) fn written<T>(
    (place, tree): (Place, &Tree),
    reference: &str,
    kind: &str,
    out: &mut Findings,
    read_spec: impl FnOnce(&Fields<'_>, &mut Findings) -> Option<T>,
) -> Option<Written<T>> {
    let fields = Fields::of(place, tree, out)?;
    if fields.has(reference) {
        for inline in ["kind", "metadata", "spec"].into_iter().filter(|field| fields.has(field)) {
            let message = format!("only one of {reference} and {inline} may be there");
            out.add(&fields.place, Rule::MutuallyExclusive, message);
        }
        fields.only(&[reference, "kind", "metadata", "spec"], out);
        return named(&fields, reference, out);
    }
    if ["kind", "metadata", "spec"].into_iter().all(|field| !fields.has(field)) {
        out.add(&fields.place, Rule::MutuallyExclusive, format!("one of {reference}, spec must be there"));
        fields.only(&[reference, "kind", "metadata", "spec"], out);
        return None;
    }
    fields.only(&[reference, "kind", "metadata", "spec"], out);
    if let Some(found) = fields.required("kind", out) {
        out.check(found == kind, &fields.at("kind"), Rule::EqualTo, || format!("is `{found}`; it must be `{kind}`"));
    }
    let metadata = metadata::read(&fields, out);
    let spec = read_spec(&fields, out);
    Some(Written::Inline { metadata: metadata?, spec: spec? })
}

/// The name in a field that refers to something.
pub(super) fn named<T>(fields: &Fields<'_>, field: &str, out: &mut Findings) -> Option<Written<T>> {
    let name = fields.required(field, out)?;
    metadata::check_name(name, &fields.at(field), out);
    Some(Written::Named { name: Arc::from(name), place: fields.at(field) })
}
