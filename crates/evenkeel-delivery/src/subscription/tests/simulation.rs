//! Seeded random worlds: handlers that fail in every way, outages, poison, duplicates, kills at
//! random moments, tight limits. Whatever happens, the books add up.

use std::collections::HashMap;

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::random::Random;
use crate::{
    BreakerPolicy, Command, Concurrency, Exhausted, Fallback, Freshness, Order, Parking, Policy, RetrySchedule, Screen,
};

const SEEDS: u64 = 200;

fn pick(random: &mut Random, n: u64) -> u64 {
    random.next() % n
}

fn any_policy(random: &mut Random) -> Policy {
    let one_of = |random: &mut Random, all: &[u64]| all[usize::try_from(pick(random, all.len() as u64)).unwrap()];
    Policy {
        order: [Order::Key, Order::Key, Order::Partition, Order::None][usize::try_from(pick(random, 4)).unwrap()],
        retry: RetrySchedule {
            attempts: u32::try_from(one_of(random, &[1, 2, 3, 8])).unwrap(),
            initial: ms(one_of(random, &[1, 50, 500])),
            max: secs(5),
            age: secs(one_of(random, &[10, 3600])),
            inline: ms(one_of(random, &[0, 100, 1000])),
            ..RetrySchedule::default()
        },
        when_exhausted: [Exhausted::Skip, Exhausted::Skip, Exhausted::ParkKey]
            [usize::try_from(pick(random, 3)).unwrap()],
        concurrency: Concurrency { max: u32::try_from(one_of(random, &[1, 4, 64])).unwrap(), ..Concurrency::default() },
        handler_breaker: BreakerPolicy {
            window: secs(5),
            open: secs(one_of(random, &[1, 4])),
            ..BreakerPolicy::default()
        },
        depends_on: (0..pick(random, 2))
            .map(|_| ("bank".into(), BreakerPolicy { open: secs(2), ..BreakerPolicy::default() }))
            .collect(),
        parking: Parking {
            keys: usize::try_from(one_of(random, &[1, 5, 1000])).unwrap(),
            per_key: usize::try_from(one_of(random, &[1, 10])).unwrap(),
            ..Parking::default()
        },
        overdue_after: vec![ms(500), secs(5)],
        window: usize::try_from(one_of(random, &[1, 16, 4096])).unwrap(),
        // The kills here are nobody's fault, and nobody can tell.
        crashes: 1000,
        ..Policy::default()
    }
}

/// In every other world there are priorities, a fallback, and bounds that events meet soon.
fn with_the_gate(seed: u64, policy: &mut Policy) {
    let mut random = Random::new(seed ^ 0x6a7e);
    let some =
        |random: &mut Random, all: [u64; 2]| (pick(random, 3) > 0).then(|| secs(all[usize::from(pick(random, 2) > 0)]));
    policy.fallback = some(&mut random, [0, 2]).map(|after| Fallback { after });
    policy.backlog = some(&mut random, [1, 4]);
    if let Some(after) = some(&mut random, [0, 3]) {
        policy.freshness = Freshness::LifoWhenBacklogged { after };
    }
    policy.parking.slow_after = ms(100);
}

/// A class that an event keeps, however often it is read.
fn class_of(id: &str) -> u8 {
    id.bytes().fold(0, |sum: u8, byte| sum.wrapping_add(byte)) % 10
}

/// Until `trouble` anything may happen; after it only poison fails.
fn any_handler(seed: u64, trouble: std::time::Duration) -> Handle {
    let mut random = Random::new(seed);
    let outage_from = secs(pick(&mut random, 20));
    let outage_to = outage_from + secs(pick(&mut random, 20));
    let badness = pick(&mut random, 40);
    Box::new(move |a| {
        let took = ms(pick(&mut random, 60));
        if a.dispatch.fallback {
            return (took, if pick(&mut random, 4) == 0 { status(500) } else { Verdict::Ack });
        }
        if a.id.starts_with("poison") {
            return (took, status(500));
        }
        if a.id.starts_with("reject") {
            return (took, status(422));
        }
        if a.since_start > trouble
            || (a.since_start < outage_from || a.since_start > outage_to) && pick(&mut random, 100) > badness
        {
            return (took, Verdict::Ack);
        }
        let verdict = match pick(&mut random, 9) {
            0 => unreachable(),
            1 => status(503),
            2 => status(429),
            3 => return (secs(5), timed_out()),
            4 => Verdict::Busy { after: None },
            5 => Verdict::Defer { until: start() + a.since_start + ms(700) },
            6 => Verdict::Pause { dependency: "bank".into() },
            7 => Verdict::Retry { after: Some(ms(300)), message: "again".into(), dependency: None },
            _ => status(500),
        };
        (took, verdict)
    })
}

fn plan(world: &mut World, random: &mut Random) -> u64 {
    let count = 60 + pick(random, 120);
    let span = 1 + pick(random, 40_000);
    let mut last = String::new();
    for i in 0..count {
        let number = pick(random, 12);
        let (key, partition) = (format!("k{number}"), u32::try_from(number % 4).unwrap());
        let (id, screen) = match pick(random, 30) {
            0 => (format!("poison{i}"), Screen::Wanted),
            1 => (format!("reject{i}"), Screen::Wanted),
            2 => (format!("f{i}"), Screen::Filtered),
            3 => (format!("n{i}"), Screen::NotAnEvent("bad".into())),
            4 if !last.is_empty() => (last.clone(), Screen::Wanted),
            _ => (format!("e{i}"), Screen::Wanted),
        };
        last.clone_from(&id);
        let key = (pick(random, 10) > 0).then_some(key);
        world.plan(ms(pick(random, span)), partition, key.as_deref(), &id, screen);
    }
    count
}

fn live(seed: u64) {
    let mut random = Random::new(seed);
    let mut policy = any_policy(&mut random);
    let gated = seed % 2 == 1;
    if gated {
        with_the_gate(seed, &mut policy);
    }
    let trouble = secs(45);
    let handler = any_handler(seed ^ 0xdead, trouble);
    // Every third world runs its attempts inside the process.
    let mut world =
        if seed % 3 == 2 { World::inside(policy.clone(), handler) } else { World::new(policy.clone(), handler) };
    world.class_of = gated.then_some(class_of);
    world.commit_takes = ms(pick(&mut random, 40));
    let mut count = plan(&mut world, &mut random);
    for _ in 0..pick(&mut random, 6) {
        world.run(ms(pick(&mut random, 12_000)));
        world.crash();
        if pick(&mut random, 3) == 0 {
            world.command(Command::Pause { reason: "why not".into() });
            world.run(ms(pick(&mut random, 3000)));
            world.command(Command::Resume);
        }
    }
    // A resume that a crash overtook is not durable: the operator sees it, and says it again.
    world.command(Command::Resume);
    // Healthy traffic afterwards is the witness that poison is poison; an operator skips what the
    // policy keeps for operators. Poison at the head of each partition cannot be told from an
    // outage by anybody else, either.
    for _ in 0..60 {
        // What is shed comes again within ten seconds.
        if world.run_to_end(secs(if gated { 11 } else { 1 })) {
            break;
        }
        world.traffic(40, ms(200), 12);
        count += 40;
        world.run(secs(12));
        if policy.when_exhausted == Exhausted::ParkKey || policy.order == Order::Partition {
            let view = world.sub.view(world.now);
            let kept = view.lanes.into_iter().map(|lane| lane.at);
            let poison = world.sub.pending().into_iter().map(|(at, _)| at).filter(|at| world.is_poison(at));
            let stuck: Vec<_> = kept.chain(poison).collect();
            stuck.into_iter().for_each(|at| world.command(Command::SkipAt(at)));
        }
    }
    // The last of the traffic has its time as well.
    world.run_to_end(secs(600));
    check(seed, &mut world, &policy, count);
}

fn check(seed: u64, world: &mut World, policy: &Policy, count: u64) {
    let stuck = || format!("seed {seed}: {:#?} {policy:?}", world.sub.view(world.now));
    assert!(world.open() == 0, "{}", stuck());
    assert_eq!(world.ended().len() as u64, count, "seed {seed}");
    for (id, entry) in world.ended() {
        let handled = matches!(entry.outcome, Outcome::Completed | Outcome::Dead | Outcome::Dropped);
        let skipped = entry.failure.as_ref().is_some_and(|f| f.reason == "operator");
        assert!(skipped || handled == (entry.deliveries > 0), "seed {seed}: {id} {entry:?}");
        if entry.outcome == Outcome::Dead {
            let reason = entry.failure.as_ref().map(|f| f.reason.clone()).unwrap_or_default();
            assert!(
                ["rejected", "attempts_exhausted", "max_age", "operator"].contains(&reason.as_str()),
                "seed {seed}"
            );
            let at_fault = id.starts_with("poison") || id.starts_with("reject") || reason == "operator";
            let spent = entry.attempts >= policy.retry.attempts || reason == "max_age" && entry.deliveries > 1;
            assert!(at_fault || spent, "seed {seed}: {id} died healthy: {entry:?}");
        }
        if world.lives == 1 && entry.outcome != Outcome::Duplicate {
            // What is shed is put off without having been delivered.
            let (came, went) = (entry.deliveries, entry.attempts + entry.deferrals);
            assert!(came == went || world.class_of.is_some() && came < went, "seed {seed}: {id}");
        }
    }
    let mut overdue: HashMap<(u64, u64), usize> = HashMap::new();
    for fact in &world.facts {
        if let crate::Fact::Overdue { shard, entry } = fact {
            *overdue.entry((entry.offset * 4 + u64::from(shard.partition), entry.threshold_us)).or_default() += 1;
        }
    }
    assert!(overdue.values().all(|n| *n == 1), "seed {seed}: told twice that an event is overdue");
    assert_eq!(world.sub.pending().len(), world.open(), "seed {seed}");
}

/// Poison at the head of every lane at hand; retries that took each turn before a witness's; what was shed as the
/// evidence for shedding what came behind it; poison that widened a breaker, and opened it again, at every end of an outage.
#[test]
fn worlds_that_once_stuck_do_not() {
    [793, 2412, 2926, 4458, 4497].into_iter().for_each(live);
}

#[test]
fn whatever_happens_each_event_ends_once_in_order_with_a_reason_and_nothing_sticks() {
    let seeds = std::env::var("EVENKEEL_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        live(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let story = |seed: u64| {
        let mut world = World::new(policy(), any_handler(seed, secs(30)));
        plan(&mut world, &mut Random::new(seed));
        world.run(secs(60));
        format!("{:?}", world.facts)
    };
    assert_eq!(story(5), story(5));
    assert_ne!(story(5), story(6));
}
