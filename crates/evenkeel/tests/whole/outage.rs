//! A handler that is down for half an hour at full load, with the power going in the middle: no
//! healthy event dies, the gate spends no attempt, order is kept, memory is bounded, and what
//! waited is worked off at nearly full capacity, without a storm of retries.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use evenkeel::testing::{SimDisk, kill};
use evenkeel::{Answer, AttributeValue, Call, Concurrency, Evenkeel, Event, Handler, Policy, Subscribe, Verdict};
use evenkeel_delivery::ports::BoxFuture;
use evenkeel_log::{Log, ReadLimit};
use evenkeel_model::ledger::{self, LedgerEntry};
use evenkeel_model::{FailureClass, Outcome, Shard, names};

use super::clock::{JumpingClock, pass};
use super::in_virtual_time;
use super::shop::failed;

/// Events a second.
const RATE: usize = 5;
const DOWN_S: usize = 30 * 60;
const CONCURRENCY: u32 = 2;
const TAKES: Duration = Duration::from_millis(100);
/// Events that may be read beyond the window after a failed call.
const WITNESSES: usize = 8;
/// Events a second that the handler could do.
const CAPACITY: f64 = 20.0;

#[derive(Default)]
struct Service {
    down: AtomicBool,
    calls: AtomicU64,
    done: Arc<Mutex<Vec<String>>>,
}

impl Handler for Service {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let down = self.down.load(Ordering::SeqCst);
        let (done, id) = (self.done.clone(), call.delivered.event.id.id.clone());
        Box::pin(async move {
            pass(if down { Duration::from_millis(5) } else { TAKES }).await;
            let verdict = if down {
                failed(FailureClass::Failed, Some(500), false)
            } else {
                done.lock().unwrap().push(id);
                Verdict::Ack
            };
            Answer { verdict, emitted: Vec::new(), handler_version: None }
        })
    }
}

async fn start(disk: &SimDisk, clock: &Arc<JumpingClock>, service: &Arc<Service>) -> Evenkeel {
    let policy =
        Policy { concurrency: Concurrency { min: 1, max: CONCURRENCY, ..Concurrency::default() }, ..Policy::default() };
    Evenkeel::builder()
        .disk(Arc::new(disk.clone()))
        .clock(clock.clone())
        .topic("orders", 2)
        .subscribe(Subscribe::by("payment", "orders", service.clone()).policy(policy))
        .start()
        .await
        .unwrap()
}

fn event(n: usize) -> Event {
    let mut event = Event::new("/shop", format!("order-{n}"), "OrderCreated");
    event.set_extension("partitionkey", AttributeValue::String(format!("k{}", n % 200)));
    event.data = Some(Bytes::from_static(b"{}"));
    event
}

struct Load {
    evenkeel: Evenkeel,
    next: usize,
    /// Events in the window, and keys and events parked, at most.
    most: [usize; 3],
}

impl Load {
    async fn go_on(&mut self, seconds: usize) {
        for second in 0..seconds {
            let events = (self.next..self.next + RATE).map(event).collect();
            self.next += RATE;
            self.evenkeel.publish_all("orders", events).await.unwrap();
            pass(Duration::from_secs(1)).await;
            if second % 60 == 0 {
                let view = self.evenkeel.subscription("payment").unwrap().view().await.unwrap();
                let now = [view.queued + view.in_flight, view.parked_keys, view.parked];
                self.most = std::array::from_fn(|n| self.most[n].max(now[n]));
            }
        }
    }
}

/// Lives at most: what the log's threads do in real time takes virtual time, and never gives any. So
/// a busy machine may spoil a life's goodput, and the best of a few says what the system can do.
const LIVES: usize = 4;
/// Of the handler's capacity, and of its calls.
const GOOD: f64 = 0.9;

#[test]
fn half_an_hour_of_outage_at_full_load_kills_nothing_spends_nothing_and_ends_without_a_storm() {
    let mut best: f64 = 0.0;
    for _ in 0..LIVES {
        in_virtual_time(async { best = live().await.max(best) });
        if best >= GOOD {
            return;
        }
    }
    panic!("at best {best} of the handler's capacity was put to use");
}

/// The share of the handler's capacity that was put to use while it caught up.
async fn live() -> f64 {
    {
        let (disk, clock) = (SimDisk::new(3), Arc::new(JumpingClock::start()));
        let service = Arc::new(Service::default());
        let mut load = Load { evenkeel: start(&disk, &clock, &service).await, next: 0, most: [0; 3] };
        load.go_on(60).await;
        service.down.store(true, Ordering::SeqCst);
        load.go_on(DOWN_S / 2).await;
        kill(&load.evenkeel).await;
        disk.cut_power();
        load.evenkeel = start(&disk, &clock, &service).await;
        load.go_on(DOWN_S / 2).await;
        let calls_down = service.calls.load(Ordering::SeqCst) - service.done.lock().unwrap().len() as u64;
        service.down.store(false, Ordering::SeqCst);
        let (calls, done) = (service.calls.load(Ordering::SeqCst), service.done.lock().unwrap().len());
        let mut seconds = 0;
        while service.done.lock().unwrap().len() < load.next {
            load.go_on(1).await;
            seconds += 1;
            assert!(seconds < 3_600, "it never catches up: {:?}", load.evenkeel.audit().await);
        }
        let worked_off = (service.done.lock().unwrap().len() - done) as f64;
        let useful = worked_off / (service.calls.load(Ordering::SeqCst) - calls) as f64;
        let goodput = worked_off / (CAPACITY * f64::from(seconds));
        println!(
            "{seconds} s to catch up, {:.1} % of capacity, {:.1} % of calls useful, {calls_down} calls while down, at most in the window, keys parked, events parked: {:?}",
            goodput * 100.0,
            useful * 100.0,
            load.most
        );
        assert!(useful >= GOOD, "a storm of retries: {useful}");
        // Each call that failed let so many be read beyond the window, to find a witness or another
        // event to probe with (`credit`), and nothing else did. What is parked has limits of its own.
        let (failed, [in_window, keys, parked]) = (usize::try_from(calls_down).unwrap(), load.most);
        let policy = Policy::default();
        assert!(in_window <= policy.window + failed * WITNESSES, "{in_window} events in the window");
        assert!(keys <= failed && parked <= keys * policy.parking.per_key, "{parked} events of {keys} keys parked");
        assert!(calls_down < 400, "{calls_down} calls of a handler that is down");
        pass(Duration::from_secs(5)).await;
        let audit = load.evenkeel.audit().await.unwrap();
        let books = &audit.subscriptions[0];
        assert!(audit.ok && books.order_violations == 0 && books.dead == 0, "{audit:#?}");
        assert_eq!(books.completed, load.next as u64);
        for (attempts, outcome) in ended(load.evenkeel.log()) {
            assert!(outcome == Outcome::Completed && attempts <= 1, "{attempts} attempts, {outcome:?}");
        }
        goodput
    }
}

/// Attempts and outcome of each entry of the ledger.
fn ended(log: &Log) -> Vec<(u32, Outcome)> {
    let shard = Shard::new(names::LEDGER_TOPIC, 0);
    let limit = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let records = log.read(&shard, 0, limit).unwrap();
    let entries = records.into_iter().flat_map(|r| ledger::decode(&r.record.value.unwrap()).unwrap().entries);
    entries
        .filter_map(|entry| match entry {
            LedgerEntry::Ended(ended) => Some((ended.attempts, ended.outcome)),
            _ => None,
        })
        .collect()
}
