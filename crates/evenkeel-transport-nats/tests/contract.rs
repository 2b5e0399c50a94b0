//! The contract suite on a real NATS server, and what the adapter promises beyond it.
//!
//! `EVENKEEL_TEST_NATS=host:port` names the server (`. .ci/servers/nats`); without it the tests say
//! that they were skipped, and with `nats` in `EVENKEEL_REQUIRE` they fail instead. Each test has
//! streams of its own.
#![allow(clippy::unwrap_used, reason = "a test")]

mod site;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_nats::connection::State;
use evenkeel_delivery::ports::Journal;
use evenkeel_model::{Shard, names};
use evenkeel_transport::contract::intaken::{Intaken, Site};
use evenkeel_transport::contract::proxy::Line;
use evenkeel_transport::contract::real::{self, complete, given_before, records, until};
use evenkeel_transport::contract::{CHECKS, Subject};
use evenkeel_transport::{Queue as _, Refusal, Taken, Ticket};
use evenkeel_transport_nats::{Auth, Server, connect};
use site::{Jet, Secured, need};

/// Published while nodes come and go.
const EVENTS: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jetstream_keeps_the_contract() {
    let Some(server) = need() else { return };
    let mut broken = Vec::new();
    for check in CHECKS {
        let subject = Intaken::new(Jet::fresh(server).await);
        if let Err(why) = check.run(&subject).await {
            broken.push((check.name, why));
        }
        subject.site().remove().await;
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lost_on_its_way_is_placed_before_what_came_later() {
    let Some(server) = need() else { return };
    let subject = Intaken::new(Jet::fresh(server).await);
    subject.publish(records(0..5)).await.unwrap();
    let opened = subject.open().await.unwrap();
    subject.site().lose(8, records(5..8)).await;
    subject.site().publish(records(8..12)).await.unwrap();
    let intake = subject.intake().unwrap();
    until("all have a place", async || intake.view().placed == 12).await;
    let ids = || async {
        let (events, _) = opened.source.fetch(&Shard::new("orders", 0), 0, 100).await.unwrap();
        events.iter().map(|event| event.event.id.id.clone()).collect::<Vec<_>>()
    };
    let wanted: Vec<String> = (0..12).map(|n| format!("n-{n}")).collect();
    assert_eq!(ids().await, wanted);
    until("the lost ones came again when their lease ended", async || intake.view().again >= 3).await;
    assert_eq!(ids().await, wanted, "and got no second place");
    subject.site().remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_is_acknowledged_and_what_has_none_is_not() {
    let Some(server) = need() else { return };
    let subject = Intaken::new(Jet::fresh(server).await);
    subject.publish(records(0..6)).await.unwrap();
    let opened = subject.open().await.unwrap();
    let journal: &dyn Journal = &*opened.journal;
    journal.load().await.unwrap();
    assert_eq!(subject.site().pending().await, 6);
    complete(journal, &[0, 1, 3]).await.unwrap();
    until("three are pending", async || subject.site().pending().await == 3).await;
    assert_eq!(subject.site().acknowledged_below().await, 2);
    subject.site().remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_were_given_counts_as_deliveries() {
    let Some(server) = need() else { return };
    let site = Jet::fresh(server).await;
    let (other, ours) = (site.connect().await.unwrap(), site.connect().await.unwrap());
    site.publish(records(0..1)).await.unwrap();
    let taken = real::one(&*other).await;
    other.give_back(vec![taken.ticket]).await;
    let again = real::one(&*ours).await;
    let said = again.record.header(names::BROKER_DELIVERIES).map(|value| value.to_vec());
    assert_eq!(said.as_deref(), Some(&b"2"[..]));
    site.remove().await;

    // What a node finds in the stream before its consumer gives it: that it was given is known, and no more.
    let subject = Intaken::new(Jet::fresh(server).await);
    assert_eq!(given_before(&subject, 3).await, 1);
    subject.site().remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_acknowledgements_is_confirmed_when_each_of_them_is_there() {
    let Some(server) = need() else { return };
    let site = Jet::fresh(server).await;
    site.publish(records(0..50)).await.unwrap();
    let queue = site.connect().await.unwrap();
    let mut lent = BTreeMap::new();
    while lent.len() < 50 {
        lent.extend(queue.receive(50).await.unwrap().into_iter().map(|taken| (taken.id, taken.ticket)));
    }
    assert!(queue.settle(lent.into_values().collect()).await.is_empty(), "all are confirmed");
    assert_eq!((site.pending().await, site.acknowledged_below().await), (0, 50));
    site.remove().await;
}

/// Who sends acknowledgements one after the other, and loses its connection between two of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_lost_in_between_confirms_nothing() {
    let Some(server) = need() else { return };
    let site = Jet::fresh(server).await;
    site.publish(records(0..10)).await.unwrap();
    let (queue, client) = site.proxied().await;
    let mut lent = BTreeMap::new();
    while lent.len() < 10 {
        lent.extend(queue.receive(10).await.unwrap().into_iter().map(|taken| (taken.id, taken.ticket)));
    }
    let mut tickets: Vec<Ticket> = lent.into_values().collect();
    let last = tickets.pop().unwrap();
    // More than any socket takes: so the last one is said when there is another connection.
    let nobody = |n: usize| Ticket(format!("nobody.{n}.{}", "x".repeat(3_000)).into());
    tickets.extend((0..8_000).map(nobody).chain([last]));
    let (count, said) = (tickets.len(), client.statistics().out_messages.load(Ordering::Relaxed));
    site.line(Line::Stalled);
    let settling = tokio::spawn(async move { queue.settle(tickets).await });
    until("the first ones are on their way", async || {
        client.statistics().out_messages.load(Ordering::Relaxed) >= said + 20
    })
    .await;
    site.line(Line::Cut);
    until("they are lost", async || client.connection_state() != State::Connected).await;
    site.line(Line::Open);
    assert_eq!(settling.await.unwrap().len(), count, "all are to be told again");
    assert!(site.pending().await > 0, "which is needed");
    site.remove().await;
}

/// The number of a message in its stream.
fn sequence(taken: &Taken) -> u64 {
    taken.id.as_ref().unwrap().rsplit(';').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_given_back_is_lent_nothing_more() {
    let Some(server) = need() else { return };
    let site = Jet::fresh(server).await;
    let gone = site.connect().await.unwrap();
    assert!(gone.receive(10).await.unwrap().is_empty(), "it has begun to pull");
    gone.give_back(Vec::new()).await;
    let next = site.connect().await.unwrap();
    site.publish(records(0..5)).await.unwrap();
    let mut lent = Vec::new();
    while lent.len() < 5 {
        lent.extend(next.receive(10).await.unwrap());
    }
    assert!(lent.iter().all(|taken| !taken.again && !taken.ticket.0.is_empty()), "nobody had them before: {lent:?}");
    drop(gone);
    site.remove().await;
}

/// Each goes down in order, and is still there while the next one works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_follow_each_other_under_load_are_given_all_in_order() {
    let Some(server) = need() else { return };
    let site = Arc::new(Jet::fresh(server).await);
    let publisher = site.clone();
    let publishing = tokio::spawn(async move {
        for n in (0..EVENTS).step_by(10) {
            publisher.publish(records(n..n + 10)).await.unwrap();
        }
    });
    let (mut came, mut gone) = (Vec::new(), Vec::new());
    while came.len() < EVENTS {
        let node = site.connect().await.unwrap();
        let (mut lent, enough) = (Vec::new(), EVENTS.min(came.len() + 40));
        while came.len() < enough {
            // After an error it is asked again, as an intake does.
            for taken in node.receive(20).await.unwrap_or_default() {
                let sequence = sequence(&taken);
                if !came.contains(&sequence) {
                    came.push(sequence);
                }
                lent.push(taken.ticket);
            }
        }
        let rest = lent.split_off(lent.len() / 2);
        node.settle(lent).await;
        node.give_back(rest).await;
        gone.push(node);
    }
    publishing.await.unwrap();
    assert_eq!(came, (1..=EVENTS as u64).collect::<Vec<_>>(), "in the order of the stream");
    println!("{EVENTS} messages, {} nodes", gone.len());
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_as_long_as_there_is_no_outcome() {
    let Some(server) = need() else { return };
    let subject = Intaken::new(Jet::fresh(server).await);
    subject.publish(records(0..4)).await.unwrap();
    let _opened = subject.open().await.unwrap();
    let intake = subject.intake().unwrap();
    // Each would come again five times: a lease is renewed at half of it. A machine that stands still for most of a
    // lease costs one.
    until("each is renewed ten times", async || intake.view().renewed >= 4 * 10).await;
    let view = intake.view();
    assert!(view.held == 4 && view.again <= 2 * 4, "{view:?}");
    assert_eq!(subject.site().pending().await, 4);
    subject.site().remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_would_give_up_is_refused() {
    let Some(server) = need() else { return };
    let site = Jet::fresh(server).await;
    let why = site.with_max_deliver(5).await;
    assert!(why.contains("at most 5 times, and then to nobody; set its `max_deliver` to -1"), "{why}");
    site.remove().await;
}

fn user(password: &str) -> Auth {
    Auth::User { name: "evenkeel".into(), password: password.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_who_we_are_is_told_over_tls() {
    let Some(Secured { tls, ca, token, jwt, nkey, keys, .. }) = site::secured() else { return };
    let read = |file: &str| std::fs::read_to_string(keys.join(file)).unwrap();
    let ways = [
        Server { url: format!("tls://{tls}"), auth: user("secret"), roots: vec![ca.clone()] },
        // The server says that it wants TLS, and gets it.
        Server { url: format!("nats://{tls}"), auth: user("secret"), roots: vec![ca] },
        Server { url: format!("nats://{token}"), auth: Auth::Token("secret".into()), roots: Vec::new() },
        Server { url: format!("nats://{jwt}"), auth: Auth::Credentials(read("user.creds")), roots: Vec::new() },
        Server { url: format!("nats://{nkey}"), auth: Auth::Nkey(read("user.nk")), roots: Vec::new() },
    ];
    for server in ways {
        let client = connect(&server).await.unwrap_or_else(|e| panic!("{server:?}: {}", e.error));
        async_nats::jetstream::new(client).query_account().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_is_told_by_whom_why_and_what_to_do() {
    let Some(Secured { plain, tls, ca, token, jwt, nkey, keys }) = site::secured() else { return };
    let read = |file: &str| std::fs::read_to_string(keys.join(file)).unwrap();
    let (creds, seed) = (Auth::Credentials(read("stranger.creds")), Auth::Nkey(read("stranger.nk")));
    let elsewhere = tls.replace("localhost", "127.0.0.1");
    let trusted = || vec![ca.clone()];
    for (url, auth, roots, refusal, fix) in [
        (format!("tls://{tls}"), user("wrong"), trusted(), Refusal::Credentials, "correct them"),
        (format!("tls://{tls}"), Auth::None, trusted(), Refusal::Anonymous, "write `user` and"),
        (format!("nats://{token}"), Auth::Token("wrong".into()), Vec::new(), Refusal::Credentials, "correct them"),
        (format!("nats://{token}"), Auth::None, Vec::new(), Refusal::Anonymous, "write `user` and"),
        (format!("nats://{jwt}"), creds, Vec::new(), Refusal::Credentials, "correct them"),
        (format!("nats://{jwt}"), Auth::None, Vec::new(), Refusal::Anonymous, "write `user` and"),
        (format!("nats://{nkey}"), seed, Vec::new(), Refusal::Credentials, "correct them"),
        (format!("tls://{tls}"), user("secret"), Vec::new(), Refusal::Authority, "`tls: { roots: ./ca.pem }`"),
        (
            format!("tls://{elsewhere}"),
            user("secret"),
            trusted(),
            Refusal::Name(vec!["localhost".to_owned()]),
            "`localhost`",
        ),
        (format!("tls://{plain}"), Auth::None, trusted(), Refusal::SpeaksNoTls, "leave `tls` out"),
    ] {
        let told = connect(&Server { url: url.clone(), auth, roots }).await.err().unwrap();
        assert_eq!(told.refusal.as_ref(), Some(&refusal), "{url}: {}", told.error);
        let said = told.error.0;
        assert!(said.starts_with(&format!("NATS {url}: ")) && said.contains(fix), "{said}");
        assert!(!said.contains("secret") && !said.contains("wrong"), "no secret is told: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_and_seeds_that_are_none_are_told_before_anything_is_sent() {
    let Some(Secured { jwt, keys, .. }) = site::secured() else { return };
    let read = |file: &str| std::fs::read_to_string(keys.join(file)).unwrap();
    for (auth, says) in [
        (Auth::Credentials(read("user.nk")), "those of a `.creds` file"),
        (Auth::Nkey(read("user.creds")), "the seed of a user's nkey"),
        (Auth::Nkey("SUAsecret".to_owned()), "the seed of a user's nkey"),
    ] {
        let told = connect(&Server { url: format!("nats://{jwt}"), auth, roots: Vec::new() }).await.err().unwrap();
        assert!(told.error.0.contains(says), "{}", told.error);
        assert!(!told.error.0.contains("secret") && !told.error.0.contains("SUA"), "{}", told.error);
    }
}
