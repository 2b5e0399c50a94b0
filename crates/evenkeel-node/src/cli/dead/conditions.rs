//! The conditions by which dead letters are chosen, as flags.

use crate::cli::asking::escaped;

/// Which dead letters: all conditions must hold; without any, all letters.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Conditions {
    /// Died for this reason: rejected, attempts_exhausted, max_age, suspected_crash, operator
    #[arg(long)]
    reason: Option<String>,
    /// The class of the last failure
    #[arg(long)]
    class: Option<String>,
    /// Died alike: a fingerprint as `groups` shows them
    #[arg(long)]
    fingerprint: Option<String>,
    /// The events' type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// The events' source
    #[arg(long)]
    source: Option<String>,
    /// The event's id
    #[arg(long = "id")]
    id: Option<String>,
    /// The events' key
    #[arg(long)]
    key: Option<String>,
    /// The handler's version
    #[arg(long = "handler-version", value_name = "VERSION")]
    version: Option<String>,
    /// The failure's message contains this
    #[arg(long)]
    contains: Option<String>,
    /// Died at this time or later (RFC 3339)
    #[arg(long)]
    since: Option<String>,
    /// Died before this time (RFC 3339)
    #[arg(long)]
    until: Option<String>,
}

impl Conditions {
    /// The letters of events with this id.
    pub(super) fn of_id(id: &str) -> Conditions {
        Conditions { id: Some(id.to_owned()), ..Conditions::default() }
    }

    /// Name and value of each condition.
    pub(super) fn pairs(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("reason", &self.reason),
            ("class", &self.class),
            ("fingerprint", &self.fingerprint),
            ("type", &self.kind),
            ("source", &self.source),
            ("id", &self.id),
            ("key", &self.key),
            ("version", &self.version),
            ("contains", &self.contains),
            ("since", &self.since),
            ("until", &self.until),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }

    /// As parts of a query.
    pub(super) fn query(&self) -> Vec<String> {
        self.pairs().into_iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect()
    }
}
