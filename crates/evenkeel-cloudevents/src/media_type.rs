//! Media types (RFC 2046, RFC 9110 §8.3.1), as far as events need them.

use std::borrow::Cow;

/// Whether `text` is `type/subtype` with well-formed parameters.
pub(crate) fn is_valid(text: &str) -> bool {
    let mut parts = split_parameters(text);
    let Some((kind, subtype)) = parts.next().and_then(|essence| essence.trim().split_once('/')) else {
        return false;
    };
    is_token(kind) && is_token(subtype) && parts.all(|p| is_parameter(p.trim()))
}

/// Whether the data of this type is JSON: a subtype that is `json`, or ends in `+json`.
pub(crate) fn is_json(text: &str) -> bool {
    let essence = essence(text);
    let Some((_, subtype)) = essence.split_once('/') else { return false };
    subtype == "json" || subtype.ends_with("+json")
}

/// Whether the data of this type is text that is not JSON.
pub(crate) fn is_text(text: &str) -> bool {
    let essence = essence(text);
    (essence.starts_with("text/") && !is_json(text)) || essence == "application/xml" || essence.ends_with("+xml")
}

/// Type and subtype in lower case, without parameters.
pub(crate) fn essence(text: &str) -> Cow<'_, str> {
    let written = text.split(';').next().unwrap_or_default().trim();
    if written.bytes().any(|b| b.is_ascii_uppercase()) { written.to_ascii_lowercase().into() } else { written.into() }
}

/// The value of the parameter `charset`, in lower case.
pub(crate) fn charset(text: &str) -> Option<String> {
    split_parameters(text).skip(1).find_map(|p| {
        let (name, value) = p.trim().split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    })
}

/// Parts between semicolons that stand outside quoted strings.
fn split_parameters(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' => return !quoted,
            _ => {}
        }
        false
    })
}

fn is_parameter(part: &str) -> bool {
    if part.is_empty() {
        return true;
    }
    let Some((name, value)) = part.split_once('=') else { return false };
    let value = value.trim();
    is_token(name.trim()) && (is_token(value) || is_quoted(value))
}

fn is_quoted(value: &str) -> bool {
    let Some(within) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else { return false };
    let mut escaped = false;
    for c in within.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return false,
            _ => {}
        }
    }
    !escaped
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests;
