//! An exclusion in JSON: the data of the events in `evenkeel.exclusions`, and the rows of
//! `/v1/slos/exclusions`.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_model::{Event, Timestamp};
use evenkeel_watch::{Excluded, Exclusion};
use serde::{Deserialize, Serialize};

use super::time;

const SOURCE: &str = "/evenkeel/exclusions";
/// The CloudEvents type of an exclusion.
pub(crate) const SAID: &str = "evenkeel.exclusion.said";
/// The CloudEvents type of an exclusion that is taken back.
pub(crate) const WITHDRAWN: &str = "evenkeel.exclusion.withdrawn";

/// An exclusion.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExclusionForm {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subscription: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) objective: Option<String>,
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) reason: String,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) said_at: String,
}

impl From<&Exclusion> for ExclusionForm {
    fn from(exclusion: &Exclusion) -> ExclusionForm {
        let text = |name: &Option<Arc<str>>| name.as_ref().map(ToString::to_string);
        ExclusionForm {
            id: exclusion.id.to_string(),
            service: text(&exclusion.of.service),
            subscription: text(&exclusion.of.subscription),
            objective: text(&exclusion.of.objective),
            from: time(exclusion.from),
            until: time(exclusion.until),
            reason: exclusion.reason.to_string(),
            by: exclusion.by.to_string(),
            said_at: time(exclusion.said_at),
        }
    }
}

impl ExclusionForm {
    /// The exclusion; else the field that is wrong.
    pub(crate) fn read(&self) -> Result<Exclusion, &'static str> {
        let name = |text: &Option<String>| text.as_deref().map(Arc::from);
        Ok(Exclusion {
            id: Arc::from(self.id.as_str()),
            of: Excluded {
                service: name(&self.service),
                subscription: name(&self.subscription),
                objective: name(&self.objective),
            },
            from: parse_rfc3339(&self.from).ok_or("from")?,
            until: parse_rfc3339(&self.until).ok_or("until")?,
            reason: Arc::from(self.reason.as_str()),
            by: Arc::from(self.by.as_str()),
            said_at: parse_rfc3339(&self.said_at).ok_or("said_at")?,
        })
    }
}

/// The event that says so, or takes it back.
pub(crate) fn event(kind: &str, exclusion: &Exclusion, now: Timestamp) -> Event {
    let mut event = Event::new(SOURCE, format!("{}/{kind}/{}", exclusion.id, now.micros()), kind);
    event.subject = Some(exclusion.id.to_string());
    event.time = Some(time(now));
    event.datacontenttype = Some("application/json".to_owned());
    event.data = serde_json::to_vec(&ExclusionForm::from(exclusion)).ok().map(Bytes::from);
    event
}

/// What such an event says: the exclusion, and whether it is taken back.
pub(crate) fn read(event: &Event) -> Option<(Exclusion, bool)> {
    let form: ExclusionForm = serde_json::from_slice(event.data.as_ref()?).ok()?;
    Some((form.read().ok()?, event.kind == WITHDRAWN))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use evenkeel_model::Timestamp;
    use evenkeel_watch::{Excluded, Exclusion};

    #[test]
    fn an_exclusion_written_to_its_topic_reads_back_whole() {
        let at = Timestamp::from_millis;
        let exclusion = Exclusion {
            id: Arc::from("ex-1"),
            of: Excluded { subscription: Some(Arc::from("payment")), ..Excluded::default() },
            from: at(1_795_000_000_123),
            until: at(1_795_000_900_000),
            reason: Arc::from("release"),
            by: Arc::from("ann"),
            said_at: at(1_795_000_950_000),
        };
        for (kind, withdrawn) in [(super::SAID, false), (super::WITHDRAWN, true)] {
            let event = super::event(kind, &exclusion, exclusion.said_at);
            assert_eq!(super::read(&event), Some((exclusion.clone(), withdrawn)));
        }
    }
}
