//! The same core and runtime over what is not the embedded log: a partitioned log whose ownership
//! moves between nodes, and a queue without partitions. Nodes die, lose what they had, come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use evenkeel::runtime::{SubscriptionHandle, SubscriptionSpec, start};
use evenkeel::{
    AttributeValue, BreakerPolicy, Clock, Command, Concurrency, Effects, Event, Outcome, Policy, RetrySchedule,
};
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::{Journal, Source};
use evenkeel_delivery::{Fact, PendingWhy};
use evenkeel_model::Record;
use evenkeel_transport::contract::doubles::{Cluster, Queue};

use super::chance::Chance;
use super::clock::{JumpingClock, pass};
use super::shop::{Shop, quiet_panics};
use super::{in_virtual_time, seeds};

const NODES: u32 = 2;
const PARTITIONS: u32 = 4;

enum Broker {
    Moving(Cluster),
    Queue(Queue),
}

struct Others {
    broker: Broker,
    clock: Arc<JumpingClock>,
    shop: Arc<Shop>,
    nodes: BTreeMap<u32, SubscriptionHandle>,
    /// Who has which partitions.
    given: BTreeMap<u32, Vec<u32>>,
    policy: Policy,
    published: BTreeSet<String>,
    seed: u64,
}

impl Others {
    fn new(seed: u64, broker: Broker, chance: &mut Chance) -> Others {
        let retry = RetrySchedule {
            attempts: chance.one_of(&[2, 3, 8]),
            initial: Duration::from_millis(chance.one_of(&[1, 300])),
            max: Duration::from_secs(5),
            ..RetrySchedule::default()
        };
        let policy = Policy {
            retry,
            timeout: Duration::from_secs(2),
            effects: Effects::Log,
            concurrency: Concurrency { min: 1, max: chance.one_of(&[1, 8]), ..Concurrency::default() },
            handler_breaker: BreakerPolicy {
                window: Duration::from_secs(5),
                open: Duration::from_secs(1),
                ..BreakerPolicy::default()
            },
            // The kills here are nobody's fault.
            crashes: 1000,
            dead_budget: evenkeel_delivery::DeadBudget {
                run: u32::MAX,
                share: 1.0,
                ..evenkeel_delivery::DeadBudget::default()
            },
            window: chance.one_of(&[8, 4_096]),
            ..Policy::default()
        };
        // A node that lost its right may still call: what calls overlap says nothing here.
        let shop = Arc::new(Shop::new(seed, 5 + seed * 7 % 30, false, true));
        let clock = Arc::new(JumpingClock::start());
        let (nodes, given, published) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Others { broker, clock, shop, nodes, given, policy, published, seed }
    }

    /// A node begins, with what it is given now.
    async fn begin(&mut self, node: u32) {
        let ports: (Arc<dyn Source>, Arc<dyn Journal>) = match &self.broker {
            Broker::Moving(cluster) => {
                let ports = Arc::new(cluster.assign(self.given.get(&node).cloned().unwrap_or_default()));
                (ports.clone(), ports)
            }
            Broker::Queue(queue) => {
                let ports = Arc::new(queue.consumer(node));
                (ports.clone(), ports)
            }
        };
        let spec = SubscriptionSpec {
            name: "payment".into(),
            uid: "payment".to_owned(),
            policy: self.policy.clone(),
            source: ports.0,
            journal: ports.1,
            handler: self.shop.clone(),
            fallback: None,
            fence: 1,
        };
        let handle = start(spec, self.clock.clone(), self.seed ^ u64::from(node));
        handle.begun().await;
        self.nodes.insert(node, handle);
    }

    /// Nodes whose right is gone begin again with what they have now.
    async fn begin_those_that_stopped(&mut self) {
        for node in 0..NODES {
            if self.nodes.get(&node).is_none_or(|handle| handle.is_stopped().is_some()) {
                self.nodes.remove(&node);
                self.begin(node).await;
            }
        }
    }

    /// Some partitions, or messages, get another owner; the one before may not know it yet.
    async fn move_some(&mut self, chance: &mut Chance) {
        match &self.broker {
            Broker::Moving(_) => {
                let node = u32::try_from(chance.below(u64::from(NODES))).unwrap();
                let (taken, left): (Vec<u32>, Vec<u32>) = (0..PARTITIONS).partition(|_| chance.percent(50));
                self.given = BTreeMap::from([(node, taken), (1 - node, left)]);
                self.begin(node).await;
                // The other one finds out when it commits, or when it begins again.
                pass(Duration::from_millis(chance.below(3_000))).await;
                self.begin(1 - node).await;
            }
            Broker::Queue(queue) => queue.expire(u32::try_from(chance.below(u64::from(NODES))).unwrap()),
        }
    }

    fn publish(&mut self, chance: &mut Chance, kind: &str) {
        let number = self.published.len() + 1;
        let mut event = Event::new("/shop", format!("{kind}-{number}"), "OrderCreated");
        event.set_extension("partitionkey", AttributeValue::String(format!("k{}", chance.below(40))));
        self.published.insert(event.id.id.clone());
        let (record, now) = (to_record(&event, self.clock.now()), self.clock.now());
        match &self.broker {
            Broker::Moving(cluster) => drop(cluster.publish(record, now)),
            Broker::Queue(queue) => queue.publish(record, now),
        }
    }

    async fn live(&mut self, chance: &mut Chance) {
        self.given = (0..NODES).map(|n| (n, (0..PARTITIONS).filter(|p| p % NODES == n).collect())).collect();
        self.begin_those_that_stopped().await;
        for _ in 0..10 + chance.below(20) {
            match chance.below(8) {
                0..=3 => {
                    for _ in 0..1 + chance.below(20) {
                        let kind = match chance.below(30) {
                            0 => "poison",
                            1 => "reject",
                            _ => "order",
                        };
                        self.publish(chance, kind);
                    }
                }
                4 => self.move_some(chance).await,
                5 => {
                    let node = u32::try_from(chance.below(u64::from(NODES))).unwrap();
                    if let Some(handle) = self.nodes.remove(&node) {
                        handle.kill().await;
                    }
                }
                _ => pass(Duration::from_millis(chance.below(8_000))).await,
            }
            self.begin_those_that_stopped().await;
        }
        self.shop.heal();
        for _ in 0..200 {
            pass(Duration::from_secs(5)).await;
            self.begin_those_that_stopped().await;
            if self.ended() >= self.published.len() {
                break;
            }
            for _ in 0..40 {
                self.publish(chance, "order");
            }
            self.skip_what_is_left_to_operators(false).await;
        }
        // What came last as a witness may still be at the handler.
        for _ in 0..200 {
            if self.ended() >= self.published.len() {
                return;
            }
            pass(Duration::from_secs(5)).await;
            self.begin_those_that_stopped().await;
            self.skip_what_is_left_to_operators(true).await;
        }
        for handle in self.nodes.values() {
            eprintln!("{:?}", handle.view().await);
        }
        panic!("seed {}: {} of {} ended", self.seed, self.outcomes().len(), self.published.len());
    }

    /// Poison that nobody can tell from an outage. `all`: a node all of whose keys have poison at their head has nobody
    /// who could succeed (the other one takes what is new), which is an outage to it, for ever; who knows better says so.
    async fn skip_what_is_left_to_operators(&self, all: bool) {
        for handle in self.nodes.values() {
            let lanes = handle.view().await.map(|view| view.lanes).unwrap_or_default();
            let stuck = lanes.into_iter().filter(|lane| all || lane.why == PendingWhy::Undecided);
            stuck.for_each(|lane| handle.command(Command::SkipAt(lane.at)));
        }
    }

    fn ended(&self) -> usize {
        match &self.broker {
            Broker::Moving(cluster) => cluster.ended(),
            Broker::Queue(queue) => queue.ended(),
        }
    }

    fn facts(&self) -> Vec<Fact> {
        match &self.broker {
            Broker::Moving(cluster) => cluster.facts(),
            Broker::Queue(queue) => queue.facts(),
        }
    }

    /// What became of each place.
    fn outcomes(&self) -> BTreeMap<(u32, u64), Vec<Outcome>> {
        let mut outcomes: BTreeMap<(u32, u64), Vec<Outcome>> = BTreeMap::new();
        for fact in self.facts() {
            if let Fact::Ended { shard, entry, .. } = fact {
                outcomes.entry((shard.partition, entry.offset)).or_default().push(entry.outcome);
            }
        }
        outcomes
    }

    fn check(&self) {
        let seed = self.seed;
        let outcomes = self.outcomes();
        let twice: Vec<_> = outcomes.iter().filter(|(_, all)| all.len() != 1).collect();
        assert!(twice.is_empty(), "seed {seed}: more than one outcome: {twice:?}");
        assert_eq!(outcomes.len(), self.published.len(), "seed {seed}: something is lost, or was handled twice");
        let (effects, dead) = match &self.broker {
            Broker::Moving(cluster) => (cluster.effects(), cluster.dead()),
            Broker::Queue(queue) => (queue.effects(), queue.dead()),
        };
        let ids: Vec<String> = effects.iter().map(id).collect();
        let once: BTreeSet<&String> = ids.iter().collect();
        let completed = outcomes.values().flatten().filter(|o| **o == Outcome::Completed).count();
        assert_eq!((once.len(), ids.len()), (completed, completed), "seed {seed}: an effect for each outcome");
        let dead: BTreeSet<String> = dead.iter().map(id).collect();
        let ended: BTreeSet<String> = ids.iter().map(|id| id.trim_start_matches("effect-of-").to_owned()).collect();
        assert!(dead.is_disjoint(&ended), "seed {seed}");
        assert_eq!(dead.union(&ended).cloned().collect::<BTreeSet<_>>(), self.published, "seed {seed}");
        self.in_order();
    }

    /// Of each key, in its partition, outcomes come in the order of the events.
    fn in_order(&self) {
        let Broker::Moving(_) = &self.broker else { return };
        let mut newest: BTreeMap<u32, BTreeMap<String, u64>> = BTreeMap::new();
        let notes = self.shop.notes.lock().unwrap();
        for fact in self.facts() {
            let Fact::Ended { shard, entry, .. } = fact else { continue };
            let Some(key) = notes.keys_at.get(&(shard.partition, entry.offset)) else { continue };
            let before = newest.entry(shard.partition).or_default().insert(key.clone(), entry.offset);
            assert!(
                before.is_none_or(|b| b < entry.offset),
                "seed {}: {key} ended {} after {before:?}",
                self.seed,
                entry.offset
            );
        }
    }
}

fn id(record: &Record) -> String {
    String::from_utf8(record.header("ce_id").unwrap().to_vec()).unwrap()
}

fn lives(broker: impl Fn() -> Broker) {
    quiet_panics();
    for seed in seeds() {
        in_virtual_time(async {
            let mut chance = Chance::new(seed);
            let mut others = Others::new(seed, broker(), &mut chance);
            others.live(&mut chance).await;
            others.check();
        });
    }
}

#[test]
fn a_log_whose_ownership_moves_loses_nothing_and_books_nothing_twice() {
    lives(|| Broker::Moving(Cluster::new(PARTITIONS)));
}

#[test]
fn a_queue_with_competing_consumers_loses_nothing_and_books_nothing_twice() {
    lives(|| Broker::Queue(Queue::new()));
}
