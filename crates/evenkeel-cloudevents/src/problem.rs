//! What is wrong with an event: the field, its value, and the rule that it breaks.

use std::fmt;

/// One broken rule. Its text is one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The attribute, header or member, as `id`, `ce-bad_name`, `data_base64`; within a batch
    /// behind its index: `[2].specversion`.
    pub field: String,
    /// The value that was found, at most 200 bytes of it; empty when there was none.
    pub value: String,
    /// The rule, so that "`field` rule" reads as a sentence: `must not be empty`.
    pub rule: String,
}

/// More than this of a value is cut.
const VALUE_BYTES_MAX: usize = 200;

impl Problem {
    pub(crate) fn new(field: impl Into<String>, value: &str, rule: impl Into<String>) -> Problem {
        Problem { field: field.into(), value: shorten(value), rule: rule.into() }
    }

    pub(crate) fn of_bytes(field: impl Into<String>, value: &[u8], rule: impl Into<String>) -> Problem {
        let head = &value[..value.len().min(2 * VALUE_BYTES_MAX)];
        Problem::new(field, &String::from_utf8_lossy(head), rule)
    }

    pub(crate) fn in_batch(mut self, index: usize) -> Problem {
        self.field = format!("[{index}].{}", self.field);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            write!(f, "`{}` {}", self.field, self.rule)
        } else {
            write!(f, "`{}` {}; it was `{}`", self.field, self.rule, self.value)
        }
    }
}

impl std::error::Error for Problem {}

fn shorten(value: &str) -> String {
    if value.len() <= VALUE_BYTES_MAX {
        return value.to_owned();
    }
    let mut end = VALUE_BYTES_MAX - '…'.len_utf8();
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &value[..end])
}
