//! What is wrong with a document: file, line, field, rule, and a sentence.

use std::fmt;
use std::sync::Arc;

/// A rule that a document broke. The first group is that of OpenSLO's own validator (go-sdk,
/// `pkg/openslo/v1`), whose names it keeps; the second is what executing an objective takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A field must be there.
    Required,
    /// A field must not be there.
    Forbidden,
    /// A field has one right value.
    EqualTo,
    /// A field has a few right values.
    OneOf,
    /// Exactly one of several fields must be there.
    MutuallyExclusive,
    /// At least one of several fields must be there.
    OneOfProperties,
    /// A text has a greatest length.
    StringMaxLength,
    /// A name is an RFC 1123 label.
    StringDnsLabel,
    /// A key has a form.
    StringMatchRegexp,
    /// A time is written `2006-01-02 15:04:05`.
    StringDateTime,
    /// A time zone is in the IANA database.
    StringTimeZone,
    /// A list has a length.
    SliceLength,
    /// A list has a least length.
    SliceMinLength,
    /// A map has a least length.
    MapMinLength,
    /// A number is above a bound.
    GreaterThan,
    /// A number is at or above a bound.
    GreaterThanOrEqualTo,
    /// A number is below a bound.
    LessThan,
    /// A number is at or below a bound.
    LessThanOrEqualTo,
    /// A duration is a whole number and one of `m h d w M Q Y`.
    DurationShorthand,
    /// A calendar window has a calendar, and a rolling one has none.
    TimeWindow,
    /// A field is text, a number, a list, … and something else stands there.
    Type,
    /// No such field.
    UnknownField,
    /// What is referred to is there, once, and of the right kind.
    Reference,
    /// Two things of a kind have one name.
    DuplicateName,
    /// Sound OpenSLO, but not what Evenkeel can compute.
    NotExecuted,
    /// It could be computed, and would mean nothing: an alert that can't fire, a window of no length.
    Unsound,
}

impl Rule {
    /// Its name, as it stands in messages.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Required => "required",
            Rule::Forbidden => "forbidden",
            Rule::EqualTo => "equal_to",
            Rule::OneOf => "one_of",
            Rule::MutuallyExclusive => "mutually_exclusive",
            Rule::OneOfProperties => "one_of_properties",
            Rule::StringMaxLength => "string_max_length",
            Rule::StringDnsLabel => "string_dns_label",
            Rule::StringMatchRegexp => "string_match_regexp",
            Rule::StringDateTime => "string_date_time",
            Rule::StringTimeZone => "string_time_zone",
            Rule::SliceLength => "slice_length",
            Rule::SliceMinLength => "slice_min_length",
            Rule::MapMinLength => "map_min_length",
            Rule::GreaterThan => "greater_than",
            Rule::GreaterThanOrEqualTo => "greater_than_or_equal_to",
            Rule::LessThan => "less_than",
            Rule::LessThanOrEqualTo => "less_than_or_equal_to",
            Rule::DurationShorthand => "duration_shorthand",
            Rule::TimeWindow => "time_window",
            Rule::Type => "type",
            Rule::UnknownField => "unknown_field",
            Rule::Reference => "reference",
            Rule::DuplicateName => "duplicate_name",
            Rule::NotExecuted => "not_executed",
            Rule::Unsound => "unsound",
        }
    }
}

/// A rule that a document broke, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: Arc<str>,
    /// The line, from 1; 0 when nobody knows.
    pub line: usize,
    /// The field, as `spec.objectives[0].target`.
    pub field: String,
    /// The rule.
    pub rule: Rule,
    /// What is there and what must be.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "document" } else { &self.field };
        write!(f, "{}:{}: {field}: {} [{}]", self.file, self.line, self.message, self.rule.name())
    }
}

impl std::error::Error for Finding {}

/// A place in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The field, as `spec.objectives[0].target`.
    pub field: String,
}

/// Gathers what is wrong with one file.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) file: Arc<str>,
    pub(super) all: Vec<Finding>,
}

impl Findings {
    pub(super) fn of(file: &Arc<str>) -> Findings {
        Findings { file: Arc::clone(file), all: Vec::new() }
    }

    #[track_caller]
    pub(super) fn add(&mut self, at: &Place, rule: Rule, message: impl Into<String>) {
        #[cfg(test)]
        if left_out::is_this(std::panic::Location::caller()) {
            return;
        }
        self.all.push(Finding {
            file: Arc::clone(&self.file),
            line: at.line,
            field: at.field.clone(),
            rule,
            message: message.into(),
        });
    }

    /// Adds it unless the rule holds.
    #[track_caller]
    pub(super) fn check(&mut self, holds: bool, at: &Place, rule: Rule, message: impl FnOnce() -> String) {
        if !holds {
            self.add(at, rule, message());
        }
    }
}

/// One check, by its place in the code, that a test leaves out.
#[cfg(test)]
pub(super) mod left_out {
    use std::cell::RefCell;
    use std::collections::HashSet;
    use std::panic::Location;

    /// Checks, by the end of the path of their file, and their line.
    pub(crate) type Places = HashSet<(String, u32)>;

    thread_local! {
        static PLACE: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
        static SPOKE: RefCell<Places> = RefCell::default();
    }

    /// The checks that found something on this thread since it was asked last.
    pub(crate) fn spoke() -> Places {
        SPOKE.take()
    }

    /// From here on this one says nothing on this thread: the end of its file's path, and its line.
    pub(crate) fn leave(place: Option<(String, u32)>) {
        PLACE.with_borrow_mut(|left| *left = place);
    }

    pub(super) fn is_this(at: &Location<'_>) -> bool {
        SPOKE.with_borrow_mut(|spoke| spoke.insert((at.file().to_owned(), at.line())));
        PLACE.with_borrow(|left| {
            left.as_ref().is_some_and(|(file, line)| at.line() == *line && at.file().ends_with(file))
        })
    }
}
