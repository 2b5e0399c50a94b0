//! Which extensions were not text: `retries=integer,urgent=boolean`, for as long as headers
//! carry them.

use evenkeel_model::AttributeValue;

const INTEGER: &str = "integer";
const BOOLEAN: &str = "boolean";

/// The header's value; `None` when all extensions are text.
pub(super) fn write(extensions: &[(String, AttributeValue)]) -> Option<String> {
    let typed: Vec<String> = extensions
        .iter()
        .filter_map(|(name, value)| match value {
            AttributeValue::String(_) => None,
            AttributeValue::Integer(_) => Some(format!("{name}={INTEGER}")),
            AttributeValue::Boolean(_) => Some(format!("{name}={BOOLEAN}")),
        })
        .collect();
    (!typed.is_empty()).then(|| typed.join(","))
}

/// The typed value of an extension, where the header names its type and the text has it; text
/// that does not stays text.
pub(super) fn read(header: &[u8], name: &str, text: &str) -> Option<AttributeValue> {
    if header.is_empty() {
        return None;
    }
    let mut entries = str::from_utf8(header).ok()?.split(',').filter_map(|entry| entry.split_once('='));
    let (_, kind) = entries.find(|(named, _)| *named == name)?;
    let value = match kind {
        INTEGER => AttributeValue::Integer(text.parse().ok()?),
        BOOLEAN => AttributeValue::Boolean(text.parse().ok()?),
        _ => return None,
    };
    (value.to_text() == text).then_some(value)
}
