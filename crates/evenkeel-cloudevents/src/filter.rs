//! Which events a subscription wants: the attribute dialects of CloudEvents Subscriptions.
//!
//! A filter looks at attributes only, never at data. An attribute that an event does not have
//! matches no [`Filter::Exact`], [`Filter::Prefix`] or [`Filter::Suffix`], not even one with an
//! empty value.

use std::borrow::Cow;

use evenkeel_model::Event;

/// A condition on an event's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Every one matches; true when there is none.
    All(Vec<Filter>),
    /// At least one matches; false when there is none.
    Any(Vec<Filter>),
    /// It does not match.
    Not(Box<Filter>),
    /// The attribute of that name has this value.
    Exact(String, String),
    /// The value of the attribute of that name begins so.
    Prefix(String, String),
    /// The value of the attribute of that name ends so.
    Suffix(String, String),
}

impl Filter {
    /// Whether `event` matches.
    pub fn matches(&self, event: &Event) -> bool {
        match self {
            Filter::All(filters) => filters.iter().all(|f| f.matches(event)),
            Filter::Any(filters) => filters.iter().any(|f| f.matches(event)),
            Filter::Not(filter) => !filter.matches(event),
            Filter::Exact(name, value) => attribute(event, name).is_some_and(|v| v == value.as_str()),
            Filter::Prefix(name, value) => attribute(event, name).is_some_and(|v| v.starts_with(value.as_str())),
            Filter::Suffix(name, value) => attribute(event, name).is_some_and(|v| v.ends_with(value.as_str())),
        }
    }
}

/// The attribute of that name in its text form.
pub fn attribute<'e>(event: &'e Event, name: &str) -> Option<Cow<'e, str>> {
    let text = match name {
        "specversion" => Some("1.0"),
        "id" => Some(event.id.id.as_str()),
        "source" => Some(event.id.source.as_str()),
        "type" => Some(event.kind.as_str()),
        "subject" => event.subject.as_deref(),
        "time" => event.time.as_deref(),
        "datacontenttype" => event.datacontenttype.as_deref(),
        "dataschema" => event.dataschema.as_deref(),
        extension => return event.extension(extension).map(Cow::Owned),
    };
    text.map(Cow::Borrowed)
}

#[cfg(test)]
mod tests;
