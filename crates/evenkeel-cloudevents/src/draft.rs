//! The attributes of one event while they come in, and the rules that they keep.
//!
//! Every form hands its attributes to a [`Draft`] and takes an event out of it, so that each rule
//! of the specification stands here once. A draft knows nothing of headers or JSON.

use bytes::Bytes;
use evenkeel_model::{AttributeValue, Event, EventId};

use crate::{Limits, Problem, media_type, time, uri};

/// Attributes so far.
pub(crate) struct Draft<'l> {
    limits: &'l Limits,
    required: [Option<String>; 4],
    subject: Option<String>,
    time: Option<String>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    extensions: Vec<(String, AttributeValue)>,
    seen: usize,
}

/// The required attributes, in the order in which a missing one is reported.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

/// A name is refused beyond this; the specification recommends 20.
const NAME_BYTES_MAX: usize = 128;

impl<'l> Draft<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Draft<'l> {
        Draft {
            limits,
            required: [const { None }; 4],
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: Vec::new(),
            seen: 0,
        }
    }

    /// Takes an attribute whose value is text.
    pub(crate) fn set_text(&mut self, name: &str, value: String) -> Result<(), Problem> {
        self.count(name)?;
        if value.len() > self.limits.attribute_bytes_max {
            let rule = format!("must not be longer than {} bytes", self.limits.attribute_bytes_max);
            return Err(Problem::new(name, &value, rule));
        }
        check_text(name, &value)?;
        let Some(slot) = self.slot(name) else { return self.extend(name, AttributeValue::String(value)) };
        if slot.is_some() {
            return Err(Problem::new(name, &value, TWICE));
        }
        *slot = Some(value);
        Ok(())
    }

    /// Takes an extension whose value is not text.
    pub(crate) fn set_extension(&mut self, name: &str, value: AttributeValue) -> Result<(), Problem> {
        self.count(name)?;
        if self.slot(name).is_some() {
            return Err(Problem::new(name, &value.to_text(), "must be a string"));
        }
        self.extend(name, value)
    }

    /// Whether an attribute of that name came in.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        match self.slot(name) {
            Some(slot) => slot.is_some(),
            None => self.extensions.iter().any(|(n, _)| n == name),
        }
    }

    /// The content type so far.
    pub(crate) fn datacontenttype(&self) -> Option<&str> {
        self.datacontenttype.as_deref()
    }

    /// Sets the content type that the form implies where none was given.
    pub(crate) fn imply_datacontenttype(&mut self, content_type: &str) {
        self.datacontenttype.get_or_insert_with(|| content_type.to_owned());
    }

    /// The event, if everything that must be there is there.
    pub(crate) fn finish(self, data: Option<Bytes>) -> Result<Event, Problem> {
        let [specversion, id, source, kind] = self.required;
        let missing = |name: &'static str| move || Problem::new(name, "", "is required");
        specversion.ok_or_else(missing(REQUIRED[0]))?;
        Ok(Event {
            id: EventId { id: id.ok_or_else(missing(REQUIRED[1]))?, source: source.ok_or_else(missing(REQUIRED[2]))? },
            kind: kind.ok_or_else(missing(REQUIRED[3]))?,
            subject: self.subject,
            time: self.time,
            datacontenttype: self.datacontenttype,
            dataschema: self.dataschema,
            extensions: self.extensions,
            data,
        })
    }

    fn count(&mut self, name: &str) -> Result<(), Problem> {
        self.seen += 1;
        if self.seen > self.limits.attributes_max {
            let rule = format!("is one attribute more than the {} that an event may have", self.limits.attributes_max);
            return Err(Problem::new(name, "", rule));
        }
        Ok(())
    }

    fn extend(&mut self, name: &str, value: AttributeValue) -> Result<(), Problem> {
        check_name(name)?;
        if self.extensions.iter().any(|(n, _)| n == name) {
            return Err(Problem::new(name, &value.to_text(), TWICE));
        }
        self.extensions.push((name.to_owned(), value));
        Ok(())
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        if let Some(at) = REQUIRED.iter().position(|r| *r == name) {
            return Some(&mut self.required[at]);
        }
        match name {
            "subject" => Some(&mut self.subject),
            "time" => Some(&mut self.time),
            "datacontenttype" => Some(&mut self.datacontenttype),
            "dataschema" => Some(&mut self.dataschema),
            _ => None,
        }
    }
}

const TWICE: &str = "must not be given twice";

fn check_name(name: &str) -> Result<(), Problem> {
    if name == "data" {
        return Err(Problem::new(name, "", "is not an attribute and cannot be set as one"));
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Err(Problem::new(shown(name), "", "is no attribute name: it must consist of a-z and 0-9"));
    }
    if name.len() > NAME_BYTES_MAX {
        let rule = format!("is no attribute name: it must not be longer than {NAME_BYTES_MAX} bytes");
        return Err(Problem::new(shown(name), "", rule));
    }
    Ok(())
}

/// A name from outside, short enough to be shown.
fn shown(name: &str) -> String {
    name.chars().take(NAME_BYTES_MAX).collect()
}

fn check_text(name: &str, value: &str) -> Result<(), Problem> {
    let rule = match name {
        "specversion" if value != "1.0" => "must be `1.0`",
        "id" | "source" | "type" | "subject" | "dataschema" | "datacontenttype" | "time" if value.is_empty() => {
            "must not be empty"
        }
        "source" if !uri::is_reference(value) => "must be a URI reference (RFC 3986)",
        "dataschema" if !uri::is_absolute(value) => "must be an absolute URI (RFC 3986)",
        "time" if time::parse_rfc3339(value).is_none() => {
            "must be a time as RFC 3339 has it, such as 2026-01-31T09:30:00Z"
        }
        "datacontenttype" if !media_type::is_valid(value) => {
            "must be a media type (RFC 2046), such as application/json"
        }
        _ if !value.bytes().all(is_plain) && value.chars().any(is_forbidden) => {
            "must not hold control characters or Unicode non-characters"
        }
        _ => return Ok(()),
    };
    Err(Problem::new(name, value, rule))
}

/// A printing character of ASCII, as most are.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

/// What a CloudEvents String may not hold.
fn is_forbidden(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}
