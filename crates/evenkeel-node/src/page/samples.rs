//! Three nodes to look at in tests: empty, healthy, and on fire; and one whose every text is hostile.

use std::time::Duration;

use evenkeel_model::{Position, Shard, Timestamp, names};

use super::status::{
    BehindIt, Damage, DeadGroup, Endpoint, Flow, Forced, Gate, Happening, HappeningKind, Intake, Lane, Log, Moment,
    Node, Objective, Proof, Status, Topic, Usage,
};

/// 2026-01-31T08:30:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_769_848_200_000_000);

fn ago(seconds: u64) -> Timestamp {
    NOW - Duration::from_secs(seconds)
}

fn ms(n: u64) -> Option<Duration> {
    Some(Duration::from_millis(n))
}

fn node() -> Node {
    Node {
        version: "0.1.0".to_owned(),
        url: "http://127.0.0.1:8080".to_owned(),
        data: "./evenkeel-data".to_owned(),
        started: ago(8_040),
        usage: Usage {
            processors: Some(0.42),
            processors_max: Some(2),
            memory_bytes: Some(213 << 20),
            machine_bytes: Some((23 << 30, 17 << 30)),
            files: Some((42, 1_024)),
            disk_bytes: Some((8 << 20, 3 << 30)),
            network_bytes: None,
        },
        draining: false,
    }
}

/// A node that was just started.
pub(super) fn empty() -> Status {
    let topic = Topic { name: "orders".to_owned(), partitions: 12, ..Topic::default() };
    let log = Log { wal_bytes: 1 << 20, free_bytes: Some(80 << 30), groups: 2, flushes: 2, ..Log::default() };
    let mut node = node();
    node.started = ago(3);
    Status { now: NOW, node, topics: vec![topic], log, ..Status::default() }
}

fn flow(topic: &str, subscription: &str, handler: &str, rate: f64) -> Flow {
    Flow {
        topic: topic.to_owned(),
        subscription: subscription.to_owned(),
        handler: handler.to_owned(),
        rate_in: rate,
        rate_out: rate,
        p50: ms(8),
        p99: ms(38),
        lag: ms(41),
        in_flight: 4,
        moments: (0..120).map(|at| (!(40..52).contains(&at)).then(|| moment(at))).collect(),
        moment: Duration::from_secs(30),
        thresholds: vec![Duration::from_millis(500)],
        policy: vec![
            "Order by key: one event of a key at a time.".to_owned(),
            "Up to 8 attempts over 24 h, the first retry within 200 ms, later ones up to 1 h apart.".to_owned(),
            "When attempts run out the event is dead and its key goes on.".to_owned(),
            "Depends on `bank`: opens at 50 % failures of at least 20 calls, or 10 in a row.".to_owned(),
        ],
        ..Flow::default()
    }
}

/// A sawtooth, so that a plot has a shape.
fn moment(at: u64) -> Moment {
    let (p50, p99, lag) = (ms(7 + at % 5), ms(30 + at % 17 * 3), Duration::from_millis(40 + at % 9));
    Moment { p50, p99, lag, ended: 6_360 }
}

fn objective(name: &str, subscription: &str) -> Objective {
    Objective {
        name: name.to_owned(),
        subscription: subscription.to_owned(),
        parts: vec![subscription.to_owned()],
        target: 0.999,
        threshold: ms(500),
        window: Duration::from_secs(30 * 86_400),
        good: Some(0.999_71),
        events: 1_254_310,
        budget_left: Some(0.71),
        burn: Some(0.4),
        burn_window: Duration::from_secs(3600),
        burns: vec![(Duration::from_secs(300), Some(0.2)), (Duration::from_secs(3600), Some(0.4))],
        exhausted_in: None,
        firing: None,
        history: (0..30).map(|day| (!(9..12).contains(&day)).then_some(1.0 - 0.01 * f64::from(day))).collect(),
        step: Duration::from_secs(86_400),
        counts: (0..30).map(|day| if (9..12).contains(&day) { (0, 0) } else { (45_000, 13) }).collect(),
    }
}

fn topics() -> Vec<Topic> {
    [("orders", 12, 12_468, 212.0), ("payments", 6, 10_401, 180.0), (names::LEDGER_TOPIC, 1, 4_022, 9.2)]
        .map(|(name, partitions, records, rate_in)| {
            let bytes = Some(records * 812);
            Topic { name: name.to_owned(), partitions, records, bytes, filled: None, rate_in }
        })
        .to_vec()
}

/// All is well, and something happened yesterday.
pub(super) fn healthy() -> Status {
    let resolved = Happening {
        at: ago(86_400),
        until: Some(ago(86_340)),
        kind: HappeningKind::Incident,
        id: "inc-1".to_owned(),
        text: "`payment` missed its objective `payment-latency` for a minute".to_owned(),
        details: vec!["Opened by alert `page-quick`".to_owned(), "Playbook `recycle-payment` ran".to_owned()],
        ..Happening::default()
    };
    Status {
        now: NOW,
        node: node(),
        proof: Some(Proof { at: ago(12), events: 35_270, sent_again: 3, ..Proof::default() }),
        objectives: vec![objective("payment-latency", "payment"), objective("shipping-success", "shipping")],
        flows: vec![
            flow("orders", "inventory", "http://127.0.0.1:9001/events", 12_432.0),
            flow("orders", "payment", "http://127.0.0.1:9002/events", 212.0),
            flow("payments", "shipping", "http://127.0.0.1:9003/events", 180.0),
        ],
        happenings: vec![resolved],
        topics: topics(),
        intakes: vec![Intake {
            topic: "orders".to_owned(),
            broker: "shop".to_owned(),
            from: "orders-in".to_owned(),
            problem: Some("queue `orders-in` does not exist".to_owned()),
            held: 17,
            placed: 1_204,
            ..Intake::default()
        }],
        log: Log {
            wal_bytes: 64 << 20,
            wal_bytes_max: Some(1 << 30),
            behind_bytes: Some(12 << 20),
            segment_bytes: 3 << 30,
            free_bytes: Some(80 << 30),
            groups: 90_210,
            flushes: 90_390,
            write: Some((Duration::from_micros(1_100), Duration::from_micros(4_300))),
            checkpoint_at: Some(ago(21)),
            ..Log::default()
        },
    }
}

/// One that is retried, and one that waits for a person.
fn lanes() -> Vec<Lane> {
    vec![
        Lane {
            key: Some("customer-17850".to_owned()),
            partition: 3,
            offset: 1_202,
            behind: 2,
            next_at: Some(NOW + Duration::from_secs(42)),
            attempts: 3,
            message: "500: the bank does not answer".to_owned(),
        },
        Lane {
            key: Some("customer-4".to_owned()),
            partition: 0,
            offset: 77,
            next_at: None,
            attempts: 8,
            message: "409: order is locked by another process, which has been holding it since the restart".to_owned(),
            ..Lane::default()
        },
    ]
}

/// One that is called, and one that is not.
fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint { url: "http://10.0.0.1/events".to_owned(), state: "in".to_owned(), in_flight: 3, until: None },
        Endpoint {
            url: "http://10.0.0.2/events".to_owned(),
            state: "ejected".to_owned(),
            in_flight: 0,
            until: Some(NOW + Duration::from_secs(25)),
        },
    ]
}

/// The bank is down, an objective burns, an order is poison, an incident is open.
pub(super) fn on_fire() -> Status {
    let mut status = healthy();
    let payment = &mut status.flows[1];
    payment.gate = Gate::Holding {
        dependency: "bank".to_owned(),
        since: ago(754),
        next_probe: Some(NOW + Duration::from_secs(12)),
    };
    payment.rate_out = 0.0;
    (payment.p99, payment.lag) = (ms(4_210), ms(754_000));
    for (at, moment) in payment.moments.iter_mut().enumerate().skip(95) {
        let late = Duration::from_secs(30 * (at as u64 - 94));
        *moment = Some(Moment { p50: None, p99: None, lag: late, ended: 0 });
    }
    (payment.unread, payment.parked, payment.parked_keys, payment.dead) = (1_204, 380, 214, 2);
    payment.in_flight = 0;
    payment.forced = vec![Forced {
        dependency: "mail".to_owned(),
        open: true,
        reason: "maintenance until noon".to_owned(),
        at: ago(600),
    }];
    payment.endpoints = endpoints();
    payment.lanes = lanes();
    payment.dead_groups = vec![DeadGroup {
        fingerprint: "9f86d081884c7d65".to_owned(),
        class: "rejected".to_owned(),
        reason: "rejected".to_owned(),
        message: "422: negative price in line 3".to_owned(),
        count: 2,
        last_at: ago(95),
        example: "order-536365".to_owned(),
    }];
    let burning = &mut status.objectives[0];
    burning.good = Some(0.998_1);
    burning.budget_left = Some(0.12);
    burning.burn = Some(21.3);
    burning.exhausted_in = Some(Duration::from_secs(8_040));
    burning.firing = Some("page-quick".to_owned());
    burning.counts = (0..30).map(|day| if day < 28 { (45_000, 13) } else { (40_000, 900) }).collect();
    let missed = &mut status.objectives[1];
    missed.budget_left = Some(-0.4);
    missed.good = Some(0.998_6);
    missed.history = (0..30).map(|day| Some(1.0 - 0.048 * f64::from(day))).collect();
    missed.burn = Some(1.0);
    status.happenings.extend(troubles());
    status
}

/// What happens while it is on fire.
fn troubles() -> [Happening; 3] {
    [
        Happening {
            at: ago(700),
            ongoing: true,
            kind: HappeningKind::Incident,
            id: "inc-2".to_owned(),
            text: "`payment-latency` is in danger".to_owned(),
            details: vec![
                "Alert `page-quick` fired".to_owned(),
                "Playbook `recycle-payment`: step 1 of 1 runs".to_owned(),
            ],
            ..Happening::default()
        },
        Happening {
            at: ago(690),
            ongoing: true,
            kind: HappeningKind::Alert,
            objective: "payment-latency".to_owned(),
            text: "page-quick: `payment-latency` burns 21.3 times as fast as it may.".to_owned(),
            details: vec!["It burned 21.3× over 1 h and 40.1× over 5 min; the alert fires above 14.4×.".to_owned()],
            events: vec![BehindIt {
                id: "order-536365".to_owned(),
                source: "/shop".to_owned(),
                place: Position { shard: Shard::new("orders", 3), offset: 1_202 },
                at: ago(95),
                what: "not complete in time".to_owned(),
            }],
            ..Happening::default()
        },
        Happening {
            at: ago(754),
            ongoing: true,
            kind: HappeningKind::Gate,
            text: "The breaker of `bank` opened: 10 failures in a row over 10 events".to_owned(),
            ..Happening::default()
        },
    ]
}

/// Every text that comes from outside tries to be markup.
pub(super) fn hostile() -> Status {
    let evil = "\"><script>alert('x')</script>&amp;`".to_owned();
    let mut status = on_fire();
    status.node.url.clone_from(&evil);
    status.node.data.clone_from(&evil);
    status.log.stopped = Some(evil.clone());
    status.log.warnings = vec![evil.clone()];
    for objective in &mut status.objectives {
        objective.name.clone_from(&evil);
        objective.subscription.clone_from(&evil);
        objective.firing = Some(evil.clone());
    }
    for flow in &mut status.flows {
        flow.topic.clone_from(&evil);
        flow.subscription.clone_from(&evil);
        flow.handler.clone_from(&evil);
        flow.policy = vec![evil.clone()];
        flow.gate = Gate::Paused { why: evil.clone() };
        for forced in &mut flow.forced {
            forced.dependency.clone_from(&evil);
            forced.reason.clone_from(&evil);
        }
        for endpoint in &mut flow.endpoints {
            endpoint.url.clone_from(&evil);
            endpoint.state.clone_from(&evil);
        }
        for lane in &mut flow.lanes {
            lane.key = Some(evil.clone());
            lane.message.clone_from(&evil);
        }
        for group in &mut flow.dead_groups {
            let texts = [&mut group.fingerprint, &mut group.class, &mut group.reason, &mut group.message];
            texts.into_iter().for_each(|text| text.clone_from(&evil));
            group.example.clone_from(&evil);
        }
    }
    for happening in &mut status.happenings {
        happening.id.clone_from(&evil);
        happening.text.clone_from(&evil);
        happening.details = vec![evil.clone()];
    }
    for topic in &mut status.topics {
        topic.name.clone_from(&evil);
    }
    if let Some(proof) = &mut status.proof {
        proof.problems = vec![evil];
    }
    status
}

/// Nobody flushed what the disk said was flushed: a node that serves what is whole.
pub(super) fn damaged() -> Status {
    let mut status = healthy();
    status.log.stopped = Some("it is damaged".to_owned());
    status.log.damage = vec![Damage {
        place: "wal/00000004.wal byte 1400832".to_owned(),
        what: "group 90,211 does not match its checksum, and later groups say that it was acknowledged".to_owned(),
        lost: vec!["orders-3 offsets 17 to 19".to_owned()],
        cut: vec!["orders-3 offsets 20 to 41".to_owned(), "payments-0 offset 7".to_owned()],
        exact: true,
    }];
    status.log.warnings =
        vec!["`/var/lib/evenkeel` is on `tmpfs`: everything is gone when the machine stops".to_owned()];
    status.flows.clear();
    status.topics[0].filled = Some(0.83);
    status
}
