//! Parked events outlive their topic: retention or compaction takes their records, and they are handled
//! all the same, in their order and with their data, also after a power cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod house;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel::testing::{SimDisk, kill};
use evenkeel::{
    Answer, Call, Command, Evenkeel, Handler, Options, Parking, Policy, Retention, RetrySchedule, Subscribe, Verdict,
};
use evenkeel_delivery::ports::BoxFuture;
use evenkeel_log::{Cleanup, ReadLimit, TopicSettings};
use evenkeel_model::Shard;

use house::{all_ended, audited, event};

const EVENTS: u64 = 40;

/// A service that cannot take the orders of one customer, until it can.
#[derive(Default)]
struct Service {
    works: Mutex<bool>,
    taken: Mutex<Vec<String>>,
}

impl Handler for Service {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let data = call.delivered.event.data.as_ref().map(|data| format!("{data:?}")).unwrap_or_default();
        let verdict = match data.contains("slow") && !*self.works.lock().unwrap() {
            true => Verdict::Retry { after: Some(Duration::from_secs(3600)), message: "no".into(), dependency: None },
            false => Verdict::Ack,
        };
        if verdict == Verdict::Ack && data.contains("slow") {
            self.taken.lock().unwrap().push(data);
        }
        Box::pin(std::future::ready(Answer { verdict, emitted: Vec::new(), handler_version: None }))
    }
}

/// How the topic forgets.
#[derive(Clone, Copy, PartialEq)]
enum Forgets {
    /// Beyond 2,000 bytes.
    Oldest,
    /// What has a newer record of its key.
    Superseded,
}

async fn start(disk: &SimDisk, service: &Arc<Service>, held: u64) -> Evenkeel {
    start_on(Forgets::Oldest, disk, service, held).await
}

async fn start_on(forgets: Forgets, disk: &SimDisk, service: &Arc<Service>, held: u64) -> Evenkeel {
    let retry = RetrySchedule { initial: Duration::from_secs(3600), ..RetrySchedule::default() };
    let parking = Parking { held, ..Parking::default() };
    let retention = Retention { bytes: Some(2_000), ..Retention::default() };
    let options = Options { tail_bytes: 0, write_back_bytes: 1, segment_bytes: 2_000, ..Options::default() };
    let builder = || Evenkeel::builder().disk(Arc::new(disk.clone())).options(options.clone());
    let builder = match forgets {
        Forgets::Oldest => builder().topic_with("orders", 1, retention),
        Forgets::Superseded => {
            let bare = builder().start().await.unwrap();
            if bare.log().topic("orders").is_none() {
                let cleanup =
                    Cleanup::Compact { dirty_percent: 1, delete_retention: Duration::ZERO, min_lag: Duration::ZERO };
                let settings = TopicSettings { cleanup, ..TopicSettings::partitions(1) };
                bare.log().create_topic("orders", settings).unwrap().await.unwrap();
            }
            bare.shutdown(Duration::ZERO).await;
            builder()
        }
    };
    builder
        .subscribe(Subscribe::by("payment", "orders", service.clone()).policy(Policy {
            retry,
            parking,
            ..Policy::default()
        }))
        .start()
        .await
        .unwrap()
}

/// All are handled but two of one customer, which are parked.
async fn parked(disk: &SimDisk, service: &Arc<Service>, held: u64) -> Evenkeel {
    parked_on(Forgets::Oldest, disk, service, held).await
}

async fn parked_on(forgets: Forgets, disk: &SimDisk, service: &Arc<Service>, held: u64) -> Evenkeel {
    let evenkeel = start_on(forgets, disk, service, held).await;
    for number in 0..EVENTS {
        let slow = [3, 8].contains(&number);
        let customer = if slow { "slow".to_owned() } else { format!("customer-{}", number % 3) };
        let data = format!("{{\"number\":{number},\"by\":\"{customer}\",\"much\":\"{}\"}}", "m".repeat(300));
        evenkeel.publish("orders", event(format!("order-{number}"), &customer, &data)).await.unwrap();
    }
    let waits = |s: &evenkeel::SubscriptionAudit| (s.completed, s.parked) == (EVENTS - 2, 2);
    audited(&evenkeel, |audit| audit.subscriptions.iter().all(waits)).await;
    // A clean stop writes all that is there into its segments.
    evenkeel.shutdown(Duration::from_secs(5)).await;
    let evenkeel = start_on(forgets, disk, service, held).await;
    audited(&evenkeel, |audit| audit.subscriptions.iter().all(waits)).await;
    evenkeel
}

fn begins(evenkeel: &Evenkeel) -> u64 {
    evenkeel.log().ends(&Shard::new("orders", 0)).unwrap().start
}

async fn all_are_handled(evenkeel: &Evenkeel, service: &Service) {
    *service.works.lock().unwrap() = true;
    evenkeel.subscription("payment").unwrap().command(Command::Release { key: None });
    let audit = all_ended(evenkeel, EVENTS).await;
    assert_eq!(audit.subscriptions[0].completed, EVENTS, "{audit:?}");
    let taken = service.taken.lock().unwrap();
    let in_order = taken.len() == 2 && taken[0].contains("number\\\":3,") && taken[1].contains("number\\\":8,");
    assert!(in_order, "{taken:?}");
}

#[tokio::test]
async fn a_parked_event_is_handled_though_retention_took_its_record() {
    let (disk, service) = (SimDisk::new(3), Arc::new(Service::default()));
    let evenkeel = parked(&disk, &service, 1 << 20).await;
    evenkeel.retain().await.unwrap();
    assert!(begins(&evenkeel) > 8, "a parked event pins its topic");
    all_are_handled(&evenkeel, &service).await;
}

#[tokio::test]
async fn it_is_after_a_power_cut_too_and_so_is_what_waits_behind_it() {
    let (disk, service) = (SimDisk::new(3), Arc::new(Service::default()));
    let evenkeel = parked(&disk, &service, 1 << 20).await;
    evenkeel.retain().await.unwrap();
    kill(&evenkeel).await;
    disk.cut_power();
    drop(evenkeel);
    let evenkeel = start(&disk, &service, 1 << 20).await;
    assert!(begins(&evenkeel) > 8);
    all_are_handled(&evenkeel, &service).await;
}

/// Holds aside, then compacts, as the task of retention does.
async fn compact(evenkeel: &Evenkeel) {
    evenkeel.retain().await.unwrap();
    let log = evenkeel.log().clone();
    let cleaning = tokio::task::spawn_blocking(move || while log.clean(8 << 20).more {});
    cleaning.await.unwrap();
}

/// Whether the topic has a record at that offset still.
fn is_there(evenkeel: &Evenkeel, offset: u64) -> bool {
    let found = evenkeel.log().read(&Shard::new("orders", 0), offset, ReadLimit::records(1)).unwrap();
    found.first().is_some_and(|stored| stored.at.offset == offset)
}

#[tokio::test]
async fn a_parked_event_is_handled_though_compaction_took_its_record_also_after_a_power_cut() {
    for cut in [false, true] {
        let (disk, service) = (SimDisk::new(3), Arc::new(Service::default()));
        let mut evenkeel = parked_on(Forgets::Superseded, &disk, &service, 1 << 20).await;
        assert!(is_there(&evenkeel, 3) && is_there(&evenkeel, 4));
        compact(&evenkeel).await;
        assert!(!is_there(&evenkeel, 4), "what was handled and has a newer record of its key goes");
        assert!(!is_there(&evenkeel, 3), "and so does what is parked: it is held aside");
        if cut {
            kill(&evenkeel).await;
            disk.cut_power();
            drop(evenkeel);
            evenkeel = start_on(Forgets::Superseded, &disk, &service, 1 << 20).await;
        }
        all_are_handled(&evenkeel, &service).await;
    }
}

#[tokio::test]
async fn what_finds_no_room_is_not_compacted_away() {
    let (disk, service) = (SimDisk::new(3), Arc::new(Service::default()));
    let evenkeel = parked_on(Forgets::Superseded, &disk, &service, 100).await;
    compact(&evenkeel).await;
    assert!(is_there(&evenkeel, 3), "it is owed where it is");
    all_are_handled(&evenkeel, &service).await;
}

#[tokio::test]
async fn what_finds_no_room_keeps_its_topic_as_it_is() {
    let (disk, service) = (SimDisk::new(3), Arc::new(Service::default()));
    let evenkeel = parked(&disk, &service, 100).await;
    evenkeel.retain().await.unwrap();
    assert!(begins(&evenkeel) <= 3);
    all_are_handled(&evenkeel, &service).await;
}
