use std::path::Path;

use crate::config::{effective, parse};

const FILE: &str = "\
brokers:
  shop: { url: 'amqp://127.0.0.1:5672', user: guest, password: { env: RABBIT_PASSWORD } }
  bus: { url: 'nats://127.0.0.1:4222' }
  main: { url: 'kafka://127.0.0.1:9092' }
  cloud: { url: 'aws://eu-central-1', profile: shop }
  near: { url: 'aws://', endpoint: 'http://127.0.0.1:9324', user: AKIA, password: { env: AWS_SECRET } }
topics: { orders: {}, payments: {}, returns: {}, refunds: {}, clicks: {} }
intakes:
  orders: { broker: shop, queue: orders, topology: verify }
  payments: { broker: bus, stream: PAYMENTS, subject: 'payments.>' }
  returns: { broker: cloud, queue: returns.fifo, key: event }
  refunds: { broker: near, queue: refunds, visibility: 90s, envelope: keep }
  clicks: { broker: main, topic: clicks.v1, from: latest }
";

#[test]
fn what_is_written_back_reads_to_the_same_plan() {
    let plan = parse(FILE, Path::new("/etc/evenkeel")).unwrap();
    assert_eq!((plan.brokers.len(), plan.intakes.len()), (5, 5));
    let again = parse(&effective(&plan), Path::new("/etc/evenkeel")).unwrap();
    assert_eq!((again.brokers, again.intakes), (plan.brokers, plan.intakes));
}

#[test]
fn what_is_wrong_is_told_with_its_key_and_how_to_mend_it() {
    for (from, to, told) in [
        ("4222' }", "4222', groups: consumer }", "`brokers.bus.groups`: is for Kafka, and this is NATS"),
        ("broker: shop, queue", "broker: main, queue", "`intakes.orders.queue`: Kafka has no such thing"),
        ("topic: clicks.v1, ", "", "`intakes.clicks.topic`: is missing"),
        ("queue: orders,", "queue: orders, group: g,", "`intakes.orders.group`: RabbitMQ has no such thing"),
        ("broker: shop, queue", "broker: shopp, queue", "`intakes.orders.broker`: there is no broker `shopp`"),
        ("orders: {}, ", "", "`intakes.orders`: there is no topic `orders`"),
        ("queue: orders,", "stream: orders,", "`intakes.orders.stream`: RabbitMQ has no such thing"),
        ("stream: PAYMENTS, ", "", "`intakes.payments.stream`: is missing"),
        ("profile: shop", "profile: shop, tls: {}", "`brokers.cloud.tls`: AWS is always spoken to over TLS"),
        ("aws://eu-central-1", "aws://127.0.0.1:9324", "`127.0.0.1:9324` is no region"),
        ("http://127.0.0.1:9324", "127.0.0.1:9324", "`brokers.near.endpoint`: `127.0.0.1:9324` is no URL"),
        ("user: AKIA", "profile: x, user: AKIA", "`brokers.near.profile`: stands beside an access key"),
        ("4222' }", "4222', profile: x }", "`brokers.bus.profile`: is for AWS, and this is NATS"),
        ("key: event", "key: subject", "`intakes.returns.key`: `subject` is none of group, event"),
        (
            "visibility: 90s",
            "visibility: 2s",
            "`intakes.refunds.visibility`: `2s` is not whole seconds from 10s to 12h",
        ),
        ("envelope: keep", "envelope: strip", "`intakes.refunds.envelope`: `strip` is none of unwrap, keep"),
        (
            "queue: returns.fifo,",
            "queue: returns.fifo, delivery_limit: 3,",
            "`intakes.returns.delivery_limit`: AWS has no such thing",
        ),
        (
            "queue: orders,",
            "queue: orders, visibility: 60s,",
            "`intakes.orders.visibility`: RabbitMQ has no such thing",
        ),
        ("topology: verify", "topology: verfy", "`intakes.orders.topology`: `verfy` is none of declare, verify"),
    ] {
        let text = FILE.replacen(from, to, 1);
        assert_ne!(text, FILE, "{from}");
        let why = parse(&text, Path::new(".")).unwrap_err();
        assert!(why.message.contains(told), "{told}: {why}");
    }
    let read_there =
        "subscriptions: { s: { topic: 'nats://bus/x', handler: { http: { url: 'http://127.0.0.1:1/' } } } }";
    let why = parse(&format!("{FILE}{read_there}"), Path::new(".")).unwrap_err();
    assert!(why.message.contains("comes in by an intake"), "{why}");
}

#[test]
fn aws_is_explained_without_a_secret_and_its_addresses_name_a_service() {
    let plan = parse(FILE, Path::new(".")).unwrap();
    let said = crate::config::explain(&plan);
    for told in [
        "Broker cloud: AWS at region eu-central-1, with the profile `shop`.",
        "Broker near: AWS at http://127.0.0.1:9324 (the region that the AWS SDK finds), with the access key `AKIA`.",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let to = |to: &str| {
        let bridge = format!("{FILE}subscriptions: {{ s: {{ topic: orders, handler: {{ publish: '{to}' }} }} }}");
        parse(&bridge, Path::new("."))
    };
    assert!(to("aws://cloud/sqs/out.fifo").is_ok() && to("aws://cloud/sns/arn:aws:sns:eu-central-1:1:t").is_ok());
    for (wrong, told) in [
        ("aws://cloud/out", "names no service"),
        ("aws://cloud/sqs/", "names no service"),
        ("aws://cloud/sqz/out", "`sqz` is none of sqs, sns"),
        ("sqs://cloud/out", "broker `cloud` speaks aws, not sqs"),
    ] {
        let why = to(wrong).unwrap_err();
        assert!(why.message.contains(told), "{told}: {why}");
    }
}
