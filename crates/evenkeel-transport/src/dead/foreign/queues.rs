//! What brokers themselves say of a message that they moved because nobody would have it: RabbitMQ's
//! `x-death`, and the source of a native redrive of SQS. It died in a queue, not at a place.

use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_model::{Record, Timestamp};
use serde_json::Value;

use super::{Said, last};

/// Each death in each queue, the newest first: a list as JSON.
const DEATHS: &str = "x-death";
/// Where, and why, a message died before all others.
const FIRST_QUEUE: &str = "x-first-death-queue";
const FIRST_REASON: &str = "x-first-death-reason";
/// How often the queue had given it.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// The ARN of the queue of SQS that a message was moved out of.
const SQS: &str = "aws-died-in";

/// What a broker says; `None` when none does.
pub(super) fn read(record: &Record) -> Option<Said> {
    rabbitmq(record).or_else(|| sqs(record))
}

fn rabbitmq(record: &Record) -> Option<Said> {
    let text = |name: &str| last(record, name).map_or_else(String::new, |b| String::from_utf8_lossy(b).into_owned());
    let deaths: Value = last(record, DEATHS).and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default();
    let deaths = deaths.as_array().map(Vec::as_slice).unwrap_or_default();
    let first_queue = text(FIRST_QUEUE);
    let newest = deaths.first().unwrap_or(&Value::Null);
    let of = |death: &Value, member: &str| death[member].as_str().unwrap_or_default().to_owned();
    let from =
        if first_queue.is_empty() { deaths.last().map(|d| of(d, "queue")).unwrap_or_default() } else { first_queue };
    if from.is_empty() {
        return None;
    }
    // It may have waited in other queues between its tries: what counts is how often it died in its own.
    let own = |death: &&Value| of(death, "queue") == from;
    let deaths_there: u64 = deaths.iter().filter(own).filter_map(|death| death["count"].as_u64()).sum();
    let given = text(DELIVERY_COUNT).parse().unwrap_or(0);
    let reason = Some(of(newest, "reason")).filter(|reason| !reason.is_empty()).unwrap_or_else(|| text(FIRST_REASON));
    let exchange = deaths.iter().find(own).map(|death| of(death, "exchange")).filter(|name| !name.is_empty());
    let by = exchange.map_or_else(String::new, |name| format!(", by exchange `{name}`"));
    let at = newest["time"].as_i64().map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
    Some(Said {
        writer: "rabbitmq",
        message: format!("{} in queue `{from}`{by}", explained(&reason)),
        from,
        thrown: reason,
        attempts: u32::try_from(deaths_there.max(given)).unwrap_or(u32::MAX),
        failed_at: at.map_or_else(String::new, format_rfc3339),
        ..Said::default()
    })
}

/// RabbitMQ's words for a reason.
fn explained(reason: &str) -> &str {
    match reason {
        "rejected" => "rejected by its consumer",
        "expired" => "older than its time to live",
        "maxlen" => "pushed out by a full queue",
        "delivery_limit" => "given as often as the queue allows",
        "" => "dead",
        other => other,
    }
}

fn sqs(record: &Record) -> Option<Said> {
    let arn = String::from_utf8_lossy(last(record, SQS)?).into_owned();
    Some(Said {
        writer: "sqs",
        message: format!("received as often as the redrive policy of `{arn}` allows"),
        thrown: "max_receive_count".to_owned(),
        from: arn,
        ..Said::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Said, read};
    use evenkeel_model::Record;

    fn record(headers: &[(&str, &str)]) -> Record {
        let mut record = Record::default();
        headers.iter().for_each(|(name, value)| record.push_header(*name, (*value).to_owned()));
        record
    }

    #[test]
    fn rabbitmqs_deaths_are_read_with_the_first_queue_as_origin_and_the_newest_reason() {
        // Rejected three times in `orders`, waiting in `orders.retry` in between.
        let retried = record(&[
            (
                "x-death",
                r#"[{"count":3,"exchange":"shop","queue":"orders","reason":"rejected","routing-keys":["a"],"time":1795219200},
                    {"count":2,"exchange":"retry","queue":"orders.retry","reason":"expired","time":1795219190}]"#,
            ),
            ("x-first-death-queue", "orders"),
            ("x-first-death-reason", "rejected"),
            ("x-first-death-exchange", "shop"),
        ]);
        let wanted = Said {
            writer: "rabbitmq",
            from: "orders".into(),
            thrown: "rejected".into(),
            message: "rejected by its consumer in queue `orders`, by exchange `shop`".into(),
            attempts: 3,
            failed_at: "2026-11-21T00:00:00.000Z".into(),
            ..Said::default()
        };
        assert_eq!(read(&retried), Some(wanted));
        let limit = record(&[
            ("x-death", r#"[{"count":1,"exchange":"","queue":"orders","reason":"delivery_limit","time":1795219200}]"#),
            ("x-delivery-count", "20"),
        ]);
        let said = read(&limit).expect("the list alone tells it");
        assert_eq!((&*said.from, &*said.thrown, said.attempts), ("orders", "delivery_limit", 20));
        assert_eq!(said.message, "given as often as the queue allows in queue `orders`");
    }

    #[test]
    fn a_list_of_deaths_that_cannot_be_read_says_what_the_other_headers_say() {
        let odd = record(&[("x-death", "[{"), ("x-first-death-queue", "orders"), ("x-first-death-reason", "maxlen")]);
        let said = read(&odd).expect("it says where");
        assert_eq!((&*said.from, &*said.thrown, said.attempts), ("orders", "maxlen", 0));
        for none in ["[{", "[]", "{}", "7", r#"[{"queue":7}]"#] {
            assert_eq!(read(&record(&[("x-death", none)])), None, "{none}");
        }
    }

    #[test]
    fn a_framework_says_more_than_its_broker() {
        let both = record(&[
            ("MT-Fault-ExceptionType", "System.InvalidOperationException"),
            ("MT-Fault-InputAddress", "rabbitmq://rabbit/shop/orders"),
            ("x-first-death-queue", "orders"),
        ]);
        assert_eq!(read(&both).map(|said| said.writer), Some("masstransit"));
    }

    #[test]
    fn a_native_redrive_of_sqs_says_where_it_was() {
        let said = read(&record(&[("aws-died-in", "arn:aws:sqs:eu-central-1:1:orders")])).expect("it is a letter");
        assert_eq!((said.writer, &*said.from), ("sqs", "arn:aws:sqs:eu-central-1:1:orders"));
    }
}
