//! `metadata` of every kind: names, labels and annotations.
//!
//! Evenkeel's own annotations begin with `evenkeel/`; which there are is said where they are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fields::Fields;
use super::finding::{Findings, Place, Rule};
use super::tree::Value;

/// What begins the name of our own annotations.
pub const PREFIX: &str = "evenkeel/";
const LABEL_MAX: usize = 63;
const PREFIX_MAX: usize = 253;

/// Who a thing is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// An RFC 1123 label.
    pub name: Arc<str>,
    /// Where the name stands.
    pub place: Place,
    /// For people.
    pub display_name: String,
    /// Each label with its values.
    pub labels: BTreeMap<String, Vec<String>>,
    /// Each annotation with its value and place.
    pub annotations: BTreeMap<String, (String, Place)>,
}

/// Whether it is 1 to 63 of a-z, 0-9 and `-`, and neither begins nor ends with `-`.
pub fn is_dns_label(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=LABEL_MAX).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// A name that refers to something.
pub(super) fn check_name(name: &str, at: &Place, out: &mut Findings) {
    out.check(is_dns_label(name), at, Rule::StringDnsLabel, || {
        format!("is `{name}`; a name is 1 to 63 of a-z, 0-9 and `-`, and neither begins nor ends with `-`")
    });
}

/// `metadata` of these fields.
pub(super) fn read(of: &Fields<'_>, out: &mut Findings) -> Option<Metadata> {
    let fields = of.required_fields("metadata", out)?;
    fields.only(&["name", "displayName", "labels", "annotations"], out);
    let name = fields.required("name", out);
    if let Some(name) = name {
        check_name(name, &fields.at("name"), out);
    }
    let display_name = fields.text("displayName", out).unwrap_or_default();
    let long = display_name.chars().count();
    out.check(long <= LABEL_MAX, &fields.at("displayName"), Rule::StringMaxLength, || {
        format!("has {long} characters, and may have {LABEL_MAX}")
    });
    Some(Metadata {
        name: Arc::from(name?),
        place: fields.at("name"),
        display_name: display_name.to_owned(),
        labels: labels(&fields, out),
        annotations: annotations(&fields, out),
    })
}

fn labels(of: &Fields<'_>, out: &mut Findings) -> BTreeMap<String, Vec<String>> {
    let mut read = BTreeMap::new();
    let Some(fields) = of.fields("labels", out) else { return read };
    for (key, tree) in fields.all() {
        let at = fields.at(&key.name);
        out.check(is_key_name(&key.name), &at, Rule::StringMatchRegexp, || {
            format!("a label's key is 1 to {LABEL_MAX} letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit")
        });
        let mut values = Vec::new();
        let list = match &tree.value {
            Value::List(list) => list.as_slice(),
            _ => std::slice::from_ref(tree),
        };
        for value in list {
            match &value.value {
                Value::Text(text) => values.push(text.clone()),
                other => {
                    let found = other.kind();
                    out.add(&at, Rule::Type, format!("must be text or a list of texts, and it is {found}"));
                }
            }
        }
        read.insert(key.name.clone(), values);
    }
    read
}

fn annotations(of: &Fields<'_>, out: &mut Findings) -> BTreeMap<String, (String, Place)> {
    let mut read = BTreeMap::new();
    let Some(fields) = of.fields("annotations", out) else { return read };
    for (key, _) in fields.all() {
        let at = fields.at(&key.name);
        out.check(is_annotation_key(&key.name), &at, Rule::StringMatchRegexp, || {
            "an annotation's key is like `my-domain.org/my-key`: a DNS name and a slash, which may be left out, \
             then 1 to 63 letters, digits, `-`, `_` and `.`"
                .to_owned()
        });
        if let Some(text) = fields.text(&key.name, out) {
            read.insert(key.name.clone(), (text.to_owned(), at));
        }
    }
    read
}

fn is_key_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    (1..=LABEL_MAX).contains(&bytes.len())
        && bytes.iter().copied().all(inner)
        && ends(bytes.first())
        && ends(bytes.last())
}

fn is_annotation_key(key: &str) -> bool {
    match key.rsplit_once('/') {
        None => is_key_name(key),
        Some((prefix, name)) => prefix.len() <= PREFIX_MAX && prefix.split('.').all(is_dns_label) && is_key_name(name),
    }
}
