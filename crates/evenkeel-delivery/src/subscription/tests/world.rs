//! A small world around the core: a log, a handler, a journal that takes its time, and a clock.
//!
//! It drives the core as the runtime does, and checks at each step what must always hold: one
//! event of a key at the handler, the next one only after the commit, one outcome per event,
//! at most one commit outstanding.

mod looking;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::ledger::{AttemptFailed, Ended, Overdue};
use evenkeel_model::{Created, Failure, FailureClass, Outcome, Position, Shard, Timestamp, Verdict};

use super::super::events::State;
use crate::*;

pub(super) const TOPIC: &str = "orders";

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn start() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}

/// What the handler is asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) since_start: Duration,
    pub(super) key: String,
    pub(super) id: String,
    pub(super) dispatch: Dispatch,
}

pub(super) type Handle = Box<dyn FnMut(&Asked) -> (Duration, Verdict)>;

/// Partition, key, id, and what the source finds.
type Planned = (u32, Option<String>, String, Screen);

pub(super) struct World {
    pub(super) sub: Subscription,
    pub(super) policy: Policy,
    pub(super) now: Timestamp,
    pub(super) handle: Handle,
    pub(super) commit_takes: Duration,
    pub(super) asked: Vec<Asked>,
    /// Durable facts of this and earlier lives, in order.
    pub(super) facts: Vec<Fact>,
    pub(super) alarms: Vec<Alarm>,
    pub(super) rounds: Vec<Round>,
    pub(super) lives: u64,
    /// So often it was looked for something to read.
    looked: usize,
    /// Attempts run inside the process.
    pub(super) here: bool,
    /// Ids of events whose records are gone when an attempt at them ends.
    pub(super) gone: Vec<String>,
    /// How long after it was appended an event expires.
    pub(super) expires_after: Option<Duration>,
    /// The size and the priority of what is appended.
    pub(super) bytes: u32,
    pub(super) priority: u8,
    pub(super) version: Version,
    /// Times that a broker gave what is appended.
    pub(super) given_before: u32,
    /// The priority by the id, in the place of that one.
    pub(super) class_of: Option<fn(&str) -> u8>,
    log: BTreeMap<Shard, Vec<Arrival>>,
    ids: HashMap<Position, String>,
    /// How many events share an identity.
    marks: HashMap<Mark, usize>,
    /// Of each key, the events without an outcome, in order.
    lanes: HashMap<Bytes, VecDeque<Position>>,
    planned: BTreeMap<(Timestamp, u64), Planned>,
    plans: u64,
    read: HashMap<Shard, u64>,
    flights: BTreeMap<(Timestamp, AttemptId), (Position, Verdict, Duration)>,
    commit: Option<(Timestamp, Round)>,
    journal: Vec<Bytes>,
    wake: Option<Timestamp>,
    /// The events of the dead letters, by offset.
    letters: Vec<Position>,
    bringing: Option<(Timestamp, Bring)>,
    at_handler: HashMap<(Arc<str>, Bytes), Position>,
    ended: HashMap<Position, Outcome>,
    /// Of the present life: what may be at the handler, and the suspect that is to be there alone.
    begun: HashSet<Position>,
    alone: Option<Position>,
    /// The dependency that it shares with other worlds, and its number there.
    pub(super) shared: Option<Bank>,
    pub(super) member: Member,
}

pub(super) type Bank = std::rc::Rc<std::cell::RefCell<super::sharing::Shared>>;

pub(super) fn always(verdict: Verdict) -> Handle {
    Box::new(move |_| (ms(5), verdict.clone()))
}

pub(super) fn status(status: u16) -> Verdict {
    let class = match status {
        429 | 503 => FailureClass::Overload,
        410 => FailureClass::Gone,
        400 | 422 => FailureClass::Rejected,
        300..=404 => FailureClass::Refused,
        _ => FailureClass::Failed,
    };
    failed(class, Some(status), false)
}

pub(super) fn unreachable() -> Verdict {
    failed(FailureClass::Unreachable, None, true)
}

pub(super) fn timed_out() -> Verdict {
    failed(FailureClass::Failed, None, true)
}

fn failed(class: FailureClass, status: Option<u16>, unanswered: bool) -> Verdict {
    Verdict::Failed(Failure { class, status, unanswered, retry_after: None, message: format!("it failed: {status:?}") })
}

pub(super) fn retry_after(code: u16, after: Duration) -> Verdict {
    match status(code) {
        Verdict::Failed(f) => Verdict::Failed(Failure { retry_after: Some(after), ..f }),
        other => other,
    }
}

/// A policy with short times, so that a test covers many of them.
pub(super) fn policy() -> Policy {
    Policy {
        retry: RetrySchedule { attempts: 3, initial: ms(200), factor: 4.0, max: secs(10), ..RetrySchedule::default() },
        handler_breaker: BreakerPolicy {
            window: secs(10),
            open: secs(5),
            open_max: Some(secs(5)),
            ..BreakerPolicy::default()
        },
        ..Policy::default()
    }
}

impl World {
    pub(super) fn new(policy: Policy, handle: Handle) -> World {
        let mut world = World {
            sub: Subscription::new(policy.clone(), 1),
            policy,
            now: start(),
            handle,
            commit_takes: ms(1),
            asked: Vec::new(),
            facts: Vec::new(),
            alarms: Vec::new(),
            rounds: Vec::new(),
            lives: 1,
            looked: 0,
            here: false,
            gone: Vec::new(),
            expires_after: None,
            bytes: 100,
            priority: 4,
            version: Version::None,
            given_before: 0,
            class_of: None,
            log: BTreeMap::new(),
            ids: HashMap::new(),
            marks: HashMap::new(),
            lanes: HashMap::new(),
            planned: BTreeMap::new(),
            plans: 0,
            read: HashMap::new(),
            flights: BTreeMap::new(),
            commit: None,
            journal: Vec::new(),
            wake: None,
            letters: Vec::new(),
            bringing: None,
            at_handler: HashMap::new(),
            ended: HashMap::new(),
            begun: HashSet::new(),
            alone: None,
            shared: None,
            member: Member(0),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        let shards: Vec<(Shard, u64)> = (0..4).map(|p| (Shard::new(TOPIC, p), 0)).collect();
        for (shard, from) in &shards {
            let at = self.sub.resume_at(shard, *from);
            self.read.insert(shard.clone(), at);
        }
        self.tell(Input::Started(shards));
    }

    /// Publishes now. The id is the identity.
    pub(super) fn publish(&mut self, partition: u32, key: &str, id: &str) {
        self.plan(Duration::ZERO, partition, Some(key), id, Screen::Wanted);
        self.run(Duration::ZERO);
    }

    /// Publishes `after` from now.
    pub(super) fn plan(&mut self, after: Duration, partition: u32, key: Option<&str>, id: &str, screen: Screen) {
        self.plans += 1;
        let what = (partition, key.map(str::to_owned), id.to_owned(), screen);
        self.planned.insert((self.now + after, self.plans), what);
    }

    /// `count` events, one each `every` from now on, over `keys` keys and four partitions.
    pub(super) fn traffic(&mut self, count: u64, every: Duration, keys: u64) {
        for i in 0..count {
            let key = format!("k{}", i % keys);
            let partition = u32::try_from(i % keys % 4).unwrap();
            let after = every.saturating_mul(u32::try_from(i).unwrap());
            self.plan(after, partition, Some(&key), &format!("e{}-{i}", self.plans), Screen::Wanted);
        }
    }

    fn append(&mut self, partition: u32, key: Option<String>, id: String, screen: Screen) {
        let shard = Shard::new(TOPIC, partition);
        let records = self.log.entry(shard.clone()).or_default();
        let at = Position { shard, offset: records.len() as u64 };
        self.ids.insert(at.clone(), id.clone());
        let mark = Mark::of("sub", "/world", &id);
        *self.marks.entry(mark).or_insert(0) += 1;
        if let (Some(key), Screen::Wanted) = (&key, &screen) {
            self.lanes.entry(Bytes::from(key.clone())).or_default().push_back(at.clone());
        }
        records.push(Arrival {
            at,
            key: key.map(Bytes::from),
            mark,
            created: Created { at: self.now, believed: true },
            expires: self.expires_after.map(|after| self.now + after),
            bytes: self.bytes,
            priority: self.class_of.map_or(self.priority, |of| of(&id)),
            kind: Arc::from("OrderCreated"),
            source: Arc::from("/world"),
            version: self.version.clone(),
            given_before: self.given_before,
            screen,
        });
    }

    /// Lets time pass, with all that happens in it.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.read_on();
            let times = [
                self.planned.first_key_value().map(|(k, _)| k.0),
                self.flights.first_key_value().map(|(k, _)| k.0),
                self.commit.as_ref().map(|c| c.0),
                self.bringing.as_ref().map(|b| b.0),
                self.wake,
            ];
            let Some(next) = times.into_iter().flatten().min().filter(|t| *t <= until) else { break };
            self.now = self.now.max(next);
            self.happen(next);
        }
        self.now = until;
    }

    /// Runs until every event has its outcome; false when that does not happen within `limit`.
    pub(super) fn run_to_end(&mut self, limit: Duration) -> bool {
        let until = self.now + limit;
        while self.now < until {
            self.run(ms(500));
            if self.planned.is_empty() && self.open() == 0 && self.sub.is_idle() {
                return true;
            }
        }
        false
    }

    fn happen(&mut self, at: Timestamp) {
        if let Some(plan) = self.planned.first_entry().filter(|p| p.key().0 <= at) {
            let (partition, key, id, screen) = plan.remove();
            self.append(partition, key, id, screen);
        } else if self.commit.as_ref().is_some_and(|c| c.0 <= at) {
            if let Some((_, round)) = self.commit.take() {
                self.durable(round);
            }
        } else if let Some((_, bring)) = self.bringing.take_if(|b| b.0 <= at) {
            self.bring(bring);
        } else if let Some(flight) = self.flights.first_entry().filter(|f| f.key().0 <= at) {
            let ((_, attempt), (at, verdict, took)) = flight.remove_entry();
            self.at_handler.retain(|_, p| *p != at);
            if self.gone.contains(&self.ids[&at]) {
                return self.tell(Input::Gone { attempt, why: "it was taken away".to_owned() });
            }
            let emitted = u32::from(verdict == Verdict::Ack);
            self.tell(Input::Finished { attempt, verdict, emitted, handler_version: None, took });
        } else {
            self.wake = None;
            self.tell(Input::Timer);
        }
    }

    fn durable(&mut self, round: Round) {
        self.journal.push(encode_journal(&round.facts));
        for fact in &round.facts {
            if let Fact::Ended { shard, entry, .. } = fact {
                let at = Position { shard: shard.clone(), offset: entry.offset };
                let before = self.ended.insert(at.clone(), entry.outcome);
                assert_eq!(before, None, "{at:?} has two outcomes");
                if entry.outcome == Outcome::Dead {
                    self.letters.push(at);
                }
            }
            if let Fact::Redriven(redriven) = fact {
                self.open_again(redriven);
            }
            self.note_begun(fact);
        }
        self.facts.extend(round.facts.iter().cloned());
        let number = round.number;
        self.rounds.push(round);
        self.tell(Input::Committed { round: number });
    }

    fn read_on(&mut self) {
        let mut shards: Vec<Shard> = self.log.keys().cloned().collect();
        // None is asked first each time: a few events more may be all that is wanted.
        let first = self.looked % shards.len().max(1);
        shards.rotate_left(first);
        self.looked += 1;
        for shard in shards {
            let from = usize::try_from(self.read[&shard]).unwrap();
            let credit = if self.sub.reads_from(&shard, 0).is_some() { self.sub.credit() } else { 0 };
            let records = &self.log[&shard];
            let batch: Vec<Arrival> = records.iter().skip(from).take(credit.min(100)).cloned().collect();
            if !batch.is_empty() {
                self.read.insert(shard.clone(), (from + batch.len()) as u64);
                self.tell(Input::Arrived(batch));
            }
        }
    }

    /// From now on its dependencies are shared with other worlds. Said before anything else.
    pub(super) fn join(&mut self, bank: &Bank, member: u64) {
        (self.shared, self.member) = (Some(bank.clone()), Member(member));
        self.join_again();
    }

    fn join_again(&mut self) {
        let Some(bank) = self.shared.clone() else { return };
        self.sub.share_dependencies(false);
        for (_, _, mark) in self.sub.shared_dependencies() {
            bank.borrow_mut().join(self.now, self.member, &mark);
        }
        self.hear();
    }

    /// Takes in what the shared dependency told it.
    pub(super) fn hear(&mut self) {
        let Some(bank) = self.shared.clone() else { return };
        loop {
            let Some(news) = bank.borrow_mut().news(self.member) else { return };
            self.tell(Input::Dependency { name: Arc::from("bank"), news });
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        self.tell(Input::Command(command));
    }

    pub(super) fn tell(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.sub.step(self.now, input, &mut actions);
        if self.sub.seq.is_multiple_of(16) {
            self.check_view();
        }
        for action in actions {
            match action {
                Action::Dispatch(dispatch) => self.dispatch(dispatch),
                Action::Commit(round) => {
                    assert!(self.commit.is_none(), "two commits are outstanding");
                    self.commit = Some((self.now + self.commit_takes, round));
                }
                Action::Wake(at) => self.wake = Some(at),
                Action::Alarm(alarm) => self.alarms.push(alarm),
                Action::Bring(bring) => {
                    assert!(self.bringing.is_none(), "letters are asked for twice");
                    self.bringing = Some((self.now + ms(1), bring));
                }
                Action::Dependency { name, report } => {
                    let shared = self.shared.clone().expect("its breakers are its own");
                    shared.borrow_mut().report(self.now, self.member, &name, report);
                }
            }
        }
    }

    /// What a view counts is what a walk over all finds.
    fn check_view(&self) {
        let (view, pending) = (self.sub.view(self.now), self.sub.pending());
        let parked = pending.iter().filter(|(_, parked)| *parked).count();
        let open = self.sub.events.iter().filter(|event| event.state != State::Ending);
        let flying = self.sub.events.iter().filter(|event| event.state == State::Flying).count();
        assert_eq!((view.in_flight, view.parked), (flying, parked));
        assert_eq!(view.in_flight + view.parked + view.queued, pending.len());
        assert_eq!(view.oldest, open.map(|event| event.created).min());
    }

    fn dispatch(&mut self, dispatch: Dispatch) {
        self.check_begun(&dispatch.at);
        let arrival = self.log[&dispatch.at.shard][usize::try_from(dispatch.at.offset).unwrap()].clone();
        assert_eq!(self.ended.get(&dispatch.at), None, "{:?} is handed out after its outcome", dispatch.at);
        if self.policy.order == Order::Key
            && let Some(key) = arrival.key.clone()
        {
            self.check_lane(&dispatch.at, &key);
            let busy = self.at_handler.insert((dispatch.at.shard.topic.clone(), key), dispatch.at.clone());
            assert_eq!(busy, None, "two events of a key are at the handler");
        }
        let key = arrival.key.as_ref().map_or_else(String::new, |k| String::from_utf8_lossy(k).into_owned());
        let id = self.ids[&dispatch.at].clone();
        let since_start = self.now.since(start());
        let asked = Asked { since_start, key, id, dispatch: dispatch.clone() };
        let (took, verdict) = (self.handle)(&asked);
        self.asked.push(asked);
        self.flights.insert((self.now + took, dispatch.attempt), (dispatch.at, verdict, took));
    }

    /// A dead event counts as one without an outcome again, before all that follow it.
    fn open_again(&mut self, redriven: &Redriven) {
        assert_eq!(self.ended.remove(&redriven.at), Some(Outcome::Dead), "{redriven:?} was not dead");
        assert_eq!(self.letters[usize::try_from(redriven.letter.offset).unwrap()], redriven.at);
        let key = self.arrival(&redriven.at).key;
        let lane = self.lanes.entry(key.unwrap_or_default()).or_default();
        lane.push_back(redriven.at.clone());
        lane.make_contiguous().sort();
    }

    fn arrival(&self, at: &Position) -> Arrival {
        self.log[&at.shard][usize::try_from(at.offset).unwrap()].clone()
    }

    /// Letters whose events' ids contain the selection.
    fn bring(&mut self, bring: Bring) {
        let shard = Shard::new("dead", 0);
        let letter = |offset: usize, at: &Position| Letter {
            at: Position { shard: shard.clone(), offset: offset as u64 },
            origin: at.clone(),
            arrival: Some(self.arrival(at)),
        };
        let (letters, over) = match bring {
            Bring::Again(places) => {
                (places.iter().map(|(l, at)| letter(usize::try_from(l.offset).unwrap(), at)).collect(), false)
            }
            Bring::Next { selection, until, after, max, .. } => {
                let all = self.letters.iter().enumerate().take(usize::try_from(until).unwrap());
                let meant = all.filter(|(_, at)| self.ids[*at].contains(&*selection) && Some(*at) > after.as_ref());
                let mut found: Vec<Letter> = meant.map(|(offset, at)| letter(offset, at)).collect();
                found.sort_by(|a, b| (&a.origin, b.at.offset).cmp(&(&b.origin, a.at.offset)));
                found.dedup_by(|b, a| a.origin == b.origin);
                let over = found.len() <= max;
                found.truncate(max);
                (found, over)
            }
        };
        self.tell(Input::Brought { letters, over, problem: None });
    }

    /// A redrive of all letters there are whose events' ids contain this.
    pub(super) fn redrive(&mut self, selection: &str, plan: impl FnOnce(&mut RedrivePlan)) {
        let mut wanted = RedrivePlan {
            id: Arc::from(format!("r{}", self.sub.redrives().jobs.len())),
            selection: Arc::from(selection),
            letters: Shard::new("dead", 0),
            until: self.letters.len() as u64,
            selected: self.letters.len() as u64,
            reason: "mended".to_owned(),
            canary: 0,
            every: Duration::ZERO,
            at_once: 64,
            stop_permille: 200,
            stop_min: 10,
            new_key: false,
            started_at: self.now,
        };
        plan(&mut wanted);
        self.command(Command::Redrive(RedriveCommand::Start(wanted)));
        self.run(Duration::ZERO);
    }

    pub(super) fn job(&self) -> Redrive {
        self.sub.redrives().jobs.last().expect("a redrive").clone()
    }

    fn note_begun(&mut self, fact: &Fact) {
        match fact {
            Fact::Open(Open::Among { shard, offsets }) => {
                let at = |offset: &u64| Position { shard: shard.clone(), offset: *offset };
                self.begun.extend(offsets.iter().map(at));
                self.alone = None;
            }
            Fact::Open(Open::Alone { at, .. } | Open::Suspect { at, .. }) => {
                self.begun.insert(at.clone());
                self.alone = Some(at.clone());
            }
            Fact::Pending(pending) => drop(self.begun.remove(&pending.at)),
            _ => {}
        }
    }

    /// Inside the process nothing begins that is not on record, and beside a suspect nothing at all.
    fn check_begun(&self, at: &Position) {
        if self.here {
            assert!(self.begun.contains(at), "{at:?} is not on record");
            let suspect = self.alone.as_ref().filter(|alone| self.flights.values().any(|(p, ..)| p == *alone));
            assert_eq!(suspect, None, "{at:?} runs beside a suspect");
            assert!(self.alone.as_ref() != Some(at) || self.flights.is_empty(), "{at:?} is not alone");
        }
    }

    /// Every earlier event of the key has its durable outcome, duplicates apart.
    fn check_lane(&mut self, at: &Position, key: &Bytes) {
        let World { lanes, ended, marks, log, .. } = self;
        let twin = |p: &Position| marks[&log[&p.shard][usize::try_from(p.offset).unwrap()].mark] > 1;
        let lane = lanes.get_mut(key).expect("it was appended");
        while lane.front().is_some_and(|p| ended.contains_key(p) || twin(p)) {
            lane.pop_front();
        }
        assert!(twin(at) || lane.front() == Some(at), "{at:?} overtakes {:?}", lane.front());
    }

    /// The process dies: what was not durable is gone. Another begins with what the journal has.
    pub(super) fn crash(&mut self) {
        self.lives += 1;
        self.flights.clear();
        self.at_handler.clear();
        self.commit = None;
        (self.begun, self.alone) = (HashSet::new(), None);
        self.bringing = None;
        self.wake = None;
        self.sub = Subscription::new(self.policy.clone(), self.lives);
        let remembered = self.journal.iter().flat_map(|r| decode_journal(r).expect("own bytes")).collect();
        if self.shared.is_some() {
            self.sub.share_dependencies(false);
        }
        if self.here {
            self.sub.runs_here();
        }
        self.sub.restore(self.now, remembered);
        self.join_again();
        self.begin();
    }

    /// A world whose attempts run inside the process.
    pub(super) fn inside(policy: Policy, handle: Handle) -> World {
        let mut world = World::new(policy, handle);
        world.here = true;
        world.run(secs(1));
        world.crash();
        world
    }
}
