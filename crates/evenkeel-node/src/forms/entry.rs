//! An entry of an incident in JSON: the data of the events in `evenkeel.incidents`.

mod happening;

use bytes::Bytes;
use evenkeel_model::{Event, Timestamp};
use evenkeel_respond::{Entry, IncidentId};
use serde::{Deserialize, Serialize};

use happening::HappeningForm;

/// The CloudEvents source of incidents.
const SOURCE: &str = "/evenkeel/incidents";
/// The CloudEvents type of an entry.
const KIND: &str = "evenkeel.incident.entry";

#[derive(Serialize, Deserialize)]
struct EntryForm {
    at_us: i64,
    at: String,
    incident: Option<u64>,
    said: String,
    what: HappeningForm,
}

/// The event of an entry; `number` counts the entries of this node.
pub(crate) fn event(entry: &Entry, number: u64) -> Event {
    let form = EntryForm {
        at_us: entry.at.micros(),
        at: super::time(entry.at),
        incident: entry.incident.map(|id| id.0),
        said: entry.describe(),
        what: HappeningForm::from(&entry.what),
    };
    let mut event = Event::new(SOURCE, format!("{}-{number}", entry.at.micros()), KIND);
    event.subject = entry.incident.map(|id| id.to_string());
    event.time = Some(form.at.clone());
    event.datacontenttype = Some("application/json".to_owned());
    event.data = serde_json::to_vec(&form).ok().map(Bytes::from);
    event
}

/// The entry of such an event.
pub(crate) fn read(event: &Event) -> Option<Entry> {
    let form: EntryForm = serde_json::from_slice(event.data.as_ref()?).ok()?;
    Some(Entry {
        at: Timestamp::from_micros(form.at_us),
        incident: form.incident.map(IncidentId),
        what: form.what.into(),
    })
}

#[cfg(test)]
mod tests;
