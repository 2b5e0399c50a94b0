//! What is said of a broker that does not let us in: by `evenkeel check --connect`, and by a node that runs.
//!
//! `. .ci/servers/nats` and `. .ci/servers/rabbitmq` start the servers and name them; without them the tests say
//! that they were skipped, and fail where `EVENKEEL_REQUIRE` names the server.
#![cfg(all(feature = "nats", feature = "rabbitmq"))]
#![allow(clippy::unwrap_used, unreachable_pub, dead_code, reason = "a test")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{needs, start, until};

/// What was said, and the exit code.
fn check(folder: &Path, yaml: &str) -> (String, Option<i32>) {
    let file = folder.join("evenkeel.yaml");
    std::fs::write(&file, yaml).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_evenkeel")).args(["check", "--connect"]).arg(&file).output().unwrap();
    (String::from_utf8_lossy(&ran.stderr).into_owned(), ran.status.code())
}

/// A broker in the file, and what is said of it.
struct Case {
    broker: String,
    says: Vec<String>,
}

fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set"))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("good"), "secret\n").unwrap();
    std::fs::write(folder.path().join("guest"), "guest\n").unwrap();
    std::fs::write(folder.path().join("bad"), "s3same\n").unwrap();
    std::fs::write(folder.path().join("empty.pem"), "no certificate\n").unwrap();
    folder
}

/// Refused by the check, and told by the node's intake, each with the broker, its address and the fix.
async fn refused(cases: Vec<Case>, intake: &str) {
    for case in cases {
        let folder = folder();
        let yaml = format!(
            "data: ./data\nbrokers: {{ bus: {{ {} }} }}\ntopics: {{ orders: {{}} }}\nintakes: {{ orders: {{ broker: bus, {intake} }} }}\n",
            case.broker
        );
        let (said, code) = check(folder.path(), &yaml);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("error[broker]: broker `bus`: "), "{said}");
        let lacks = |said: &str| case.says.iter().find(|part| !said.contains(&***part)).cloned();
        assert_eq!(lacks(&said), None, "{said}");
        assert!(!said.contains("s3same") && !said.contains("secret"), "no secret is told: {said}");
        let node = start(folder.path(), &yaml.replace("data: ./data\n", "")).await;
        let told = until("the intake says why", || async {
            node.get("/v1/topics/orders").await["intake"]["problem"].as_str().map(str::to_owned)
        })
        .await;
        assert!(told.starts_with("broker `bus`: "), "{told}");
        assert_eq!(lacks(&told), None, "{told}");
        node.node.shutdown().await;
    }
}

fn case(broker: String, says: &[&str]) -> Case {
    Case { broker, says: says.iter().map(|part| (*part).to_owned()).collect() }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_by_nats_is_told_by_whom_why_and_what_to_do() {
    if needs("nats", "EVENKEEL_TEST_NATS").is_none() {
        return;
    }
    let (tls, ca) = (named("EVENKEEL_TEST_NATS_TLS"), named("EVENKEEL_TEST_NATS_CA"));
    let token = named("EVENKEEL_TEST_NATS_TOKEN");
    let (jwt, nkey, keys) =
        (named("EVENKEEL_TEST_NATS_JWT"), named("EVENKEEL_TEST_NATS_NKEY"), named("EVENKEEL_TEST_NATS_KEYS"));
    let roots = format!("tls: {{ roots: '{ca}' }}");
    let elsewhere = tls.replace("localhost", "127.0.0.1");
    let at = format!("NATS tls://{tls}: ");
    let good = "user: evenkeel, password: { file: ./good }";
    let cases = vec![
        case(
            format!("url: 'nats://{tls}', {roots}, user: evenkeel, password: {{ file: ./bad }}"),
            &[&at, "refuses these credentials; correct them"],
        ),
        case(format!("url: 'nats://{tls}', {roots}"), &[&at, "write `user` and `password:"]),
        case(format!("url: 'nats://{token}', token: {{ file: ./bad }}"), &[&token, "refuses these credentials"]),
        case(
            format!("url: 'nats://{jwt}', credentials: {{ file: '{keys}/stranger.creds' }}"),
            &[&jwt, "refuses these credentials"],
        ),
        case(
            format!("url: 'nats://{jwt}', credentials: {{ file: '{keys}/user.nk' }}"),
            &[&jwt, "those of a `.creds` file"],
        ),
        case(format!("url: 'nats://{nkey}', nkey: {{ file: '{keys}/stranger.nk' }}"), &[&nkey, "refuses these"]),
        case(format!("url: 'nats://{tls}', tls: {{}}, {good}"), &[&at, "`tls: { roots: ./ca.pem }`"]),
        case(
            format!("url: 'nats://{elsewhere}', {roots}, {good}"),
            &[&elsewhere, "for the host name `localhost`", "write that name in `url`"],
        ),
    ];
    refused(cases, "stream: ORDERS, consumer: evenkeel").await;
    let taken = [
        format!("url: 'nats://{tls}', {roots}, {good}"),
        format!("url: 'nats://{token}', token: {{ file: ./good }}"),
        format!("url: 'nats://{jwt}', credentials: {{ file: '{keys}/user.creds' }}"),
        format!("url: 'nats://{nkey}', nkey: {{ file: '{keys}/user.nk' }}"),
    ];
    for broker in taken {
        let folder = folder();
        let (said, code) = check(folder.path(), &format!("brokers: {{ bus: {{ {broker} }} }}\n"));
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("Broker bus: NATS at") && said.contains("and takes these credentials"), "{said}");
    }
    let no_roots = format!("url: 'nats://{tls}', tls: {{ roots: ./empty.pem }}, {good}");
    let (said, _) = check(folder().path(), &format!("brokers: {{ bus: {{ {no_roots} }} }}\n"));
    assert!(said.contains("brokers.bus.tls.roots"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_by_rabbitmq_is_told_by_whom_why_and_what_to_do() {
    if needs("rabbitmq", "EVENKEEL_TEST_RABBITMQ").is_none() {
        return;
    }
    let (tls, ca) = (named("EVENKEEL_TEST_RABBITMQ_TLS"), named("EVENKEEL_TEST_RABBITMQ_CA"));
    let roots = format!("tls: {{ roots: '{ca}' }}");
    let elsewhere = tls.replace("localhost", "127.0.0.1");
    let at = format!("RabbitMQ amqps://{tls}/%2f: ");
    let good = "user: guest, password: { file: ./guest }";
    let cases = vec![
        case(
            format!("url: 'amqp://{tls}', {roots}, user: guest, password: {{ file: ./bad }}"),
            &[&at, "refuses these credentials; correct them"],
        ),
        case(format!("url: 'amqp://{tls}', tls: {{}}, {good}"), &[&at, "`tls: { roots: ./ca.pem }`"]),
        case(
            format!("url: 'amqp://{elsewhere}', {roots}, {good}"),
            &[&elsewhere, "for the host name `localhost`", "write that name in `url`"],
        ),
        case(format!("url: 'amqp://{tls}', {good}"), &["where only TLS is spoken, write `tls: {}`"]),
        case(
            format!("url: 'amqp://{tls}/nowhere', {roots}, {good}"),
            &["amqps", "/nowhere: ", "there is no virtual host `nowhere`, or this user may not enter it"],
        ),
    ];
    refused(cases, "queue: orders").await;
    let folder = folder();
    let (said, code) =
        check(folder.path(), &format!("brokers: {{ bus: {{ url: 'amqp://{tls}', {roots}, {good} }} }}\n"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Broker bus: RabbitMQ at") && said.contains("over TLS"), "{said}");
}
