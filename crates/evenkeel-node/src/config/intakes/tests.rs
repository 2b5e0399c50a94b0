use std::path::Path;

use crate::config::{effective, parse};

const FILE: &str = "\
brokers:
  shop: { url: 'amqp://127.0.0.1:5672', user: guest, password: { env: RABBIT_PASSWORD } }
  bus: { url: 'nats://127.0.0.1:4222' }
  main: { url: 'kafka://127.0.0.1:9092' }
topics: { orders: {}, payments: {} }
intakes:
  orders: { broker: shop, queue: orders, topology: verify }
  payments: { broker: bus, stream: PAYMENTS, subject: 'payments.>' }
";

#[test]
fn what_is_written_back_reads_to_the_same_plan() {
    let plan = parse(FILE, Path::new("/etc/evenkeel")).unwrap();
    assert_eq!((plan.brokers.len(), plan.intakes.len()), (3, 2));
    let again = parse(&effective(&plan), Path::new("/etc/evenkeel")).unwrap();
    assert_eq!((again.brokers, again.intakes), (plan.brokers, plan.intakes));
}

#[test]
fn what_is_wrong_is_told_with_its_key_and_how_to_mend_it() {
    for (from, to, told) in [
        ("4222' }", "4222', groups: consumer }", "`brokers.bus.groups`: is for Kafka, and this is NATS"),
        ("broker: shop, queue", "broker: main, queue", "`intakes.orders.broker`: is a Kafka"),
        ("broker: shop, queue", "broker: shopp, queue", "`intakes.orders.broker`: there is no broker `shopp`"),
        ("orders: {}, ", "", "`intakes.orders`: there is no topic `orders`"),
        ("queue: orders,", "stream: orders,", "`intakes.orders.stream`: RabbitMQ has no such thing"),
        ("stream: PAYMENTS, ", "", "`intakes.payments.stream`: is missing"),
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
