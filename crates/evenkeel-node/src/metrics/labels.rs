//! What of an event may stand in a label: groups of events whose labels are told apart.
//!
//! A source is a URI that its producer chose: a password or a query in it stays out of the metrics, and a value is cut
//! at [`LENGTH_MAX`]. Invariant: no two groups have the same labels; those that became alike are one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use evenkeel_model::Outcome;
use evenkeel_watch::{GroupKey, SubscriptionSnapshot};

use super::exposition::Label;
use super::names;

/// The most characters of a value.
const LENGTH_MAX: usize = 200;

/// A group of events of one subscription.
pub(super) struct Group<'a> {
    pub(super) labels: Vec<Label<'a>>,
    pub(super) outcomes: BTreeMap<&'static str, u64>,
    /// The largest 99th percentile of those that are one here, in microseconds.
    pub(super) p99_us: Option<u64>,
}

/// The groups of a subscription, as their labels tell them apart.
pub(super) fn groups(seen: &SubscriptionSnapshot) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<[Cow<'_, str>; 4], Group<'_>> = BTreeMap::new();
    for group in &seen.groups {
        let values = values(&group.key);
        let merged = groups.entry(values).or_insert_with_key(|values| Group {
            labels: labelled(&seen.subscription, values),
            outcomes: BTreeMap::new(),
            p99_us: None,
        });
        for (outcome, count) in &group.outcomes {
            *merged.outcomes.entry(Outcome::name(*outcome)).or_default() += count;
        }
        merged.p99_us = merged.p99_us.max(group.p99_us);
    }
    groups.into_values().collect()
}

fn values(key: &GroupKey) -> [Cow<'_, str>; 4] {
    [Cow::Borrowed(&*key.topic), cut(&key.kind), safe(&key.source), cut(&key.handler_version)]
}

fn labelled<'a>(subscription: &'a str, values: &[Cow<'a, str>; 4]) -> Vec<Label<'a>> {
    let names = [names::TOPIC, names::TYPE, names::SOURCE, names::HANDLER_VERSION];
    let own = [(names::SUBSCRIPTION, Cow::Borrowed(subscription))];
    own.into_iter().chain(names.into_iter().zip(values.iter().cloned())).collect()
}

/// A URI without the password and without the query that may be in it.
pub(super) fn safe(uri: &str) -> Cow<'_, str> {
    let bare = uri.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = bare.split_once("://") else { return cut(bare) };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => Cow::Owned(cut(&format!("{scheme}://{}", &rest[user.len() + 1..])).into_owned()),
        None => cut(bare),
    }
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LENGTH_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, safe};

    #[test]
    fn a_password_and_a_query_stay_out_of_labels() {
        assert_eq!(safe("https://ann:hunter2@shop.example/orders?token=s3cret#x"), "https://shop.example/orders");
        assert_eq!(safe("/shop?key=1"), "/shop");
        assert_eq!(safe("https://shop.example/a@b"), "https://shop.example/a@b");
        assert_eq!(safe("urn:shop:1"), "urn:shop:1");
        assert_eq!(cut(&"ä".repeat(300)).chars().count(), 201);
    }
}
