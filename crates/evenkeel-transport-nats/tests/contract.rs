//! The contract suite on a real NATS server, and what the adapter promises beyond it.
//!
//! `EVENKEEL_TEST_NATS=host:port` names the server (`. .ci/servers/nats`); without it the tests say
//! that they were skipped, and with `nats` in `EVENKEEL_REQUIRE` they fail instead. Each test has
//! streams of its own.
#![allow(clippy::unwrap_used, reason = "a test")]

mod site;

use std::collections::BTreeMap;

use evenkeel_delivery::ports::Journal;
use evenkeel_model::Shard;
use evenkeel_transport::Refusal;
use evenkeel_transport::contract::intaken::{Intaken, Site};
use evenkeel_transport::contract::real::{complete, records, until};
use evenkeel_transport::contract::{CHECKS, Subject};
use evenkeel_transport_nats::{Auth, Server, connect};
use site::{Jet, Secured, need};

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
