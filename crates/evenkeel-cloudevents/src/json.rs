//! CloudEvents in JSON (the JSON event format 1.0): one event, or a batch.
//!
//! `data` of a JSON content type is kept as the JSON text that it was, without the white space
//! between its tokens; numbers and the order of members stay as they were written. `data`
//! without a content type is `application/json`, and the event says so from here on.
//! `data` of another content type must be a JSON string, whose text is the data; binary data
//! comes as `data_base64`. Nesting is bounded by [`NESTING_MAX`], well within what any reader
//! of the data can follow.

mod members;
mod scan;
mod write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use evenkeel_model::{AttributeValue, Event};
use serde_json::value::RawValue;

use crate::draft::Draft;
use crate::{Limits, Problem, media_type};
use members::Members;

pub use write::{encode, encode_batch, encode_batch_text, encode_text, write_text};

/// How deep arrays and objects may stand within each other, the event's own object included.
pub const NESTING_MAX: usize = 100;

/// Reads one event.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Event, Problem> {
    check_nesting(bytes, "body")?;
    event(bytes, limits)
}

/// Reads a batch: all or nothing. `[]` is a batch of none. The problem's field begins with the
/// index of its event: `[2].specversion`.
pub fn decode_batch(bytes: &[u8], limits: &Limits) -> Result<Vec<Event>, Problem> {
    check_nesting(bytes, "body")?;
    let events: Vec<&RawValue> =
        serde_json::from_slice(bytes).map_err(|e| unreadable("body", "must be a JSON array of events", &e))?;
    if events.len() > limits.batch_events_max {
        let rule = format!("must not hold more than {} events", limits.batch_events_max);
        return Err(Problem::new("body", &format!("{} events", events.len()), rule));
    }
    let read = |(index, raw): (usize, &&RawValue)| {
        event(raw.get().as_bytes(), limits).map_err(|problem| problem.in_batch(index))
    };
    events.iter().enumerate().map(read).collect()
}

fn event(bytes: &[u8], limits: &Limits) -> Result<Event, Problem> {
    let members: Members<'_> =
        serde_json::from_slice(bytes).map_err(|e| unreadable("body", "must be one JSON object", &e))?;
    let mut draft = Draft::new(limits);
    let (mut data, mut data_base64) = (None, None);
    for (name, raw) in &members.0 {
        match name.as_ref() {
            "data" => set_once(&mut data, name, raw)?,
            "data_base64" => set_once(&mut data_base64, name, raw)?,
            attribute => set_attribute(&mut draft, attribute, raw)?,
        }
    }
    let data = match (data, data_base64.filter(is_there)) {
        (Some(raw), Some(other)) if is_there(&raw) => {
            return Err(Problem::new("data_base64", other.get(), "must not stand beside `data`"));
        }
        (_, Some(raw)) => Some(binary_data(raw)?),
        (Some(raw), None) => plain_data(&mut draft, raw)?,
        (None, None) => None,
    };
    draft.finish(data)
}

fn set_once<'a>(slot: &mut Option<&'a RawValue>, name: &str, raw: &'a RawValue) -> Result<(), Problem> {
    match slot.replace(raw) {
        None => Ok(()),
        Some(_) => Err(Problem::new(name, raw.get(), "must not be given twice")),
    }
}

/// A member that is `null` is as good as absent.
fn is_there(raw: &&RawValue) -> bool {
    raw.get() != "null"
}

fn set_attribute(draft: &mut Draft<'_>, name: &str, raw: &RawValue) -> Result<(), Problem> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n') if draft.has(name) => Err(Problem::new(name, text, "must not be given twice")),
        Some(b'n') => Ok(()),
        Some(b'"') => draft.set_text(name, string(name, raw)?),
        Some(b't' | b'f') => draft.set_extension(name, AttributeValue::Boolean(text == "true")),
        Some(b'{' | b'[') => {
            Err(Problem::new(name, text, "must be a string, an integer or a boolean, never an object or an array"))
        }
        _ => {
            let rule = "must be an integer from -2147483648 to 2147483647, if it is a number";
            let value = text.parse().map_err(|_| Problem::new(name, text, rule))?;
            draft.set_extension(name, AttributeValue::Integer(value))
        }
    }
}

fn string(name: &str, raw: &RawValue) -> Result<String, Problem> {
    serde_json::from_str(raw.get()).map_err(|e| unreadable(name, "must be a valid JSON string", &e))
}

/// JSON without a content type is `application/json`, and says so from here on, so that other
/// forms keep it. There `null` is a payload; of any other type it is none.
fn plain_data(draft: &mut Draft<'_>, raw: &RawValue) -> Result<Option<Bytes>, Problem> {
    if draft.datacontenttype().is_none() {
        draft.imply_datacontenttype("application/json");
    }
    if draft.datacontenttype().is_some_and(media_type::is_json) {
        return Ok(Some(scan::compact(raw.get()).into()));
    }
    match raw.get().as_bytes().first() {
        Some(b'"') => Ok(Some(string("data", raw)?.into())),
        Some(b'n') => Ok(None),
        _ => Err(Problem::new("data", raw.get(), "must be a JSON string where `datacontenttype` is not JSON")),
    }
}

fn binary_data(raw: &RawValue) -> Result<Bytes, Problem> {
    const RULE: &str = "must be a string of base64 (RFC 4648, with padding)";
    let wrong = || Problem::new("data_base64", raw.get(), RULE);
    let text: String = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    STANDARD.decode(text).map(Bytes::from).map_err(|_| wrong())
}

fn check_nesting(bytes: &[u8], field: &str) -> Result<(), Problem> {
    if scan::nesting(bytes) > NESTING_MAX {
        let rule = format!("must not nest arrays and objects deeper than {NESTING_MAX}");
        return Err(Problem::new(field, "", rule));
    }
    Ok(())
}

fn unreadable(field: &str, rule: &str, error: &serde_json::Error) -> Problem {
    Problem::new(field, "", format!("{rule} ({error})"))
}

#[cfg(test)]
mod tests;
