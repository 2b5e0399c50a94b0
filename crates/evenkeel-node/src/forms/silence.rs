//! A silence in JSON: the data of the events in `evenkeel.silences`, and the rows of
//! `/v1/alerts/silences`.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_model::{Event, Timestamp};
use evenkeel_watch::Silence;
use serde::{Deserialize, Serialize};

use super::time;
use crate::config::raw::alerts::Match;
use crate::config::receivers;

const SOURCE: &str = "/evenkeel/silences";
/// The CloudEvents type of a silence.
pub(crate) const SAID: &str = "evenkeel.silence.said";
/// The CloudEvents type of a silence that is taken back.
pub(crate) const WITHDRAWN: &str = "evenkeel.silence.withdrawn";

/// A silence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SilenceForm {
    #[serde(default)]
    pub(crate) id: String,
    /// Which alerts.
    #[serde(default)]
    pub(crate) matches: Match,
    /// From when on; now, where it is not said.
    #[serde(default)]
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) reason: String,
    pub(crate) by: String,
}

impl From<&Silence> for SilenceForm {
    fn from(silence: &Silence) -> SilenceForm {
        SilenceForm {
            id: silence.id.to_string(),
            matches: receivers::named(&silence.matches),
            from: time(silence.from),
            until: time(silence.until),
            reason: silence.reason.to_string(),
            by: silence.by.to_string(),
        }
    }
}

impl SilenceForm {
    /// The silence; else the field that is wrong, and why.
    pub(crate) fn read(&self) -> Result<Silence, (&'static str, String)> {
        let at = |name, text: &str| parse_rfc3339(text).ok_or((name, "must be a time of RFC 3339".to_owned()));
        Ok(Silence {
            id: Arc::from(self.id.as_str()),
            matches: receivers::matching("matches", &self.matches).map_err(|e| ("matches", e.message))?,
            from: at("from", &self.from)?,
            until: at("until", &self.until)?,
            by: Arc::from(self.by.as_str()),
            reason: Arc::from(self.reason.as_str()),
        })
    }
}

/// The event that says so, or takes it back.
pub(crate) fn event(kind: &str, silence: &Silence, now: Timestamp) -> Event {
    let mut event = Event::new(SOURCE, format!("{}/{kind}/{}", silence.id, now.micros()), kind);
    event.subject = Some(silence.id.to_string());
    event.time = Some(time(now));
    event.datacontenttype = Some("application/json".to_owned());
    event.data = serde_json::to_vec(&SilenceForm::from(silence)).ok().map(Bytes::from);
    event
}

/// What such an event says: the silence, and whether it is taken back.
pub(crate) fn read(event: &Event) -> Option<(Silence, bool)> {
    let form: SilenceForm = serde_json::from_slice(event.data.as_ref()?).ok()?;
    Some((form.read().ok()?, event.kind == WITHDRAWN))
}
