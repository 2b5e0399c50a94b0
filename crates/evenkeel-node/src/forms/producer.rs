//! A producer in JSON, the rows of `/v1/producers`, and in a sentence.

use evenkeel_watch::{Producer, Sending};
use serde_json::{Value, json};

use super::time;
use crate::page::numbers;

/// A row.
pub(crate) fn form(producer: &Producer) -> Value {
    json!({
        "topic": &*producer.topic,
        "source": &*producer.source,
        "sending": producer.sending.name(),
        "since": time(producer.since),
        "last": time(producer.last),
        "recent_per_minute": producer.recent_per_minute,
        "usual_per_minute": producer.usual_per_minute,
    })
}

/// How a source sends, in words.
pub(crate) fn sentence(producer: &Producer) -> String {
    let Producer { topic, source, usual_per_minute, recent_per_minute, last, .. } = producer;
    let rate = |per_minute: f64| numbers::rate(per_minute / 60.0);
    let usual = usual_per_minute.map_or_else(|| "more".to_owned(), rate);
    match producer.sending {
        Sending::Usual => format!("`{source}` sends {} to `{topic}`, as usual", rate(*recent_per_minute)),
        Sending::Silent => {
            format!("`{source}` fell silent: nothing for `{topic}` since {}, where {usual} is usual", time(*last))
        }
        Sending::Surging => {
            format!("`{source}` sends {} to `{topic}`, where {usual} is usual", rate(*recent_per_minute))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use evenkeel_model::Timestamp;
    use evenkeel_watch::{Producer, Sending};

    #[test]
    fn a_source_that_is_not_as_usual_is_told_with_its_rates() {
        let producer = Producer {
            topic: Arc::from("orders"),
            source: Arc::from("/shop"),
            sending: Sending::Surging,
            since: Timestamp::from_millis(0),
            last: Timestamp::from_millis(0),
            usual_per_minute: Some(120.0),
            recent_per_minute: 600.0,
        };
        assert_eq!(super::sentence(&producer), "`/shop` sends 10/s to `orders`, where 2/s is usual");
        let silent = Producer { sending: Sending::Silent, ..producer };
        let said = super::sentence(&silent);
        assert_eq!(
            said,
            "`/shop` fell silent: nothing for `orders` since 1970-01-01T00:00:00.000Z, where 2/s is usual"
        );
        assert_eq!(super::form(&silent)["sending"], "silent");
    }
}
