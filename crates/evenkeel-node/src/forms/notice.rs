//! A word to one receiver in JSON: the data of the events in `evenkeel.notices`, and what a webhook
//! is posted.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_model::{AttributeValue, Event, Timestamp};
use evenkeel_watch::Notice;
use serde::{Deserialize, Serialize};

use super::alert::AlertForm;
use super::time;

const SOURCE: &str = "/evenkeel/notices";
/// The CloudEvents type of a word about alerts.
pub(crate) const NOTICE: &str = "evenkeel.notice";
/// The CloudEvents type of a word that says that the node is alive, and nothing else.
pub(crate) const HEARTBEAT: &str = "evenkeel.heartbeat";
/// The extension that names who is told.
pub(crate) const RECEIVER: &str = "receiver";

/// A word to one receiver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NoticeForm {
    pub(crate) receiver: String,
    /// `firing`, `resolved`, or `alive` for a heartbeat.
    pub(crate) state: String,
    /// What the alerts have in common.
    pub(crate) group: Vec<String>,
    pub(crate) said_at: String,
    /// Nothing changed since the last word.
    pub(crate) again: bool,
    /// Later than that it need not be told: the next word is due.
    pub(crate) moot_after: Option<String>,
    /// Gravest first.
    pub(crate) firing: Vec<AlertForm>,
    /// Over since the last word.
    pub(crate) resolved: Vec<AlertForm>,
}

impl NoticeForm {
    /// A word about alerts. `next` is when it would be said again.
    pub(crate) fn new(receiver: &str, notice: &Notice, now: Timestamp, next: Timestamp) -> NoticeForm {
        NoticeForm {
            receiver: receiver.to_owned(),
            state: if notice.firing.is_empty() { "resolved" } else { "firing" }.to_owned(),
            group: notice.group.iter().map(ToString::to_string).collect(),
            said_at: time(now),
            again: notice.again,
            moot_after: notice.again.then(|| time(next)),
            firing: notice.firing.iter().map(AlertForm::from).collect(),
            resolved: notice.resolved.iter().map(AlertForm::from).collect(),
        }
    }

    /// The node is alive, and says so again at `next`.
    pub(crate) fn heartbeat(receiver: &str, now: Timestamp, next: Timestamp) -> NoticeForm {
        NoticeForm {
            receiver: receiver.to_owned(),
            state: "alive".to_owned(),
            group: Vec::new(),
            said_at: time(now),
            again: true,
            moot_after: Some(time(next)),
            firing: Vec::new(),
            resolved: Vec::new(),
        }
    }

    pub(crate) fn is_heartbeat(&self) -> bool {
        self.state == "alive"
    }

    /// What all alerts of the group have in common, in one text.
    pub(crate) fn group_name(&self) -> String {
        self.group.join("/")
    }

    /// When it was said, and the word itself; none when it can't be read, or is a heartbeat.
    pub(crate) fn read(&self) -> Option<(Timestamp, Notice)> {
        let alerts = |forms: &[AlertForm]| forms.iter().map(AlertForm::read).collect::<Option<Vec<_>>>();
        let notice = Notice {
            group: self.group.iter().map(|part| Arc::from(part.as_str())).collect(),
            firing: alerts(&self.firing)?,
            resolved: alerts(&self.resolved)?,
            again: self.again,
        };
        (!self.is_heartbeat()).then_some((parse_rfc3339(&self.said_at)?, notice))
    }
}

/// The event that carries it. Words to one receiver about one group go one after the other.
pub(crate) fn event(form: &NoticeForm) -> Event {
    let kind = if form.is_heartbeat() { HEARTBEAT } else { NOTICE };
    let subject = match form.is_heartbeat() {
        true => format!("{}/heartbeat", form.receiver),
        false => format!("{}/group/{}", form.receiver, form.group_name()),
    };
    let mut event = Event::new(SOURCE, format!("{subject}/{}", form.said_at), kind);
    event.subject = Some(subject);
    event.time = Some(form.said_at.clone());
    event.datacontenttype = Some("application/json".to_owned());
    event.set_extension(RECEIVER, AttributeValue::String(form.receiver.clone()));
    if let Some(moot_after) = &form.moot_after {
        event.set_extension("expirytime", AttributeValue::String(moot_after.clone()));
    }
    event.data = serde_json::to_vec(form).ok().map(Bytes::from);
    event
}

/// The word of such an event.
pub(crate) fn read(event: &Event) -> Option<NoticeForm> {
    serde_json::from_slice(event.data.as_ref()?).ok()
}
