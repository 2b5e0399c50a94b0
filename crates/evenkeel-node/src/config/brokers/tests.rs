use std::path::Path;

use crate::config;
use crate::config::plan::Plan;

fn parsed(text: &str) -> Result<Plan, String> {
    config::parse(text, Path::new("/etc/evenkeel")).map_err(|e| e.to_string())
}

const OVER: &str = r#"
brokers:
  main:
    url: kafka://b1:9092,b2:9092
    tls: { roots: ca.pem }
    user: evenkeel
    password: { env: KAFKA_PASSWORD }
    sasl: scram-sha-512
    groups: consumer
    session: 10s
subscriptions:
  payment:
    topic: kafka://main/orders
    handler: { http: { url: "http://127.0.0.1:9002/events" } }
    effects: { mode: log, topic: kafka://main/payments }
  mirror:
    topic: kafka://main/orders
    handler: { publish: copies, mirror: true }
topics: { copies: {}, local: {} }
"#;

#[test]
fn a_subscription_over_a_broker_is_read_and_written_back_as_it_was() {
    let plan = parsed(OVER).unwrap();
    let payment = plan.subscriptions.iter().find(|s| &*s.name == "payment").unwrap();
    let home = payment.home.as_ref().unwrap();
    assert_eq!((&*home.broker.name, &*home.topic, &*payment.topic), ("main", "orders", "kafka://main/orders"));
    assert_eq!(home.broker.address, "b1:9092,b2:9092");
    let effective = config::effective(&plan);
    let again = parsed(&effective).unwrap();
    assert_eq!(config::effective(&again), effective);
    assert_eq!(again.brokers, plan.brokers);
    assert!(!effective.contains("secret") && effective.contains("KAFKA_PASSWORD"), "{effective}");
    let said = config::explain(&plan);
    assert!(said.contains("Broker main: Kafka at b1:9092,b2:9092; the node says it is `evenkeel`"), "{said}");
    assert!(said.contains("loses its partitions to others"), "{said}");
}

#[test]
fn what_is_wrong_with_a_broker_is_named_with_its_fix() {
    for (from, to, says) in [
        ("kafka://b1:9092,b2:9092", "kafak://b1:9092", "did you mean `kafka`?"),
        ("kafka://b1:9092,b2:9092", "b1:9092", "names no kind"),
        ("kafka://b1:9092,b2:9092", "kafka://b1", "`b1` is not `host:port`"),
        ("kafka://b1:9092,b2:9092", "kafka://u:p@b1:9092", "has credentials in it"),
        ("sasl: scram-sha-512", "sasl: scram", "`scram` is none of plain"),
        ("    user: evenkeel\n", "", "a user and a password go together"),
        ("groups: consumer", "groups: consumr", "did you mean `consumer`?"),
        ("topic: kafka://main/orders", "topic: kafka://man/orders", "did you mean `main`?"),
        ("topic: kafka://main/orders", "topic: kafka://main/", "write it like `kafka://main/orders`"),
        ("topic: kafka://main/orders", "topic: kafka://main/or ders", "is no name of a Kafka topic"),
        ("topic: kafka://main/payments", "topic: local", "write it like `kafka://main/local`"),
        ("publish: copies", "publish: copys", "did you mean `copies`?"),
        ("mirror: true }", "mirror: true }\n    order: key", "`subscriptions.mirror.order`: is `key`, and a mirror"),
        ("publish: copies, mirror", "http: { url: 'http://127.0.0.1:1/' }, mirror", "is for a bridge"),
    ] {
        let text = OVER.replacen(from, to, 1);
        assert_ne!(text, OVER);
        let error = parsed(&text).unwrap_err();
        assert!(error.contains(says), "{from} → {to}: {error}");
    }
    let hubs = "brokers: { hubs: { url: \"kafka://shop.servicebus.windows.net:9093\" } }";
    assert!(parsed(hubs).unwrap_err().contains("$ConnectionString"), "Event Hubs is known by its host");
}

#[test]
fn a_token_of_nats_is_read_from_its_place_and_written_back() {
    let with = |more: &str| parsed(&format!("brokers: {{ bus: {{ url: 'nats://n:4222', {more} }} }}\n"));
    let plan = with("token: { env: NATS_TOKEN }").unwrap();
    let effective = config::effective(&plan);
    assert_eq!(parsed(&effective).unwrap().brokers, plan.brokers, "{effective}");
    let said = config::explain(&plan);
    assert!(
        said.contains("shows the token in the variable `NATS_TOKEN`") && said.contains("write `tls: {}`"),
        "{said}"
    );
    let both = with("token: { env: A }, user: b, password: { env: C }").unwrap_err();
    assert!(both.contains("brokers.bus.token") && both.contains("takes the place of a user"), "{both}");
    let nowhere = with("token: {}").unwrap_err();
    assert!(nowhere.contains("brokers.bus.token") && nowhere.contains("{ env: NATS_TOKEN }"), "{nowhere}");
    let rabbit = parsed("brokers: { r: { url: 'amqp://r:5672', token: { env: A } } }\n").unwrap_err();
    assert!(rabbit.contains("brokers.r.token") && rabbit.contains("this is RabbitMQ"), "{rabbit}");
}

#[test]
fn credentials_and_nkeys_of_nats_are_read_from_their_place_and_written_back() {
    let with = |more: &str| parsed(&format!("brokers: {{ bus: {{ url: 'nats://n:4222', {more} }} }}\n"));
    for (more, said) in [
        ("credentials: { file: user.creds }", "signs as the user of the credentials in"),
        ("credentials: { env: NATS_CREDS }", "credentials in the variable `NATS_CREDS`"),
        ("nkey: { env: NATS_NKEY }", "signs with the nkey whose seed is in the variable `NATS_NKEY`"),
    ] {
        let plan = with(more).unwrap();
        let effective = config::effective(&plan);
        assert_eq!(parsed(&effective).unwrap().brokers, plan.brokers, "{effective}");
        assert!(config::explain(&plan).contains(said), "{}", config::explain(&plan));
    }
    for more in [
        "nkey: { env: A }, credentials: { env: B }",
        "nkey: { env: A }, user: b",
        "token: { env: A }, nkey: { env: B }",
    ] {
        let both = with(more).unwrap_err();
        assert!(both.contains("brokers.bus.") && both.contains("takes the place of a user"), "{both}");
    }
    let rabbit = parsed("brokers: { r: { url: 'amqp://r:5672', credentials: { env: A } } }\n").unwrap_err();
    assert!(rabbit.contains("`brokers.r.credentials`") && rabbit.contains("this is RabbitMQ"), "{rabbit}");
    let kafka = parsed("brokers: { k: { url: 'kafka://k:9092', token: { file: A } } }\n").unwrap_err();
    assert!(kafka.contains("`brokers.k.token`") && kafka.contains("`sasl: oauthbearer`"), "{kafka}");
}

#[test]
fn a_virtual_host_stands_in_the_url_or_beside_it() {
    let with = |url: &str, more: &str| parsed(&format!("brokers: {{ r: {{ url: '{url}'{more} }} }}\n"));
    for (url, more, vhost) in [
        ("amqp://r:5672", "", "/"),
        ("amqp://r:5672/", "", "/"),
        ("amqp://r:5672/%2f", "", "/"),
        ("amqp://r:5672/shop", "", "shop"),
        ("amqp://r:5672/my%20shop", "", "my shop"),
        ("amqp://r:5672", ", vhost: shop", "shop"),
        ("amqp://r:5672,s:5672/shop", ", vhost: shop", "shop"),
    ] {
        let plan = with(url, more).unwrap();
        assert_eq!(plan.brokers[0].vhost, vhost, "{url}");
        let effective = config::effective(&plan);
        assert_eq!(parsed(&effective).unwrap().brokers, plan.brokers, "{effective}");
        assert!(config::explain(&plan).contains(&format!("virtual host `{vhost}`")), "{}", config::explain(&plan));
    }
    for (url, more, says) in [
        ("amqp://r:5672/shop", ", vhost: other", "is `other`, and the URL says `shop`"),
        ("amqp://r:5672/%zz", "", "no percent-encoded name"),
        ("amqp://r:5672", ", vhost: ''", "is empty"),
        ("kafka://r:5672", ", vhost: a", "is for RabbitMQ, and this is Kafka"),
        ("amqps://r:5671", "", "write `amqp://…` and `tls: {}`"),
    ] {
        let error = with(url, more).unwrap_err();
        assert!(error.contains(says), "{url}: {error}");
    }
}
