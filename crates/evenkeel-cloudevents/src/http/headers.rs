//! Headers of a message, sorted, and attribute values as headers carry them (HTTP protocol
//! binding, 3.1.3.2): percent-encoded UTF-8, read from quoted strings too, as older senders
//! wrote them.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::trace::Context;
use crate::Problem;

/// The headers that matter.
pub(super) struct Sorted<'h> {
    /// Name without `ce-`, in lower case, and the raw value.
    pub(super) attributes: Vec<(String, &'h [u8])>,
    pub(super) content_type: Option<String>,
    pub(super) trace: Option<Context>,
}

pub(super) fn sort<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Result<Sorted<'h>, Problem> {
    let mut sorted = Sorted { attributes: Vec::new(), content_type: None, trace: None };
    let (mut traceparent, mut tracestate) = (Vec::new(), Vec::new());
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        match (name.as_str(), name.strip_prefix("ce-")) {
            (_, Some("datacontenttype")) => {
                let rule = "must not be a header: in binary mode `content-type` says it";
                return Err(Problem::of_bytes("ce-datacontenttype", value, rule));
            }
            (_, Some(attribute)) => {
                check_name(&name, attribute, value)?;
                sorted.attributes.push((attribute.to_owned(), value));
            }
            ("content-type", _) if sorted.content_type.is_some() => {
                return Err(Problem::of_bytes("content-type", value, "must not be given twice"));
            }
            ("content-type", _) => sorted.content_type = Some(content_type(value)?),
            ("traceparent", _) => traceparent.push(value),
            ("tracestate", _) => tracestate.push(value),
            _ => {}
        }
    }
    // Of two nobody can say which one is meant.
    sorted.trace = match traceparent.as_slice() {
        [parent] => Context::read(parent, &tracestate),
        _ => None,
    };
    Ok(sorted)
}

/// The text of a header value: quoted strings are unquoted, then one round of percent-decoding.
pub(super) fn decode_value(field: &str, raw: &[u8]) -> Result<String, Problem> {
    let wrong = |rule: &str| Problem::of_bytes(field, raw, rule);
    if raw.iter().any(|b| !matches!(b, b' '..=b'~' | b'\t')) {
        return Err(wrong("must be printable ASCII in a header: other characters are percent-encoded"));
    }
    let unquoted = unquote(raw).ok_or_else(|| wrong("must close the quotation mark that it opens"))?;
    let decoded = percent_decode(&unquoted).ok_or_else(|| wrong("must have two hex digits after each `%`"))?;
    String::from_utf8(decoded).map_err(|_| wrong("must be UTF-8 once it is percent-decoded"))
}

/// The header value of a text.
pub(super) fn percent_encode(text: &str) -> String {
    const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');
    Cow::from(utf8_percent_encode(text, ENCODED)).into_owned()
}

/// Whether a text can be a header value as it is.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

fn check_name(header: &str, attribute: &str, value: &[u8]) -> Result<(), Problem> {
    if attribute.is_empty() || !attribute.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        let rule = "is no attribute: after `ce-` a name must consist of a-z and 0-9";
        return Err(Problem::of_bytes(header.chars().take(128).collect::<String>(), value, rule));
    }
    Ok(())
}

fn content_type(value: &[u8]) -> Result<String, Problem> {
    match str::from_utf8(value) {
        Ok(text) if is_plain(text.trim()) => Ok(text.trim().to_owned()),
        _ => Err(Problem::of_bytes("content-type", value, "must be a media type (RFC 2046), such as application/json")),
    }
}

/// Takes the quotation marks off quoted strings, and the backslashes within them. `None` when
/// one is not closed.
fn unquote(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    let mut quoted = false;
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => out.push(bytes.next()?),
            other => out.push(other),
        }
    }
    (!quoted).then_some(out)
}

fn percent_decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let hex = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let [high, low, after @ ..] = tail else { return None };
            out.push(hex(*high)? << 4 | hex(*low)?);
            rest = after;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    Some(out)
}
