//! Dead letters that other frameworks wrote: who wrote a record, and what its headers say.
//!
//! A table, one line for each framework: which headers say where the event was, what failed and how often.
//! Reading is forgiving: a header that is missing or cannot be read leaves its place empty, and a record whose
//! headers say nothing of a death is shown as it is. Numbers come as text or, from Spring, as big-endian
//! integers; both are read. What brokers themselves say stands in `queues`.

mod queues;

use evenkeel_model::{Position, Record, Shard};

/// What the headers of a framework are called; empty where it has none.
struct Dialect {
    name: &'static str,
    /// The one by which it is known.
    known_by: &'static str,
    topic: &'static str,
    partition: &'static str,
    offset: &'static str,
    /// The class of what was thrown, the most telling first.
    thrown: &'static [&'static str],
    message: &'static str,
    attempts: &'static [&'static str],
    failed_at: &'static str,
    /// Who failed: a consumer group, a connector, a queue.
    who: &'static str,
}

const NONE: Dialect = Dialect {
    name: "",
    known_by: "",
    topic: "",
    partition: "",
    offset: "",
    thrown: &[],
    message: "",
    attempts: &[],
    failed_at: "",
    who: "",
};

/// The more telling ones first: a record may carry the headers of several.
const DIALECTS: [Dialect; 10] = [
    Dialect {
        name: "spring-kafka",
        known_by: "kafka_dlt-original-topic",
        topic: "kafka_dlt-original-topic",
        partition: "kafka_dlt-original-partition",
        offset: "kafka_dlt-original-offset",
        thrown: &["kafka_dlt-exception-cause-fqcn", "kafka_dlt-exception-fqcn"],
        message: "kafka_dlt-exception-message",
        attempts: &["retry_topic-attempts"],
        failed_at: "",
        who: "kafka_dlt-original-consumer-group",
    },
    Dialect {
        name: "spring-cloud-stream",
        known_by: "x-original-topic",
        topic: "x-original-topic",
        partition: "x-original-partition",
        offset: "x-original-offset",
        thrown: &["x-exception-fqcn"],
        message: "x-exception-message",
        ..NONE
    },
    Dialect {
        name: "kafka-streams",
        known_by: "__streams.errors.exception",
        topic: "__streams.errors.topic",
        partition: "__streams.errors.partition",
        offset: "__streams.errors.offset",
        thrown: &["__streams.errors.exception"],
        message: "__streams.errors.message",
        ..NONE
    },
    Dialect {
        name: "kafka-share-group",
        known_by: "__dlq.errors.topic",
        topic: "__dlq.errors.topic",
        partition: "__dlq.errors.partition",
        offset: "__dlq.errors.offset",
        thrown: &["__dlq.errors.exception"],
        message: "__dlq.errors.message",
        attempts: &["__dlq.errors.delivery.count"],
        who: "__dlq.errors.group",
        ..NONE
    },
    Dialect {
        name: "kafka-connect",
        known_by: "__connect.errors.topic",
        topic: "__connect.errors.topic",
        partition: "__connect.errors.partition",
        offset: "__connect.errors.offset",
        thrown: &["__connect.errors.exception.class.name"],
        message: "__connect.errors.exception.message",
        who: "__connect.errors.connector.name",
        ..NONE
    },
    Dialect {
        name: "smallrye",
        known_by: "dead-letter-reason",
        topic: "dead-letter-topic",
        partition: "dead-letter-partition",
        offset: "dead-letter-offset",
        thrown: &["dead-letter-cause-class-name", "dead-letter-exception-class-name"],
        message: "dead-letter-reason",
        ..NONE
    },
    Dialect {
        name: "masstransit",
        known_by: "MT-Fault-ExceptionType",
        topic: "MT-Fault-InputAddress",
        thrown: &["MT-Fault-ExceptionType"],
        message: "MT-Fault-Message",
        attempts: &["MT-Fault-RetryCount", "MT-Redelivery-Count"],
        failed_at: "MT-Fault-Timestamp",
        who: "MT-Fault-ConsumerType",
        ..NONE
    },
    Dialect {
        name: "nservicebus",
        known_by: "NServiceBus.ExceptionInfo.ExceptionType",
        topic: "NServiceBus.FailedQ",
        thrown: &["NServiceBus.ExceptionInfo.InnerExceptionType", "NServiceBus.ExceptionInfo.ExceptionType"],
        message: "NServiceBus.ExceptionInfo.Message",
        attempts: &["NServiceBus.Retries", "NServiceBus.FLRetries"],
        failed_at: "NServiceBus.TimeOfFailure",
        who: "NServiceBus.ProcessingEndpoint",
        ..NONE
    },
    Dialect {
        name: "watermill",
        known_by: "reason_poisoned",
        topic: "topic_poisoned",
        message: "reason_poisoned",
        who: "handler_poisoned",
        ..NONE
    },
    Dialect {
        name: "knative",
        known_by: "ce_knativeerrorcode",
        topic: "ce_knativeerrordest",
        thrown: &["ce_knativeerrorcode"],
        message: "ce_knativeerrordata",
        ..NONE
    },
];

/// What the headers begin with that frameworks write when an event dies; the rest was the event's.
const OF_DEATH: [&str; 23] = [
    "kafka_dlt-",
    "retry_topic-",
    "kafka_exception-",
    "x-original-topic",
    "x-original-partition",
    "x-original-offset",
    "x-original-timestamp",
    "x-exception-",
    "__streams.errors.",
    "__dlq.errors.",
    "__connect.errors.",
    "dead-letter-",
    "MT-Fault-",
    "MT-Redelivery-Count",
    "MT-Reason",
    "NServiceBus.ExceptionInfo.",
    "NServiceBus.FailedQ",
    "NServiceBus.TimeOfFailure",
    "NServiceBus.Retries",
    "NServiceBus.FLRetries",
    "x-death",
    "x-first-death-",
    "x-last-death-",
];

/// Whole names of the same kind.
const OF_DEATH_ALONE: [&str; 9] = [
    "reason_poisoned",
    "topic_poisoned",
    "handler_poisoned",
    "subscriber_poisoned",
    "ce_knativeerrordest",
    "ce_knativeerrorcode",
    "ce_knativeerrordata",
    "x-delivery-count",
    "aws-died-in",
];

/// True for a header that was written because the event died.
pub(super) fn is_of_death(header: &str) -> bool {
    OF_DEATH.iter().any(|prefix| header.starts_with(prefix)) || OF_DEATH_ALONE.contains(&header)
}

/// What a framework said of a death.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) writer: &'static str,
    /// Where the event was, if all of it is said.
    pub(super) origin: Option<Position>,
    /// The topic, queue or address that it came from, where more is not said.
    pub(super) from: String,
    pub(super) who: String,
    pub(super) thrown: String,
    pub(super) message: String,
    pub(super) attempts: u32,
    pub(super) failed_at: String,
}

/// What the headers of a record say, if another framework wrote them, or a broker.
pub(super) fn read(record: &Record) -> Option<Said> {
    let dialect = DIALECTS.iter().find(|dialect| last(record, dialect.known_by).is_some());
    dialect.map_or_else(|| queues::read(record), |dialect| Some(by(dialect, record)))
}

fn by(dialect: &Dialect, record: &Record) -> Said {
    let text = |name: &str| last(record, name).map_or_else(String::new, |b| String::from_utf8_lossy(b).into_owned());
    let first = |names: &[&str]| names.iter().map(|name| text(name)).find(|text| !text.is_empty()).unwrap_or_default();
    let count = |name: &str| last(record, name).and_then(number);
    let (from, place) = (text(dialect.topic), (count(dialect.partition), count(dialect.offset)));
    let origin = match place {
        (Some(partition), Some(offset)) if !from.is_empty() => {
            u32::try_from(partition).ok().map(|p| Position { shard: Shard::new(from.as_str(), p), offset })
        }
        _ => None,
    };
    let attempts = dialect.attempts.iter().find_map(|name| count(name)).and_then(|n| u32::try_from(n).ok());
    Said {
        writer: dialect.name,
        origin,
        from,
        who: text(dialect.who),
        thrown: first(dialect.thrown),
        message: text(dialect.message),
        attempts: attempts.unwrap_or(0),
        failed_at: text(dialect.failed_at),
    }
}

/// The queue or topic that words for it mean: `rabbitmq://host/vhost/orders?durable=true` of MassTransit,
/// `orders@machine` of NServiceBus, `arn:aws:sqs:eu-central-1:1:orders` of SQS, or `orders`.
pub(super) fn queue_named(from: &str) -> &str {
    let name = match from.split_once("://") {
        Some((_, path)) => path.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default(),
        None => from.split('@').next().unwrap_or_default(),
    };
    if name.starts_with("arn:") { name.rsplit(':').next().unwrap_or_default() } else { name }
}

/// The newest header of that name: some append theirs at each death.
fn last<'r>(record: &'r Record, name: &str) -> Option<&'r [u8]> {
    record.headers.iter().rev().find(|h| !name.is_empty() && h.name == name).and_then(|h| h.value.as_deref())
}

/// A whole number, as text or big-endian.
fn number(bytes: &[u8]) -> Option<u64> {
    if let Some(number) = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok()) {
        return Some(number);
    }
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return u64::try_from(i32::from_be_bytes(four)).ok();
    }
    let eight = <[u8; 8]>::try_from(bytes).ok()?;
    u64::try_from(i64::from_be_bytes(eight)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(headers: &[(&str, &[u8])]) -> Record {
        let mut record = Record::default();
        headers.iter().for_each(|(name, value)| record.push_header(*name, value.to_vec()));
        record
    }

    fn at(topic: &str, partition: u32, offset: u64) -> Option<Position> {
        Some(Position { shard: Shard::new(topic, partition), offset })
    }

    #[test]
    fn springs_binary_numbers_are_read_and_so_are_those_that_others_write_as_text() {
        let spring = record(&[
            ("kafka_dlt-original-topic", b"orders"),
            ("kafka_dlt-original-partition", &3_i32.to_be_bytes()),
            ("kafka_dlt-original-offset", &5_000_000_000_i64.to_be_bytes()),
            ("kafka_dlt-original-consumer-group", b"payment"),
            ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
            ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalStateException"),
            ("kafka_dlt-exception-message", b"no funds"),
            ("retry_topic-attempts", &4_i32.to_be_bytes()),
        ]);
        let said = read(&spring).expect("it is Spring's");
        assert_eq!((said.writer, said.origin, said.attempts), ("spring-kafka", at("orders", 3, 5_000_000_000), 4));
        assert_eq!(
            (&*said.thrown, &*said.message, &*said.who),
            ("java.lang.IllegalStateException", "no funds", "payment")
        );
        let text = record(&[
            ("kafka_dlt-original-topic", b"older"),
            ("kafka_dlt-original-topic", b"orders"),
            ("kafka_dlt-original-partition", b"3"),
            ("kafka_dlt-original-offset", b"12345678"),
        ]);
        assert_eq!(read(&text).and_then(|said| said.origin), at("orders", 3, 12_345_678));
    }

    #[test]
    fn each_framework_is_known_by_its_headers() {
        for dialect in &DIALECTS {
            let mut headers: Vec<(&str, &[u8])> = vec![(dialect.known_by, b"x")];
            headers
                .extend([(dialect.partition, &b"2"[..]), (dialect.offset, b"7")].iter().filter(|(n, _)| !n.is_empty()));
            headers.extend(
                (!dialect.topic.is_empty() && dialect.topic != dialect.known_by).then_some((dialect.topic, &b"x"[..])),
            );
            let said = read(&record(&headers)).expect(dialect.name);
            assert_eq!((said.writer, &*said.from), (dialect.name, "x"));
            assert_eq!(said.origin.is_some(), !dialect.offset.is_empty(), "{}", dialect.name);
        }
    }

    #[test]
    fn every_header_that_is_read_is_one_of_death_and_an_events_own_is_not() {
        for dialect in &DIALECTS {
            let Dialect { known_by, topic, partition, offset, message, failed_at, .. } = dialect;
            let read = [known_by, topic, partition, offset, message, failed_at].into_iter();
            let read = read.chain(dialect.thrown).chain(dialect.attempts).filter(|name| !name.is_empty());
            read.for_each(|name| assert!(is_of_death(name), "{}: {name}", dialect.name));
        }
        for own in
            ["ce_id", "ce_type", "content-type", "traceparent", "x-tenant", "x-originals", "NServiceBus.MessageId"]
        {
            assert!(!is_of_death(own), "{own}");
        }
    }

    #[test]
    fn whatever_words_a_framework_has_for_its_queue_its_name_is_found() {
        for words in [
            "orders",
            "orders@MACHINE",
            "rabbitmq://localhost/shop/orders?temporary=false",
            "amazonsqs://eu-central-1/orders",
            "arn:aws:sqs:eu-central-1:1:orders",
        ] {
            assert_eq!(queue_named(words), "orders", "{words}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_empty_and_what_is_no_dead_letter_is_none() {
        assert_eq!(read(&record(&[("ce_id", b"1"), ("x-exception-message", b"?")])), None);
        let odd = record(&[
            ("__connect.errors.topic", b"orders"),
            ("__connect.errors.partition", b"minus one"),
            ("__connect.errors.offset", &(-1_i64).to_be_bytes()),
            ("__connect.errors.exception.message", b"\xff\xfe"),
        ]);
        let said = read(&odd).expect("it is Connect's");
        assert_eq!((said.origin, &*said.from, &*said.message), (None, "orders", "\u{fffd}\u{fffd}"));
    }
}
