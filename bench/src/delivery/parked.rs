//! A million parked events on 100,000 keys: what they take in memory, what they cost those that
//! flow, and how long a restart takes.
//!
//! The first event of each of these keys is put off until tomorrow, so that its key is parked;
//! all later ones of it queue behind. Then orders of other keys are published and handled. The same with
//! events that are handled instead of parked tells what is theirs of all that: a log that took a million events
//! just before has them in its caches and in its index of what was published, parked or not.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use evenkeel::{Clock, Evenkeel, Policy, Subscribe, SystemClock};
use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Handler};
use evenkeel_model::{Timestamp, Verdict};

use super::{Figures, shop};
use crate::Outcome;
use crate::log::machine::rss_mb;

const KEYS: u64 = 100_000;
const TOMORROW: Duration = Duration::from_secs(24 * 3600);
/// A part that has not ended by then is an error.
const PATIENCE: Duration = Duration::from_secs(600);

/// Puts off what is to be parked, and is done with the rest.
#[derive(Default)]
struct Shop {
    clock: SystemClock,
    done: AtomicU64,
}

impl Handler for Shop {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let verdict = if call.delivered.event.kind == "Parked" {
            Verdict::Defer { until: self.clock.now() + TOMORROW }
        } else {
            self.done.fetch_add(1, Ordering::Relaxed);
            Verdict::Ack
        };
        Box::pin(std::future::ready(Answer { verdict, emitted: Vec::new(), handler_version: None }))
    }
}

/// What comes before the healthy events.
#[derive(Clone, Copy)]
pub(crate) enum Before {
    Parked(u64),
    Handled(u64),
}

pub(crate) async fn parked(folder: &Path, before_them: Before, healthy: u64) -> Outcome<Figures> {
    let (kind, count, parked) = match before_them {
        Before::Parked(count) => ("Parked", count, count),
        Before::Handled(count) => ("Handled", count, 0),
    };
    let clock = Arc::new(SystemClock::new());
    let shop = Arc::new(Shop::default());
    let before = rss_mb();
    let evenkeel = Arc::new(open(folder, &clock, &shop).await?);
    shop::publish(&evenkeel, &clock, count, move |n, clock| shop::keyed(n, 1_000_000 + n % KEYS, kind, clock)).await?;
    let handled = count - parked;
    let settled = |view: &evenkeel::View| view.parked as u64 >= parked && view.in_flight + view.queued == 0;
    until(&evenkeel, &clock, |view| shop.done.load(Ordering::Relaxed) >= handled && settled(view)).await?;
    let rss = rss_mb();
    let began = clock.now();
    shop::publish(&evenkeel, &clock, healthy, |n, clock| {
        let event = shop::event(n, clock);
        evenkeel::Event { id: evenkeel::EventId { id: format!("healthy-{n}"), ..event.id }, ..event }
    })
    .await?;
    until(&evenkeel, &clock, |view| shop.done.load(Ordering::Relaxed) >= handled + healthy && settled(view)).await?;
    let took = clock.now().since(began).as_secs_f64();
    let evenkeel = Arc::into_inner(evenkeel).ok_or("somebody still publishes")?;
    evenkeel.shutdown(Duration::from_secs(60)).await;
    let began = clock.now();
    let evenkeel = open(folder, &clock, &shop).await?;
    let started = clock.now().since(began).as_secs_f64();
    until(&evenkeel, &clock, |view| view.parked as u64 >= parked).await?;
    let restarted = clock.now().since(began).as_secs_f64();
    evenkeel.shutdown(Duration::from_secs(60)).await;
    let figures = [
        ("rss_more_mb", rss - before),
        ("events_per_second", healthy as f64 / took),
        ("start_s", started),
        ("parked_again_s", restarted),
    ];
    Ok(figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect())
}

async fn open(folder: &Path, clock: &Arc<SystemClock>, shop: &Arc<Shop>) -> Outcome<Evenkeel> {
    let mut policy = Policy::default();
    policy.parking.keys = 2 * KEYS as usize;
    let subscribe = Subscribe::by("bench", shop::TOPIC, shop.clone()).policy(policy);
    let builder = Evenkeel::builder().data(folder).clock(clock.clone()).topic(shop::TOPIC, shop::PARTITIONS);
    Ok(builder.subscribe(subscribe).start().await?)
}

async fn until(evenkeel: &Evenkeel, clock: &SystemClock, enough: impl Fn(&evenkeel::View) -> bool) -> Outcome<()> {
    let subscription = evenkeel.subscription("bench").ok_or("the subscription is gone")?;
    let deadline: Timestamp = clock.now() + PATIENCE;
    loop {
        if let Some(why) = subscription.is_stopped() {
            return Err(why.into());
        }
        let view = subscription.view().await.ok_or("the subscription has ended")?;
        if enough(&view) {
            return Ok(());
        }
        if clock.now() > deadline {
            return Err(format!("not reached within {PATIENCE:?}: {} parked", view.parked).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
