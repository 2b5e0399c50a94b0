//! One life: what is set up, what goes wrong, and what must be true in the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::testing::{SimDisk, kill};
use evenkeel::{
    AttributeValue, Audit, BreakerPolicy, Clock, Concurrency, Evenkeel, Event, Exhausted, Options, Order, Parking,
    Policy, PublishError, RetrySchedule, StartError, Subscribe, Timestamp,
};
use evenkeel_delivery::Command;
use evenkeel_log::ReadLimit;
use evenkeel_model::{Shard, names};
use evenkeel_transport::dead;

use super::chance::Chance;
use super::clock::{JumpingClock, pass};
use super::shop::Shop;

const KEYS: u64 = 9;
pub(super) const SUBSCRIPTIONS: [&str; 3] = ["payment", "mail", "guest"];
/// The number of the one that comes and goes at run time.
pub(super) const GUEST: usize = 2;
/// What both may depend on.
pub(super) const BANK: &str = "bank";

pub struct World {
    pub(super) seed: u64,
    clock: Arc<JumpingClock>,
    pub(super) disk: SimDisk,
    pub(super) shops: [Arc<Shop>; 3],
    pub(super) policies: [Policy; 3],
    /// The fewest attempts that a policy allowed since the beginning.
    attempts_min: [u32; 3],
    pub(super) partitions: u32,
    /// Asked for, and not known to have come.
    pub(super) maybe_partitions: Option<u32>,
    pub(super) evenkeel: Option<Evenkeel>,
    /// The guest is here, or is to be.
    pub(super) guest: bool,
    /// It owes the events from this number on.
    pub(super) guest_since: Option<u64>,
    pub(super) redrives: u64,
    /// The number of the next event.
    pub(super) next: u64,
    /// Events of which it is not known whether they are stored: they come again.
    unknown: Vec<Event>,
    published: BTreeSet<String>,
    crashes: u64,
}

fn policy(chance: &mut Chance) -> Policy {
    let ms = |chance: &mut Chance, all: &[u64]| Duration::from_millis(chance.one_of(all));
    Policy {
        order: chance.one_of(&[Order::Key, Order::Key, Order::Key, Order::None]),
        retry: RetrySchedule {
            attempts: chance.one_of(&[1, 2, 3, 8]),
            initial: ms(chance, &[1, 50, 500]),
            max: Duration::from_secs(5),
            age: ms(chance, &[10_000, 3_600_000]),
            inline: ms(chance, &[0, 100, 1_000]),
            ..RetrySchedule::default()
        },
        timeout: Duration::from_secs(2),
        when_exhausted: chance.one_of(&[Exhausted::Skip, Exhausted::Skip, Exhausted::ParkKey]),
        concurrency: Concurrency { max: chance.one_of(&[1, 4, 64]), ..Concurrency::default() },
        handler_breaker: BreakerPolicy {
            window: Duration::from_secs(5),
            open: ms(chance, &[1_000, 4_000]),
            ..BreakerPolicy::default()
        },
        depends_on: match chance.percent(50) {
            true => vec![(BANK.into(), BreakerPolicy { open: Duration::from_secs(2), ..BreakerPolicy::default() })],
            false => Vec::new(),
        },
        parking: Parking {
            keys: chance.one_of(&[2, 5, 1_000]),
            per_key: chance.one_of(&[2, 10]),
            ..Parking::default()
        },
        window: chance.one_of(&[4, 16, 4_096]),
        // The kills here are an operator's, whom nobody can tell from a handler that crashes the process.
        crashes: 1000,
        // A bad deploy is another test's: here it would only stop the play.
        dead_budget: evenkeel_delivery::DeadBudget {
            run: u32::MAX,
            share: 1.0,
            ..evenkeel_delivery::DeadBudget::default()
        },
        ..Policy::default()
    }
}

impl World {
    pub async fn begin(seed: u64, chance: &mut Chance) -> World {
        let policies: [Policy; 3] = std::array::from_fn(|_| policy(chance));
        let shops = [0, 1, 2].map(|n| {
            let ordered = policies[n].order == Order::Key;
            Arc::new(Shop::new(seed ^ n as u64, 5 + (seed * 7 + n as u64 * 13) % 40, ordered, n == 0))
        });
        let mut world = World {
            seed,
            clock: Arc::new(JumpingClock::start()),
            disk: SimDisk::new(seed),
            shops,
            attempts_min: [0, 1, 2].map(|n| policies[n].retry.attempts),
            policies,
            partitions: chance.one_of(&[1, 2, 4]),
            maybe_partitions: None,
            evenkeel: None,
            guest: false,
            guest_since: None,
            redrives: 0,
            next: 1,
            unknown: Vec::new(),
            published: BTreeSet::new(),
            crashes: 0,
        };
        world.start().await;
        world
    }

    pub(super) async fn start(&mut self) {
        let mut started = self.try_start().await;
        if let (Err(StartError::Topic(_)), Some(partitions)) = (&started, self.maybe_partitions) {
            self.partitions = partitions;
            started = self.try_start().await;
        }
        if self.disk.is_off() {
            // The power went while it started.
            self.disk.cut_power();
            started = self.try_start().await;
        }
        self.maybe_partitions = None;
        self.evenkeel = Some(started.unwrap_or_else(|e| panic!("seed {}: it does not start: {e}", self.seed)));
        if self.guest && self.invite().await.is_err() {
            // The power went while the guest came back.
            self.power_off().await;
            self.evenkeel = Some(self.try_start().await.unwrap());
            self.invite().await.unwrap_or_else(|e| panic!("seed {}: the guest does not come back: {e}", self.seed));
        }
    }

    async fn power_off(&mut self) {
        if let Some(evenkeel) = self.evenkeel.take() {
            kill(&evenkeel).await;
        }
        self.disk.cut_power();
    }

    async fn try_start(&self) -> Result<Evenkeel, StartError> {
        let options = Options { wal_first_file_bytes: 1 << 18, wal_file_bytes: 1 << 18, ..Options::default() };
        Evenkeel::builder()
            .disk(Arc::new(self.disk.clone()))
            .clock(self.clock.clone())
            .options(options)
            .seed(self.seed)
            .dedup(Duration::from_millis(1))
            .topic("orders", self.partitions)
            .topic("payments", 2)
            .subscribe(self.subscribe(0).publishes("payments"))
            .subscribe(self.subscribe(1))
            .start()
            .await
    }

    pub(super) fn subscribe(&self, n: usize) -> Subscribe {
        Subscribe::by(SUBSCRIPTIONS[n], "orders", self.shops[n].clone()).policy(self.policies[n].clone())
    }

    /// What is not written into the ground may change from start to start.
    pub(super) fn change_policies(&mut self, chance: &mut Chance) {
        (0..self.policies.len()).for_each(|n| self.change_policy(n, chance));
    }

    pub(super) fn change_policy(&mut self, n: usize, chance: &mut Chance) {
        self.policies[n] = Policy { order: self.policies[n].order, ..policy(chance) };
        self.attempts_min[n] = self.attempts_min[n].min(self.policies[n].retry.attempts);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn evenkeel(&self) -> &Evenkeel {
        self.evenkeel.as_ref().unwrap()
    }

    /// The process dies, and with `power` what was not on the medium goes with it.
    async fn crash(&mut self, power: bool) {
        self.crashes += 1;
        if let Some(evenkeel) = self.evenkeel.take() {
            kill(&evenkeel).await;
        }
        if power {
            self.disk.cut_power()
        } else {
            self.disk.kill()
        }
        self.shops.iter().for_each(|shop| shop.reborn());
        self.start().await;
    }

    /// A stopped log is one whose machine is gone.
    pub(super) async fn survive(&mut self, power: bool) {
        if self.evenkeel().log().status().stopped.is_some() || self.disk.is_off() {
            self.crash(power).await;
        }
    }

    pub async fn trouble(&mut self, chance: &mut Chance) {
        for _ in 0..8 + chance.below(14) {
            match chance.below(13) {
                0..=3 => self.publish_some(chance).await,
                4 | 5 => pass(Duration::from_millis(chance.below(20_000))).await,
                6 => self.disk.fail_in(chance.below(60)),
                7 => self.pause_a_while(chance).await,
                8 => self.clock.jump(i64::try_from(chance.below(3_660_000)).unwrap() - 60_000),
                9 => self.crash(chance.percent(60)).await,
                _ => self.operate(chance).await,
            }
            let power = chance.percent(60);
            self.survive(power).await;
            if chance.percent(30) {
                self.look().await;
            }
        }
    }

    /// At any moment it adds up.
    async fn look(&mut self) {
        match self.evenkeel().audit().await {
            Ok(audit) => assert!(audit.ok, "seed {}: {audit:#?}", self.seed),
            // The disk failed under it.
            Err(_) => self.survive(true).await,
        }
    }

    async fn pause_a_while(&mut self, chance: &mut Chance) {
        let name = chance.one_of(&SUBSCRIPTIONS);
        self.command(name, Command::Pause { reason: "why not".to_owned() });
        pass(Duration::from_millis(chance.below(5_000))).await;
        self.survive(true).await;
        self.command(name, Command::Resume);
    }

    pub(super) fn command(&self, name: &str, command: Command) {
        if let Some(handle) = self.evenkeel().subscription(name) {
            handle.command(command);
        }
    }

    async fn publish_some(&mut self, chance: &mut Chance) {
        for _ in 0..1 + chance.below(25) {
            let event = self.event(chance);
            self.publish(event).await;
            if chance.percent(5) {
                // Lost on the way back, says its producer, and sends it again.
                if let Some(again) = self.unknown.last().cloned() {
                    self.publish(again).await;
                }
            }
        }
    }

    fn event(&mut self, chance: &mut Chance) -> Event {
        let kind = match chance.below(25) {
            0 => "poison",
            1 => "reject",
            2 => "drop",
            _ => "order",
        };
        self.made(kind, chance.below(KEYS + 1))
    }

    fn made(&mut self, kind: &str, key: u64) -> Event {
        let mut event = Event::new("/shop", format!("{kind}-{}", self.next), kind);
        self.next += 1;
        if key < KEYS {
            event.set_extension("partitionkey", AttributeValue::String(format!("k{key}")));
        }
        event.data = Some("{}".into());
        event
    }

    /// Until it is stored, so that a key's events are stored in their order.
    async fn publish(&mut self, event: Event) {
        for _ in 0..20 {
            match self.evenkeel().publish("orders", event.clone()).await {
                Ok(_) => {
                    self.published.insert(event.id.id.clone());
                    self.unknown = vec![event];
                    return;
                }
                Err(PublishError::Stopped(_)) => self.survive(true).await,
                Err(other) => panic!("seed {}: {other}", self.seed),
            }
        }
        panic!("seed {}: an event cannot be stored", self.seed);
    }

    /// Everything is well again, but for poison; operators do what policies leave to them.
    pub async fn heal_and_end(&mut self) {
        self.disk.fail_in(u64::MAX);
        self.shops.iter().for_each(|shop| shop.heal());
        self.survive(true).await;
        if !self.guest {
            self.invite().await.unwrap_or_else(|e| panic!("seed {}: the guest does not come: {e}", self.seed));
        }
        for _ in 0..200 {
            SUBSCRIPTIONS.iter().for_each(|name| self.command(name, Command::Resume));
            pass(Duration::from_secs(5)).await;
            let audit = self.evenkeel().audit().await.unwrap();
            assert!(audit.ok, "seed {}: {audit:#?}", self.seed);
            if self.take_back().await && is_over(&audit) {
                return self.redrive_the_healthy().await;
            }
            for name in SUBSCRIPTIONS {
                self.skip_what_is_left_to_operators(name).await;
            }
            self.bear_witness().await;
        }
        let audit = self.evenkeel().audit().await.unwrap();
        for name in SUBSCRIPTIONS {
            eprintln!("VIEW {name} {:?}", self.evenkeel().subscription(name).unwrap().view().await);
        }
        panic!("seed {}: it never ends: {audit:#?} {:#?}", self.seed, self.policies);
    }

    /// Healthy events of every key: the witness that poison is poison.
    pub(super) async fn bear_witness(&mut self) {
        for key in 0..KEYS {
            let event = self.made("order", key);
            self.publish(event).await;
        }
    }

    async fn skip_what_is_left_to_operators(&self, name: &str) {
        let handle = self.evenkeel().subscription(name).unwrap();
        let Some(view) = handle.view().await else { return };
        for lane in view.lanes {
            handle.command(Command::SkipAt(lane.at));
        }
    }

    /// Crashes, dead letters, redriven events, events.
    pub async fn check(self) -> [u64; 4] {
        let seed = self.seed;
        let audit = self.evenkeel().audit().await.unwrap();
        let log = self.evenkeel().log().clone();
        let mut redriven = 0;
        for (n, books) in audit.subscriptions.iter().enumerate() {
            assert_eq!(books.order_violations, 0, "seed {seed}: {books:?}");
            let (taken, jobs, closed) = self.taken_up(&books.name).await;
            redriven += taken;
            let notes = self.shops[n].notes.lock().unwrap();
            assert!(notes.wrong.is_empty(), "seed {seed}: {}: {:#?}", books.name, notes.wrong);
            assert!(notes.keys.values().all(|keys| keys.len() == 1), "seed {seed}: one effect, two keys");
            let letters = dead::list(&log, &books.name, &dead::Filter::default(), 0, 100_000).unwrap().items;
            assert_eq!(letters.len() as u64 - taken, books.dead, "seed {seed}: {jobs:#?}");
            for letter in letters {
                self.reasoned(n, &letter);
                let open = !closed.iter().any(|(from, until)| (*from..*until).contains(&letter.at.offset));
                assert!(!open || letter.kind != "order", "seed {seed}: healthy, and not redriven: {letter:?}");
            }
        }
        self.guest_saw_all();
        let effects = effects(&log);
        let once: BTreeSet<&String> = effects.iter().collect();
        assert_eq!(once.len(), effects.len(), "seed {seed}: an effect is there twice");
        assert_eq!(effects.len() as u64, audit.subscriptions[0].completed, "seed {seed}: one effect for each outcome");
        let stored: u64 = audit.subscriptions[0].appended;
        assert!(stored >= self.published.len() as u64, "seed {seed}: something acknowledged is lost");
        let dead = audit.subscriptions.iter().map(|s| s.dead).sum();
        [self.crashes, dead, redriven, stored]
    }

    /// The guest was handed all that was published since it came for the first time, however often it left.
    fn guest_saw_all(&self) {
        let (since, notes) = (self.guest_since.unwrap(), self.shops[GUEST].notes.lock().unwrap());
        let number = |id: &str| id.rsplit('-').next().and_then(|n| n.parse::<u64>().ok()).unwrap();
        let missed = self.published.iter().find(|id| number(id) >= since && !notes.keys.contains_key(*id));
        assert_eq!(missed, None, "seed {}: the guest was never handed it", self.seed);
    }

    fn reasoned(&self, n: usize, letter: &dead::DeadLetter) {
        let at_fault = ["poison", "reject"].iter().any(|kind| letter.id.starts_with(kind));
        let spent = letter.attempts >= self.attempts_min[n];
        let reasoned = match &*letter.reason {
            "rejected" => letter.id.starts_with("reject"),
            "attempts_exhausted" => spent,
            "max_age" => letter.attempts > 0,
            "operator" => true,
            "suspected_crash" => self.crashes >= 3,
            _ => false,
        };
        assert!(reasoned && (at_fault || spent || letter.reason != "rejected"), "seed {}: {letter:?}", self.seed);
    }
}

pub(super) fn is_over(audit: &Audit) -> bool {
    audit.subscriptions.iter().all(|s| s.in_flight + s.parked + s.unread == 0)
}

/// The ids of all returned events.
fn effects(log: &evenkeel_log::Log) -> Vec<String> {
    let mut ids = Vec::new();
    for partition in 0..2 {
        let shard = Shard::new("payments", partition);
        let records = log.read(&shard, 0, ReadLimit { records: 1_000_000, bytes: usize::MAX }).unwrap();
        let id = |r: &evenkeel_model::Record| String::from_utf8(r.header("ce_id").unwrap().to_vec()).unwrap();
        ids.extend(records.iter().map(|stored| id(&stored.record)));
        assert!(records.iter().all(|stored| stored.record.header(names::CAUSED_BY).is_some()));
    }
    ids
}
