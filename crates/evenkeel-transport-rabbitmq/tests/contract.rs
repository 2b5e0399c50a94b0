//! The contract suite on a real RabbitMQ, and what the adapter promises beyond it.
//!
//! `EVENKEEL_TEST_RABBITMQ=host:port` names the server (`. .ci/servers/rabbitmq`; user and password
//! `guest`); without it the tests say that they were skipped, and with `rabbitmq` in
//! `EVENKEEL_REQUIRE` they fail instead. Each test has queues of its own.
#![allow(clippy::unwrap_used, reason = "a test")]

mod site;

use evenkeel_delivery::ports::{Sink, Unsent};
use evenkeel_model::Shard;
use evenkeel_transport::Queue;
use evenkeel_transport::Refusal;
use evenkeel_transport::contract::intaken::{Intaken, Site};
use evenkeel_transport::contract::proxy::Line;
use evenkeel_transport::contract::real::{given_before, outgoing, records, until};
use evenkeel_transport::contract::{CHECKS, Subject};
use evenkeel_transport_rabbitmq::{Kind, RabbitSink};
use evenkeel_transport_rabbitmq::{Server, check};
use site::{Rabbit, need};

async fn keeps_the_contract(kind: Kind) {
    let Some(server) = need() else { return };
    let mut broken = Vec::new();
    for check in CHECKS {
        let subject = Intaken::new(Rabbit::fresh(server, kind).await);
        if let Err(why) = check.run(&subject).await {
            broken.push((check.name, why));
        }
        subject.site().remove().await;
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_queue_keeps_the_contract() {
    keeps_the_contract(Kind::Quorum).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_classic_queue_keeps_the_contract() {
    keeps_the_contract(Kind::Classic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_outlives_more_lost_connections_than_its_queue_allows() {
    let Some(server) = need() else { return };
    let subject = Intaken::new(Rabbit::fresh(server, Kind::Quorum).await);
    subject.publish(records(0..3)).await.unwrap();
    let opened = subject.open().await.unwrap();
    let intake = subject.intake().unwrap();
    for cut in 1..=25 {
        let before = intake.view().again;
        subject.site().proxy.set(Line::Cut);
        until("the loss is noticed", async || intake.view().problem.is_some()).await;
        subject.site().proxy.set(Line::Open);
        until(&format!("they came again, or were settled, after cut {cut}"), async || {
            intake.view().again >= before + 3 || intake.view().settled >= 3
        })
        .await;
    }
    until("they were settled when their queue would have thrown them away", async || intake.view().settled >= 3).await;
    // What settled them may have been cut off: then they are settled when they come again.
    until("none of them is left", async || subject.site().depth().await == 0).await;
    let (events, _) = opened.source.fetch(&Shard::new("orders", 0), 0, 10).await.unwrap();
    assert_eq!(events.len(), 3, "they are owed here, each once");
    subject.site().remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_were_given_counts_as_deliveries_as_far_as_the_queue_tells() {
    let Some(server) = need() else { return };
    for (kind, counted) in [(Kind::Quorum, 3), (Kind::Classic, 1)] {
        let subject = Intaken::new(Rabbit::fresh(server, kind).await);
        assert_eq!(given_before(&subject, 3).await, counted, "{kind:?}");
        subject.site().remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_given_back_is_lent_nothing_more() {
    let Some(server) = need() else { return };
    let site = Rabbit::fresh(server, Kind::Quorum).await;
    let gone = site.connect().await.unwrap();
    gone.give_back(Vec::new()).await;
    site.publish(records(0..5)).await.unwrap();
    until("they wait for the next one, although somebody still holds the last", async || site.depth().await == 5).await;
    drop(gone);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_queue_takes_is_not_confirmed() {
    let Some(server) = need() else { return };
    let site = Rabbit::fresh(server, Kind::Classic).await;
    let sink = RabbitSink::new(site.server(), "", "nobody-{key}");
    let refused = sink.publish(vec![outgoing(1)]).await.remove(0).unwrap_err();
    assert_eq!(refused.unsent, Unsent::Denied);
    assert!(refused.message.contains("no queue takes routing key `nobody-k1`"), "{refused}");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_refused_instead_of_losing_what_comes_while_nobody_reads() {
    let Some(server) = need() else { return };
    let site = Rabbit::fresh(server, Kind::Classic).await;
    let queue = site.stream().await;
    let said = std::cell::RefCell::new(String::new());
    until("it is told", async || {
        // A stream is read from its end on: one that comes while somebody reads shows what it is.
        site.publish(records(0..1)).await.unwrap();
        *said.borrow_mut() = queue.receive(10).await.err().map_or_else(String::new, |e| e.0);
        said.borrow().contains("is a stream, which is not read")
    })
    .await;
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_is_told_by_whom_why_and_what_to_do() {
    let Some(plain) = need() else { return };
    let named = |variable: &str| std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set"));
    let tls = named("EVENKEEL_TEST_RABBITMQ_TLS");
    let ca = std::fs::read_to_string(named("EVENKEEL_TEST_RABBITMQ_CA")).unwrap();
    let trusted = || Some(ca.clone());
    let guest = Some(("guest", "guest"));
    let at = format!("amqps://{tls}/%2f");
    check(&Server::new(&at, guest, trusted())).await.unwrap();
    let elsewhere = at.replace("localhost", "127.0.0.1");
    for (url, login, roots, refusal, fix) in [
        (at.clone(), Some(("guest", "wr0ng")), trusted(), Refusal::Credentials, "correct them"),
        (at.clone(), Some(("wr0ng", "guest")), trusted(), Refusal::Credentials, "correct them"),
        (at.clone(), guest, None, Refusal::Authority, "`tls: { roots: ./ca.pem }`"),
        (elsewhere, guest, trusted(), Refusal::Name(vec!["localhost".to_owned()]), "`localhost`"),
        (format!("amqps://{plain}/%2f"), guest, trusted(), Refusal::SpeaksNoTls, "leave `tls` out"),
    ] {
        let told = check(&Server::new(&url, login, roots)).await.err().unwrap();
        assert_eq!(told.refusal.as_ref(), Some(&refusal), "{url}: {}", told.error);
        let said = told.error.0;
        assert!(said.starts_with(&format!("RabbitMQ {url}: ")) && said.contains(fix), "{said}");
        assert!(!said.contains("guest") && !said.contains("wr0ng"), "nobody's name or password is told: {said}");
    }
    let clear = check(&Server::new(&format!("amqp://{tls}/%2f"), guest, None)).await.err().unwrap();
    assert!(clear.error.0.contains("where only TLS is spoken, write `tls: {}`"), "{}", clear.error);
}
