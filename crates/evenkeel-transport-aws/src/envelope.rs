//! SNS's own wrapping of what it puts into a queue, where raw delivery is off.
//!
//! A body is taken for one when it is a notification of a topic, which nobody else writes.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_model::Timestamp;
use serde::Deserialize;

use crate::message::{Attribute, Message};

/// A notification.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    #[serde(rename = "Type")]
    kind: String,
    message_id: String,
    topic_arn: String,
    message: String,
    subject: Option<String>,
    timestamp: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Wrapped>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapped {
    #[serde(rename = "Type")]
    kind: String,
    value: String,
}

/// What was in the wrapping.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unwrapped {
    pub(crate) message: Message,
    /// What SNS says of it.
    pub(crate) topic: String,
    pub(crate) id: String,
    pub(crate) subject: Option<String>,
    pub(crate) created: Option<Timestamp>,
}

/// What a body wraps; `None` when it is no notification.
pub(crate) fn unwrap(body: &str) -> Option<Unwrapped> {
    if !(body.trim_start().starts_with('{') && body.contains("\"TopicArn\"")) {
        return None;
    }
    let notification: Notification = serde_json::from_str(body).ok()?;
    if notification.kind != "Notification" || !notification.topic_arn.starts_with("arn:") {
        return None;
    }
    let attributes = notification.message_attributes.into_iter().map(|(name, wrapped)| (name, attribute(wrapped)));
    Some(Unwrapped {
        message: Message { body: notification.message, attributes: attributes.collect() },
        topic: notification.topic_arn,
        id: notification.message_id,
        subject: notification.subject,
        created: notification.timestamp.as_deref().and_then(parse_rfc3339),
    })
}

fn attribute(wrapped: Wrapped) -> Attribute {
    match BASE64.decode(&wrapped.value) {
        Ok(bytes) if wrapped.kind.starts_with("Binary") => Attribute::Bytes(Bytes::from(bytes)),
        _ => Attribute::Text(wrapped.value),
    }
}

#[cfg(test)]
mod tests {
    use super::unwrap;
    use crate::message::Attribute;

    /// As the guide of SNS shows it.
    const SEEN: &str = r#"{
      "Type" : "Notification",
      "MessageId" : "63a3f6b6-d533-4a47-aef9-fcf5cf758c76",
      "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
      "Subject" : "Testing publish to subscribed queues",
      "Message" : "Hello world!",
      "Timestamp" : "2012-03-29T05:12:16.901Z",
      "SignatureVersion" : "1",
      "Signature" : "EXAMPLEnTrFPa3",
      "SigningCertURL" : "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem",
      "UnsubscribeURL" : "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
      "MessageAttributes" : { "tier" : { "Type" : "String", "Value" : "gold" }, "raw" : { "Type" : "Binary", "Value" : "AP8=" } }
    }"#;

    #[test]
    fn a_notification_is_unwrapped_with_its_attributes() {
        let found = unwrap(SEEN).unwrap();
        assert_eq!(found.message.body, "Hello world!");
        assert_eq!(found.topic, "arn:aws:sns:us-west-2:123456789012:MyTopic");
        assert_eq!(found.created.unwrap().millis(), 1_332_997_936_901);
        assert_eq!(found.message.attributes["tier"], Attribute::Text("gold".into()));
        assert_eq!(found.message.attributes["raw"], Attribute::Bytes([0, 255].as_slice().into()));
    }

    #[test]
    fn what_only_looks_like_one_stays_as_it_is() {
        assert_eq!(unwrap(r#"{"Type":"Order","TopicArn":"arn:x","MessageId":"1","Message":"m"}"#), None);
        assert_eq!(unwrap(r#"{"Type":"Notification","TopicArn":"nowhere","MessageId":"1","Message":"m"}"#), None);
        assert_eq!(unwrap(r#"{"TopicArn": cut"#), None);
        assert_eq!(unwrap("Hello"), None);
    }
}
