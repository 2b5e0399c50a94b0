//! The contract suite on an SQS, and what the adapter promises beyond it.
//!
//! `EVENKEEL_TEST_SQS=host:port` names the server (`. .ci/servers/sqs`); without it the tests say
//! that they were skipped, and with `sqs` in `EVENKEEL_REQUIRE` they fail instead. Each test has
//! queues of its own.
#![allow(clippy::unwrap_used, reason = "a test")]

mod notifications;
mod site;

use std::net::SocketAddr;
use std::sync::Arc;

use aws_sdk_sqs::types::QueueAttributeName;
use evenkeel_delivery::ports::{Journal, Sink, Source};
use evenkeel_model::Shard;
use evenkeel_transport::contract::intaken::{Connecting, Intaken, Site};
use evenkeel_transport::contract::proxy::{Line, Proxy};
use evenkeel_transport::contract::real::{complete, given_before, outgoing, records, until};
use evenkeel_transport::contract::{Broken, CHECKS, Capabilities, Subject};
use evenkeel_transport::{Intake, Queue};
use evenkeel_transport_aws::{KeyFrom, Message, SqsQueue, SqsSettings, SqsSink, look};
use site::{Sqs, need};

/// These ask for one order of all messages, which a FIFO queue has by group alone; its groups are asked
/// for by a test of their own.
const ASK_FOR_ONE_ORDER: [&str; 10] = [
    "everything_is_given_once_and_in_order",
    "reading_goes_on_from_any_offset",
    "one_event_can_be_had_again",
    "key_headers_and_payload_come_back_as_they_were",
    "what_has_no_outcome_is_given_again_after_a_crash",
    "settling_takes_nothing_that_is_still_owed",
    "nothing_is_settled_before_its_outcome_is_journaled",
    "what_was_left_without_an_outcome_is_given_to_the_next_one_at_once",
    "no_more_is_handed_out_than_the_reader_has_room_for",
    "reading_goes_on_when_the_broker_returns",
];

async fn broken(server: SocketAddr, fifo: bool, asks: impl Fn(&str) -> bool) -> Vec<(&'static str, Broken)> {
    let mut broken = Vec::new();
    for check in CHECKS.iter().filter(|check| asks(check.name)) {
        let subject = Intaken::new(Sqs::fresh(server, fifo).await);
        if let Err(why) = check.run(&subject).await {
            broken.push((check.name, why));
        }
        subject.site().remove().await;
    }
    broken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standard_queue_keeps_the_contract() {
    let Some(server) = need() else { return };
    let broken = broken(server, false, |_| true).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifo_queue_keeps_the_contract_but_for_an_order_over_groups() {
    let Some(server) = need() else { return };
    let broken = broken(server, true, |name| !ASK_FOR_ONE_ORDER.contains(&name)).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_were_given_counts_as_deliveries() {
    let Some(server) = need() else { return };
    for fifo in [false, true] {
        let subject = Intaken::new(Sqs::fresh(server, fifo).await);
        assert_eq!(given_before(&subject, 3).await, 3, "FIFO: {fifo}");
        subject.site().remove().await;
    }
}

/// A site whose messages come as somebody else says, each publish counted as none: what a test sends
/// by itself arrives when it arrives.
struct Groups(Sqs);

impl Site for Groups {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move {
            let settings = SqsSettings { key: None, ..self.0.settings() };
            Ok(Arc::new(SqsQueue::open(&self.0.account(), settings).await?) as Arc<dyn Queue>)
        })
    }

    fn publish(
        &self,
        records: Vec<evenkeel_model::Record>,
    ) -> evenkeel_delivery::ports::BoxFuture<'_, Result<(), evenkeel_delivery::ports::PortError>> {
        self.0.publish(records)
    }

    fn proxy(&self) -> Option<&Proxy> {
        self.0.proxy()
    }
}

/// Key and payload of all that has a place, in its order.
async fn placed(source: &dyn Source) -> Vec<(String, String)> {
    let (events, _) = source.fetch(&Shard::new("orders", 0), 0, 1000).await.unwrap();
    let text =
        |bytes: &Option<bytes::Bytes>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
    events.iter().map(|event| (text(&event.record.key), text(&event.record.value))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_a_key_whose_order_holds_over_every_hand_over() {
    let Some(server) = need() else { return };
    let subject = Intaken::new(Groups(Sqs::fresh(server, true).await));
    let site = &subject.site().0;
    for n in 0..40 {
        let group = ["anna", "ben", "cleo"][n % 3];
        site.send(Message { body: n.to_string(), attributes: Default::default() }, group).await.unwrap();
    }
    let opened = subject.open().await.unwrap();
    opened.journal.load().await.unwrap();
    let intake = subject.intake().unwrap();
    let mut done = 0;
    while done < 40 {
        until("more has a place", async || intake.view().placed > done).await;
        // The line breaks now and then, in the middle of everything.
        if done % 7 == 3 {
            site.proxy.set(Line::Cut);
            site.proxy.set(Line::Open);
        }
        complete(&*opened.journal, &[done]).await.unwrap();
        done += 1;
    }
    let placed = placed(&*opened.source).await;
    for (remainder, group) in ["anna", "ben", "cleo"].iter().enumerate() {
        let came: Vec<&str> = placed.iter().filter(|(key, _)| key == group).map(|(_, body)| body.as_str()).collect();
        let wanted: Vec<String> = (0..40).filter(|n| n % 3 == remainder).map(|n| n.to_string()).collect();
        assert_eq!(came, wanted, "{group}");
    }
    until("the queue is empty", async || site.depth().await == (0, 0)).await;
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_deletes_its_message_and_no_other() {
    let Some(server) = need() else { return };
    let subject = Intaken::new(Sqs::fresh(server, false).await);
    subject.publish(records(0..25)).await.unwrap();
    let opened = subject.open().await.unwrap();
    let journal: &dyn Journal = &*opened.journal;
    journal.load().await.unwrap();
    assert_eq!(subject.site().depth().await, (0, 25));
    complete(journal, &(0..23).collect::<Vec<u64>>()).await.unwrap();
    until("23 are deleted", async || subject.site().depth().await == (0, 2)).await;
    let intake = subject.intake().unwrap();
    until("23 are known to be", async || intake.view().settled == 23).await;
    subject.site().remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visibility_is_renewed_as_long_as_there_is_no_outcome() {
    let Some(server) = need() else { return };
    let subject = Intaken::new(Sqs::fresh(server, false).await);
    subject.publish(records(0..12)).await.unwrap();
    let _opened = subject.open().await.unwrap();
    let intake = subject.intake().unwrap();
    // Each is renewed once in half a lease or later: five times are two leases and a half at least.
    until("each was renewed five times", async || intake.view().renewed >= 5 * 12).await;
    assert_eq!((intake.view().again, intake.view().held), (0, 12));
    assert_eq!(subject.site().depth().await, (0, 12));
    subject.site().remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_back_is_there_for_others_at_once() {
    let Some(server) = need() else { return };
    let site = Sqs::fresh(server, true).await;
    site.publish(records(0..12)).await.unwrap();
    let settings = SqsSettings { visibility: std::time::Duration::from_secs(3600), ..site.settings() };
    let queue = SqsQueue::open(&site.account(), settings).await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < 12 {
        taken.extend(queue.receive(12 - taken.len()).await.unwrap());
    }
    assert_eq!(site.depth().await, (0, 12));
    queue.give_back(taken.into_iter().map(|one| one.ticket).collect()).await;
    until("all can be had again", async || site.depth().await == (12, 0)).await;
    site.remove().await;
}

/// Goes down in good order and up again, and waits until the messages came again.
async fn again(subject: &Intaken<Sqs>) -> Arc<Intake> {
    let before = subject.intake().unwrap();
    before.drain();
    before.finish().await;
    let _opened = subject.open().await.unwrap();
    let intake = subject.intake().unwrap();
    until("they came again", async || intake.view().again >= 3).await;
    intake
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_policy_moves_nothing_behind_our_back() {
    let Some(server) = need() else { return };
    let dead = Sqs::fresh(server, false).await;
    let arn = dead.direct.get_queue_attributes().queue_url(&dead.url).attribute_names(QueueAttributeName::QueueArn);
    let arn = arn.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"3"}}"#);
    let site = Sqs::with(server, false, &[(QueueAttributeName::RedrivePolicy, &policy)]).await;
    let found = look(&site.account(), &site.queue).await.unwrap().unwrap();
    assert_eq!(found.redrive.as_ref().map(|redrive| redrive.deliveries_max), Some(3));
    let subject = Intaken::new(site);
    subject.publish(records(0..3)).await.unwrap();
    let opened = subject.open().await.unwrap();
    assert_eq!(subject.intake().unwrap().view().settled, 0);
    drop(opened);
    again(&subject).await;
    let intake = again(&subject).await;
    until("their third delivery is their last", async || intake.view().settled == 3).await;
    assert_eq!((subject.site().depth().await, dead.depth().await), ((0, 0), (0, 0)));
    let opened = subject.open().await.unwrap();
    assert_eq!(placed(&*opened.source).await.len(), 3, "they are owed here, each once");
    subject.site().remove().await;
    dead.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_of_sqs_says_where_it_died() {
    let Some(server) = need() else { return };
    let dead = Intaken::new(Sqs::fresh(server, false).await);
    let site = dead.site();
    let arn = site.direct.get_queue_attributes().queue_url(&site.url).attribute_names(QueueAttributeName::QueueArn);
    let arn = arn.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"1"}}"#);
    let origin = Sqs::with(server, false, &[(QueueAttributeName::RedrivePolicy, &policy)]).await;
    origin.publish(records(0..1)).await.unwrap();
    // Received once, given up, asked for again: AWS moves it.
    until("it was moved", async || {
        let _ = origin.direct.receive_message().queue_url(&origin.url).visibility_timeout(0).send().await;
        dead.site().depth().await.0 == 1
    })
    .await;
    let opened = dead.open().await.unwrap();
    let intake = dead.intake().unwrap();
    until("it has a place", async || intake.view().placed == 1).await;
    let (events, _) = opened.source.fetch(&Shard::new("orders", 0), 0, 10).await.unwrap();
    let died_in = events[0].record.header("aws-died-in").map(|value| String::from_utf8_lossy(value).into_owned());
    assert!(died_in.is_some_and(|arn| arn.ends_with(&origin.queue)), "{:?}", events[0].record.headers);
    origin.remove().await;
    dead.site().remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifo_queue_takes_an_effect_once_and_its_key_is_the_group() {
    let Some(server) = need() else { return };
    let site = Sqs::fresh(server, true).await;
    let sink = SqsSink::new(site.account(), &site.queue);
    let events: Vec<_> = (0..12).map(outgoing).collect();
    assert!(sink.publish(events.clone()).await.iter().all(Result::is_ok));
    assert!(sink.publish(events).await.iter().all(Result::is_ok), "a repeat is no error");
    let settings = SqsSettings { key: Some(KeyFrom::Group), ..site.settings() };
    let queue = SqsQueue::open(&site.account(), settings).await.unwrap();
    let mut keys = Vec::new();
    while keys.len() < 12 {
        keys.extend(queue.receive(20).await.unwrap().into_iter().filter_map(|taken| taken.record.key));
    }
    keys.sort_by_key(|key| String::from_utf8_lossy(&key[1..]).parse::<usize>().unwrap());
    assert_eq!(keys, (0..12).map(|n| format!("k{n}")).collect::<Vec<_>>());
    assert_eq!(site.depth().await, (0, 12), "each is there once");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_queue_is_made_where_that_is_wanted() {
    let Some(server) = need() else { return };
    let site = Sqs::fresh(server, false).await;
    for (name, fifo) in [("made", false), ("made.fifo", true)] {
        let name = format!("{}-{name}", site.queue);
        assert_eq!(look(&site.account(), &name).await.unwrap(), None);
        let settings = SqsSettings::new(&name);
        let missing = SqsQueue::open(&site.account(), settings.clone()).await.err().unwrap().0;
        assert!(missing.contains("create it, or set `topology: declare`"), "{missing}");
        let made = SqsQueue::open(&site.account(), SqsSettings { declare: true, ..settings }).await.unwrap();
        assert_eq!((made.found().made, made.found().fifo), (true, fifo));
        let there = look(&site.account(), &name).await.unwrap().unwrap();
        assert_eq!((there.made, there.fifo), (false, fifo));
        site.direct.delete_queue().queue_url(there.url).send().await.unwrap();
    }
    site.remove().await;
}
