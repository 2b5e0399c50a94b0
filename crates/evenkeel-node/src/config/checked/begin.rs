//! Where a new subscription begins: `earliest`, `latest`, a time, an offset, or offsets by
//! partition, as in `from: { "0": 17, "3": 4 }`.

use evenkeel_cloudevents::time::parse_rfc3339;
use serde_json::Value;

use super::value;
use crate::config::plan::From;
use crate::error::Error;

const RULE: &str = "none of earliest, latest, a time like 2026-11-21T08:00:00Z, an offset like 17, offsets by partition like { \"0\": 17, \"1\": 4 }";

/// What was written, or the default.
pub(super) fn from(at: &str, written: Option<&Value>) -> Result<From, Error> {
    let wrong = || value(at, format!("`{}` is {RULE}", written.unwrap_or(&Value::Null)));
    match written {
        None | Some(Value::Null) => Ok(From::Default),
        Some(Value::String(text)) => match text.as_str() {
            "earliest" => Ok(From::Earliest),
            "latest" => Ok(From::Latest),
            other => parse_rfc3339(other)
                .map(From::Time)
                .or_else(|| other.parse().ok().map(From::Offset))
                .ok_or_else(|| value(at, format!("`{other}` is {RULE}"))),
        },
        Some(Value::Number(offset)) => offset.as_u64().map(From::Offset).ok_or_else(wrong),
        Some(Value::Object(offsets)) if !offsets.is_empty() => offsets
            .iter()
            .map(|(partition, offset)| Some((partition.parse().ok()?, offset.as_u64()?)))
            .collect::<Option<_>>()
            .map(From::Offsets)
            .ok_or_else(wrong),
        Some(_) => Err(wrong()),
    }
}
