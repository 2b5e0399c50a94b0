//! Whoever leaves a group comes out, whatever the group or its broker is doing: a node that is asked to go down, or
//! that reads anew what is configured, waits for nobody who may never answer.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod house;

use std::time::Duration;

use evenkeel_delivery::ports::{Change, Membership};
use evenkeel_transport::Queue;
use evenkeel_transport::contract::proxy::{Line, Proxy, Replacement};
use evenkeel_transport::contract::real::{records, until};
use evenkeel_transport_kafka::{GroupProtocol, KafkaQueue, Member, MemberSettings, QueueSettings};
use house::{Publisher, broker, create, kafka, unique};

/// Far more than anybody takes who comes out at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the group says next; a broker that still looks for the group's coordinator is asked again.
async fn news(member: &Member) -> Change {
    loop {
        match member.changed().await {
            Change::Trouble(_) => {}
            news => return news,
        }
    }
}

async fn given(member: &Member) -> Vec<u32> {
    match news(member).await {
        Change::Given(partitions) => partitions,
        other => panic!("nothing else was to come: {other:?}"),
    }
}

/// A broker that says that it lives at the proxy.
async fn proxy(address: &str) -> Proxy {
    let target: std::net::SocketAddr = address.parse().unwrap();
    let lives = |port: u16| [b"127.0.0.1".as_slice(), &u32::from(port).to_be_bytes()].concat();
    let replace = |own: std::net::SocketAddr| Replacement::new(lives(target.port()), lives(own.port()));
    Proxy::replacing(target, replace).await.unwrap()
}

/// Drops it where one may block, and says whether that came to its end.
async fn comes_out<T: Send + 'static>(what: T) -> bool {
    let (done, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        drop(what);
        let _ = done.send(());
    });
    tokio::time::timeout(PATIENCE, ended).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_leaves_that_was_asked_for_partitions_and_did_not_give_them_up() {
    let Some(address) = kafka() else { return };
    for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        let (topic, group) = (unique("leaving"), unique("evenkeel.leaving"));
        create(&address, &topic, 4).await;
        let settings = MemberSettings {
            group,
            topic: topic.clone().into(),
            journal: topic,
            protocol,
            session: Duration::from_secs(6),
        };
        let member = Member::join(&broker(&address), &settings).unwrap();
        member.took(&given(&member).await);
        let other = Member::join(&broker(&address), &settings).unwrap();
        let taking = tokio::spawn(async move {
            while other.held().len() < 4 {
                other.took(&given(&other).await);
            }
        });
        let asked = tokio::time::timeout(PATIENCE, news(&member)).await.unwrap();
        assert!(matches!(asked, Change::Asked(_)), "{asked:?}");
        assert!(comes_out(member).await, "what it was asked for is given up by leaving");
        tokio::time::timeout(PATIENCE, taking).await.expect("the other one has all").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_that_nobody_hears_comes_back_and_does_not_hold_up_whoever_leaves() {
    let Some(address) = kafka() else { return };
    let (topic, group) = (unique("leaving"), unique("evenkeel.leaving"));
    create(&address, &topic, 1).await;
    Publisher::new(&address).publish(&topic, &records(0..3), 1).await.unwrap();
    let proxy = proxy(&address).await;
    let settings = QueueSettings { session: Duration::from_secs(6), ..QueueSettings::new(topic, group) };
    let queue = KafkaQueue::open(&broker(&proxy.address().to_string()), settings).await.unwrap();
    let mut taken = Vec::new();
    until("all three came", async || {
        taken.extend(queue.receive(10).await.unwrap());
        taken.len() == 3
    })
    .await;
    proxy.set(Line::Cut);
    let tickets: Vec<_> = taken.into_iter().map(|one| one.ticket).collect();
    let settled = tokio::time::timeout(PATIENCE, queue.settle(tickets.clone())).await;
    assert_eq!(settled.ok(), Some(tickets), "they are to be tried again");
    assert!(comes_out(queue).await, "and whoever leaves does not wait for the broker");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_leaves_whose_broker_is_away_or_says_nothing() {
    let Some(address) = kafka() else { return };
    for line in [Line::Cut, Line::Stalled] {
        let (topic, group) = (unique("leaving"), unique("evenkeel.leaving"));
        create(&address, &topic, 4).await;
        let proxy = proxy(&address).await;
        let settings = MemberSettings {
            group,
            topic: topic.clone().into(),
            journal: topic,
            protocol: GroupProtocol::Classic,
            session: Duration::from_secs(45),
        };
        let member = Member::join(&broker(&proxy.address().to_string()), &settings).unwrap();
        member.took(&given(&member).await);
        proxy.set(line);
        assert!(comes_out(member).await, "{line:?}");
    }
}
