//! Configurations, right and wrong.

use std::path::Path;
use std::time::Duration;

use super::{effective, explain, parse};
use crate::error::codes;

const FILE: &str = r#"
data: ./somewhere
http: { listen: 127.0.0.1:0 }
kafka: { listen: 127.0.0.1:9092 }
topics:
  orders: { partitions: 12, retention: { age: 7d } }
  payments:
auto_create: { allow: [], partitions: 4 }
subscriptions:
  payment:
    topic: orders
    filter: { type: OrderCreated }
    handler: { http: { url: "http://127.0.0.1:9002/events", timeout: 5s } }
    order: key
    retry: { attempts: 8, initial: 200ms, factor: 4, max: 1h, age: 24h }
    depends_on: [ payment-provider ]
    when_exhausted: skip
    from: latest
    effects: { mode: log, topic: payments }
    concurrency: { min: 1, max: 64 }
    inbox: 7d
    parking: { keys: 10000, per_key: 1000, held: 1GiB }
  compensation:
    topic: payment.dead
    handler: { http: { url: "http://127.0.0.1:9001/compensate" } }
dependencies:
  payment-provider: { breaker: { window: 60s, min_calls: 20, failure_ratio: 0.5, open: 30s } }
alerts: { webhooks: [ { name: team, url: "http://127.0.0.1:9009/alerts" } ] }
"#;

fn read(text: &str) -> Result<super::Plan, crate::error::Error> {
    parse(text, Path::new("/etc/evenkeel"))
}

#[test]
fn the_file_of_the_design_is_read_as_it_stands() {
    let plan = read(FILE).unwrap();
    assert_eq!(plan.data, Path::new("/etc/evenkeel/./somewhere"));
    let payment = plan.subscriptions.iter().find(|s| &*s.name == "payment").unwrap();
    assert_eq!(payment.policy.retry.attempts, 8);
    assert_eq!(payment.policy.depends_on[0].1.open, Duration::from_secs(30));
    assert_eq!(payment.effects_topic.as_deref(), Some("payments"));
    assert_eq!(plan.partitions_of("orders"), Some(12));
}

#[test]
fn an_empty_file_has_a_default_for_every_key() {
    let plan = read("").unwrap();
    assert_eq!(plan.http.to_string(), "127.0.0.1:8080");
    assert_eq!(plan.publish_dedup, Duration::from_secs(86_400));
}

#[test]
fn a_list_where_keys_stand_is_refused_with_its_path() {
    for (text, path) in [("[]", ""), ("http: []", "`http`: "), ("topics: { orders: [] }", "`topics.orders`: ")] {
        let error = read(text).unwrap_err();
        assert_eq!(error.message, format!("{path}must be a mapping of keys, not a list"), "{text}");
    }
    assert!(read("topics: []").unwrap_err().message.contains("`topics`"), "a mapping by name is none either");
    assert!(read("# nothing yet").is_ok() && read("auto_create: { allow: [] }").is_ok());
}

#[test]
fn a_typo_is_refused_with_its_path_and_the_nearest_right_name() {
    for (from, to, path, right) in [
        ("attempts: 8", "atempts: 8", "subscriptions.payment.retry.atempts", "subscriptions.payment.retry.attempts"),
        ("partitions: 12", "partitons: 12", "topics.orders.partitons", "topics.orders.partitions"),
        (
            "timeout: 5s",
            "timeuot: 5s",
            "subscriptions.payment.handler.http.timeuot",
            "subscriptions.payment.handler.http.timeout",
        ),
        ("data: .", "dta: .", "dta", "data"),
    ] {
        let error = read(&FILE.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.code, codes::CONFIG_UNKNOWN_KEY, "{to}: {error}");
        assert_eq!(error.message, format!("unknown key `{path}`"));
        assert_eq!(error.hint.as_deref(), Some(&*format!("did you mean `{right}`?")));
    }
}

#[test]
fn a_wrong_value_is_refused_with_its_path() {
    for (from, to, path) in [
        ("initial: 200ms", "initial: 200", "subscriptions.payment.retry.initial"),
        ("held: 1GiB", "held: much", "subscriptions.payment.parking.held"),
        ("order: key", "dead_letter_budget: { share: 2 }", "subscriptions.payment.dead_letter_budget.share"),
        ("order: key", "dead_letter_budget: { run: 0 }", "subscriptions.payment.dead_letter_budget"),
        ("order: key", "order: kee", "subscriptions.payment.order"),
        ("order: key", "freshness: newest", "subscriptions.payment.freshness"),
        ("order: key", "backlog: 0s", "subscriptions.payment.backlog"),
        ("held: 1GiB", "slow_after: 0s", "subscriptions.payment.parking.slow_after"),
        ("order: key", "fallback: { after: 5s }", "subscriptions.payment.fallback"),
        ("order: key", "fallback: { topic: paymens }", "subscriptions.payment.fallback.topic"),
        ("order: key", "fallback: { topic: orders }", "subscriptions.payment.fallback.topic"),
        ("timeout: 5s", "timeout: 5s, rate: fast", "subscriptions.payment.handler.http.rate"),
        ("timeout: 5s", "timeout: 5s, burst: 5", "subscriptions.payment.handler.http.burst"),
        ("factor: 4", "factor: 0.5", "subscriptions.payment.retry.factor"),
        ("attempts: 8", "attempts: many", "subscriptions.payment.retry.attempts"),
        ("127.0.0.1:0 ", "0.0.0.0:80 ", "http.listen"),
        ("http://127.0.0.1:9002", "ftp://127.0.0.1:9002", "subscriptions.payment.handler.http.url"),
        ("topic: orders", "topic: ordres", "subscriptions.payment.topic"),
        ("[ payment-provider ]", "[ payment-provder ]", "subscriptions.payment.depends_on"),
        ("topic: payment.dead", "topic: compensation.dead", "subscriptions.compensation.topic"),
        ("from: latest", "from: yesterday", "subscriptions.payment.from"),
        ("data: .", "handlers: { allow: [ 10.0.0.0/40 ] }\ndata: .", "handlers.allow"),
        ("data: .", "handlers: { allow: [ 10.0.0.0/8 ] }\ndata: .", "alerts.webhooks[0].url"),
        ("{ type: OrderCreated }", "{ Type: OrderCreated }", "subscriptions.payment.filter.Type"),
        ("{ type: OrderCreated }", "{ typ: OrderCreated }", "subscriptions.payment.filter.typ"),
        ("{ type: OrderCreated }", "{ any: [ { suorce: /x } ] }", "subscriptions.payment.filter.any[0].suorce"),
        ("{ type: OrderCreated }", "{ sql: \"type = 'x'\" }", "subscriptions.payment.filter.sql"),
    ] {
        let error = read(&FILE.replacen(from, to, 1)).unwrap_err();
        assert!(error.message.contains(path), "{to}: {error}");
    }
}

#[test]
fn the_effective_configuration_reads_back_to_itself_and_fills_in_defaults() {
    let plan = read(FILE).unwrap();
    let written = effective(&plan);
    let again = read(&written).unwrap();
    assert_eq!(effective(&again), written);
    assert!(
        written.contains("allow:") && written.contains("min_calls: 20") && written.contains("inline: 200ms"),
        "{written}"
    );
}

#[test]
fn a_fallback_is_read_explained_and_written_back() {
    for (written, says) in [
        ("{ topic: payments, after: 5s }", "has been open for 5s, events go to topic `payments`"),
        ("{ handler: { http: { url: \"http://127.0.0.1:9/\" } } }", "open for 30s, events go to http://127.0.0.1:9/"),
    ] {
        let keys = format!("fallback: {written}\n    freshness: lifo_when_backlogged\n    backlog: 9s\n    order: key");
        let plan = read(&FILE.replacen("order: key", &keys, 1)).unwrap();
        let said = explain(&plan);
        assert!(said.contains(says) && said.contains("the oldest is older than 9s"), "{said}");
        let again = read(&effective(&plan)).unwrap();
        assert_eq!(effective(&again), effective(&plan));
        assert_eq!(again.subscriptions[1].fallback, plan.subscriptions[1].fallback);
    }
}

#[test]
fn check_says_in_words_what_a_subscription_does_and_that_kafka_is_bound_to_nothing() {
    let said = explain(&read(FILE).unwrap());
    assert!(said.contains("is tried 8 times over about"), "{said}");
    assert!(said.contains("payment-provider"), "{said}");
    assert!(said.contains("Handlers may have any address; a metadata service"), "{said}");
    assert!(said.contains("kafka: 127.0.0.1:9092 is accepted") && said.contains("nothing is bound"), "{said}");
}

#[test]
fn what_stands_in_a_filter_means_all_of_it() {
    let text = FILE.replacen(
        "{ type: OrderCreated }",
        "{ any: [ { prefix: { type: Order } }, { not: { source: /x } } ], subject: a }",
        1,
    );
    let plan = read(&text).unwrap();
    let payment = plan.subscriptions.iter().find(|s| &*s.name == "payment").unwrap();
    let mut event = evenkeel_model::Event::new("/x", "1", "OrderCreated");
    assert!(!payment.filter.as_ref().unwrap().matches(&event));
    event.subject = Some("a".to_owned());
    assert!(payment.filter.as_ref().unwrap().matches(&event));
    event.kind = "Other".to_owned();
    assert!(!payment.filter.as_ref().unwrap().matches(&event));
    let named = FILE.replacen("{ type: OrderCreated }", "{ tenant: a, exact: { typ: b } }", 1);
    assert!(read(&named).is_ok(), "extensions have the names that they have");
}

const PUSHED: &str = r#"
topics: { orders: { partitions: 12 } }
subscriptions:
  payment:
    topic: orders
    handler:
      http:
        urls: [ "http://10.0.0.1/events", "http://10.0.0.2/events" ]
        format: structured
        batch: { max: 50, linger: 20ms, bytes: 256KiB }
        sign: [ { env: EVENKEEL_TEST_NO_SUCH_VARIABLE }, { file: ./old.secret } ]
        ejection: { failures: 3, open: 5s, max: 1m, slow_start: 10s }
        health: { path: /healthz, every: 5s }
        accepted: fail
        version: "2"
        tls: { roots: ./ca.pem }
        handshake: { origin: events.shop.example, rate: 600 }
        answer: 4MiB
    concurrency: { min: 1, max: 200 }
"#;

#[test]
fn how_a_handler_is_called_is_read_written_back_and_said_in_words() {
    let plan = read(PUSHED).unwrap();
    let written = effective(&plan);
    assert_eq!(effective(&read(&written).unwrap()), written);
    let said = explain(&plan);
    for words in [
        "Its 2 endpoints are called in turn, the least busy first. One that fails 3 times in a row is left out for 5s",
        "asked at `/healthz` every 5s; after two answers that are no 2xx within 2s",
        "Up to 50 events (256KiB of data) go in one request, and none waits longer than 20ms for others",
        "`concurrency.max: 200` counts events, so at most 4 full requests are under way",
        "the secret of the variable `EVENKEEL_TEST_NO_SUCH_VARIABLE` and the file `./old.secret`",
        "the signature covers the whole event",
        "asked first whether it takes events of `events.shop.example`",
        "TLS trusts the certificates in `./ca.pem`, and no others",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    let refused = plan.subscriptions[0].push.signing("payment").unwrap_err();
    assert!(refused.message.contains("subscriptions.payment.handler.http.sign[0]"), "{refused}");
    let refused = plan.subscriptions[0].push.trusted("payment").unwrap_err();
    assert!(refused.message.contains("subscriptions.payment.handler.http.tls.roots"), "{refused}");
    let pending = PUSHED.replace("accepted: fail", "accepted: pending").replace("batch: {", "# {");
    let plan = read(&pending).unwrap();
    assert_eq!(effective(&read(&effective(&plan)).unwrap()), effective(&plan));
    assert!(explain(&plan).contains("it is waited 1h for a callback"));
}

#[test]
fn settings_of_a_handler_that_mean_nothing_are_refused_with_their_path() {
    for (from, to, path) in [
        ("urls:", "url: \"http://10.0.0.1/\"\n        urls:", "handler.http.urls"),
        ("urls:", "#", "handler.http.url"),
        ("10.0.0.2", "10.0.0.1", "handler.http.urls"),
        ("10.0.0.2", "169.254.169.254", "handler.http.urls[1]"),
        ("format: structured", "format: xml", "handler.http.format"),
        ("max: 50", "max: 5000", "handler.http.batch.max"),
        ("linger: 20ms", "linger: 1h", "handler.http.batch.linger"),
        ("bytes: 256KiB", "bytes: 1GiB", "handler.http.batch.bytes"),
        ("{ file: ./old.secret }", "{}", "handler.http.sign[1]"),
        ("{ file: ./old.secret }", "{ secret: whsec_abc }", "handler.http.sign[1].secret"),
        ("failures: 3", "failures: 0", "handler.http.ejection.failures"),
        ("path: /healthz", "path: healthz", "handler.http.health.path"),
        ("every: 5s", "every: 0s", "handler.http.health.every"),
        ("accepted: fail", "accepted: pending", "handler.http.accepted"),
        ("accepted: fail", "accepted: maybe", "handler.http.accepted"),
        ("accepted: fail", "pending: 5m", "handler.http.pending"),
        ("version: \"2\"", "version: \"3\"", "handler.http.version"),
        ("origin: events.shop.example", "origin: \"http://a\"", "handler.http.handshake.origin"),
        ("rate: 600", "rate: 0", "handler.http.handshake.rate"),
        ("answer: 4MiB", "answer: 4GiB", "handler.http.answer"),
    ] {
        let error = read(&PUSHED.replacen(from, to, 1)).unwrap_err();
        assert!(error.message.contains(path), "{to}: {error}");
        assert!(!error.to_string().contains("whsec_abc"), "{error}");
    }
}

const KEPT: &str = r#"
topics:
  orders:
    partitions: 3
    retention: { age: 7d, size: 10GiB, limit: 20GiB, at_limit: expire }
  customers:
    cleanup: compact
    compact: { dirty_ratio: 0.25, delete_retention: 2d, min_lag: 1h }
  small: { retention: { size: 1MiB } }
"#;

#[test]
fn what_a_topic_keeps_is_read_written_back_and_said_in_words() {
    let plan = read(KEPT).unwrap();
    let written = effective(&plan);
    assert_eq!(effective(&read(&written).unwrap()), written);
    assert!(written.contains("at_limit: expire") && written.contains("dirty_ratio: 0.25"), "{written}");
    let said = explain(&plan);
    for words in [
        "orders: 3 partitions; events older than 7d go, and the oldest when a partition holds more than 10GiB",
        "never holds more than 20GiB: there the oldest events end as expired",
        "compacted when 25 % of it are new",
        "the mark of a deleted key for 2d. An event younger than 1h is left alone.",
        "There is no `limit`: what is still owed may grow until the disk is full.",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
}

#[test]
fn settings_of_a_topic_that_mean_nothing_together_are_refused_with_their_path() {
    for (from, to, path) in [
        ("limit: 20GiB", "limit: 5GiB", "topics.orders.retention.limit"),
        ("limit: 20GiB, ", "", "topics.orders.retention.at_limit"),
        ("at_limit: expire", "at_limit: expires", "topics.orders.retention.at_limit"),
        ("cleanup: compact", "cleanup: delete", "topics.customers.compact"),
        ("cleanup: compact", "cleanup: compacted", "topics.customers.cleanup"),
        ("dirty_ratio: 0.25", "dirty_ratio: 25", "topics.customers.compact.dirty_ratio"),
        ("size: 1MiB", "size: 0B", "topics.small.retention.size"),
    ] {
        let error = read(&KEPT.replacen(from, to, 1)).unwrap_err();
        assert!(error.message.contains(path), "{to}: {error}");
    }
}

#[test]
fn the_ledger_is_kept_for_a_month_and_no_inbox_is_longer_than_what_it_is_made_from() {
    let plan = read(FILE).unwrap();
    assert_eq!(plan.ledger_retention, Duration::from_secs(30 * 86_400));
    assert!(explain(&plan).contains("What became of each event is kept for 30d"), "{}", explain(&plan));
    let error = read(&format!("{FILE}\nledger: {{ retention: 3d }}\n")).unwrap_err();
    assert!(error.message.starts_with("`subscriptions.payment.inbox`: 7d is longer than"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("write `ledger: { retention: 7d }`, or a shorter inbox"));
    let error = read("ledger: { retention: 0s }").unwrap_err();
    assert_eq!(error.message, "`ledger.retention`: must be more than 0");
    // Where the file does not say how long, the inbox gives way.
    let short = FILE.replace("    inbox: 7d\n", "");
    let plan = read(&format!("{short}\nledger: {{ retention: 3d }}\n")).unwrap();
    assert!(plan.subscriptions.iter().all(|s| s.policy.inbox == Duration::from_secs(3 * 86_400)));
}

const PICKED: &str = r#"
topics: { orders: }
subscriptions:
  s:
    topic: orders
    handler: { http: { url: "http://127.0.0.1:9002/events" } }
    identity: { pointer: /order/id }
    sequence: { attribute: sequence, keys: 5000 }
"#;

#[test]
fn what_identifies_an_event_and_what_makes_it_stale_is_read_written_back_and_said_in_words() {
    let plan = read(PICKED).unwrap();
    let said = explain(&plan);
    let repeat = "recognised for 7d by `/order/id` of the data (where an event has none, by its `id`)";
    assert!(said.contains(repeat), "{said}");
    let stale = "whose attribute `sequence` is less than that of the last completed one of its key ends as stale";
    assert!(said.contains(stale) && said.contains("the 5000 keys completed last (at most 1 MB)"), "{said}");
    assert_eq!(effective(&read(&effective(&plan)).unwrap()), effective(&plan));
    assert!(effective(&plan).contains("pointer: /order/id"), "{}", effective(&plan));
    assert!(!explain(&read(FILE).unwrap()).contains("stale"));
}

#[test]
fn a_place_that_is_none_or_several_is_refused_with_its_path() {
    for (wrong, path, why) in [
        ("identity: { pointer: order/id }", "subscriptions.s.identity.pointer", "begin with `/`"),
        ("identity: {}", "subscriptions.s.identity", "says not where"),
        ("identity: { header: \"\" }", "subscriptions.s.identity", "says not where"),
        ("identity: { header: a, attribute: b }", "subscriptions.s.identity", "names several places"),
        ("sequence: { attribute: Sequence }", "subscriptions.s.sequence.attribute", "cannot be an attribute"),
        ("sequence: { keys: 5 }", "subscriptions.s.sequence", "says not where"),
        ("sequence: { attribute: s, keys: 0 }", "subscriptions.s.sequence.keys", "between 1 and 1000000"),
        ("identity: { point: /a }", "subscriptions.s.identity.point", "pointer"),
    ] {
        let head = PICKED.split("    identity").next().unwrap();
        let error = read(&format!("{head}    {wrong}\n")).unwrap_err();
        let said = format!("{} {}", error.message, error.hint.clone().unwrap_or_default());
        assert!(error.message.contains(path) && said.contains(why), "{wrong}: {said}");
    }
}

#[test]
fn what_a_topic_says_of_identity_and_versions_holds_for_subscriptions_that_say_nothing() {
    let topic = "topics: { orders: { identity: { header: x-id }, sequence: { attribute: sequence, keys: 7 } } }";
    let file = format!(
        "{topic}\nsubscriptions:
  a: {{ topic: orders, handler: {{ http: {{ url: \"http://127.0.0.1:9002/a\" }} }} }}
  b: {{ topic: orders, handler: {{ http: {{ url: \"http://127.0.0.1:9002/b\" }} }}, sequence: {{ pointer: /v }} }}
"
    );
    let plan = read(&file).unwrap();
    let of = |n: usize| {
        let of = &plan.subscriptions[n];
        let text = |pick: &Option<evenkeel_transport::Pick>| pick.as_ref().map(ToString::to_string).unwrap_or_default();
        (text(&of.identity), text(&of.sequence), of.policy.versions)
    };
    assert_eq!(of(0), ("the header `x-id`".into(), "the attribute `sequence`".into(), 7));
    assert_eq!(of(1), ("the header `x-id`".into(), "`/v` of the data".into(), 100_000));
    assert_eq!(effective(&read(&effective(&plan)).unwrap()), effective(&plan));
    let wrong = read("topics: { orders: { identity: { pointer: id } } }").unwrap_err();
    assert!(wrong.message.contains("topics.orders.identity.pointer"), "{}", wrong.message);
    let late = super::read_topic("t", serde_json::json!({ "identity": { "header": "x" } }), None).unwrap_err();
    assert!(late.message.contains("identity") && late.hint.unwrap().contains("each subscription"), "{}", late.message);
}
