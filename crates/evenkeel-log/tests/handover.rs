//! The hand-over between appenders and the log's threads, in every order that their steps can
//! take (loom): the same source as the log's, with the model checker's locks.
//!
//! What is claimed in each: every job is taken, once; nobody sleeps for ever. Loom's condition
//! variables have no time-outs, so nothing here is saved by one. Orders with up to three preemptions
//! are tried, which finds nearly all faults (Musuvathi and Qadeer, PLDI 2007) in seconds.

#[path = "../src/handover.rs"]
#[expect(dead_code, reason = "the model needs no more of it")]
mod handover;

/// The model checker's locks, where the log has those of the machine.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
}

use std::collections::VecDeque;
use std::sync::Arc as Unmodelled;
use std::task::{Wake, Waker};

use handover::{Handover, Load, Refused, Turn};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// Rings once for each job that is written, and for each wake.
#[derive(Default)]
struct Bell {
    rung: Mutex<usize>,
    news: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().expect("no panic") += 1;
        self.news.notify_one();
    }

    /// Sleeps until it rang that often.
    fn wait(&self, times: usize) {
        let mut rung = self.rung.lock().expect("no panic");
        while *rung < times {
            rung = self.news.wait(rung).expect("no panic");
        }
        assert_eq!(*rung, times, "a job was written twice");
    }
}

impl Wake for Bell {
    fn wake(self: Unmodelled<Self>) {
        let mut rung = self.rung.lock().expect("no panic");
        *rung = 1;
        self.news.notify_one();
    }
}

/// A job that rings when it is written.
struct Parcel {
    bytes: usize,
    written: Arc<Bell>,
}

impl Load for Parcel {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn lane(&self) -> u64 {
        0
    }
}

struct Rig {
    handover: Handover<Parcel>,
    /// What joined the next turn.
    gathering: Mutex<VecDeque<Parcel>>,
}

impl Rig {
    fn new(bytes_max: usize) -> Arc<Rig> {
        Arc::new(Rig { handover: Handover::new(bytes_max), gathering: Mutex::default() })
    }

    /// What whoever has a turn does.
    fn turn(&self) {
        let mut gathering = self.gathering.lock().expect("no panic");
        let mut jobs = std::mem::take(&mut *gathering);
        self.handover.take(1 << 20, &mut jobs);
        drop(gathering);
        for job in jobs {
            job.written.ring();
        }
        self.handover.end_turns(1);
    }

    /// An appender that writes itself if it may, or tells a thread of the log, and then sleeps until
    /// its job is written.
    fn append(&self, itself: bool) {
        let written = Arc::new(Bell::default());
        let parcel = Parcel { bytes: 10, written: written.clone() };
        assert!(self.handover.offer(parcel).is_ok());
        if itself && self.handover.try_turn() {
            self.turn();
        } else {
            self.handover.tell();
        }
        written.wait(1);
    }

    /// An appender that joins the next turn if there is one to come, or writes itself, or tells.
    fn join(&self, fits: bool) {
        let written = Arc::new(Bell::default());
        let parcel = Parcel { bytes: 10, written: written.clone() };
        let mut gathering = self.gathering.lock().expect("no panic");
        let mut jobs = VecDeque::new();
        let joined = self.handover.join(1 << 20, parcel, &mut jobs);
        if joined.is_ok() && fits {
            gathering.append(&mut jobs);
        } else if joined.is_ok() {
            self.handover.unjoin(jobs.len(), jobs);
        }
        drop(gathering);
        if let Err(parcel) = joined {
            assert!(self.handover.offer(parcel).is_ok());
            if self.handover.try_turn() { self.turn() } else { self.handover.tell() }
        }
        written.wait(1);
    }

    /// Starts a thread of the log.
    fn server(rig: &Arc<Rig>) -> thread::JoinHandle<()> {
        let rig = rig.clone();
        thread::spawn(move || rig.serve())
    }

    /// A thread of the log, until all is closed.
    fn serve(&self) {
        loop {
            match self.handover.next_turn(None) {
                Turn::Taken => self.turn(),
                Turn::Nudged | Turn::Idle => {}
                Turn::Closed => return,
            }
        }
    }
}

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

/// Two appenders and a thread of the log; then it closes.
fn appenders_and_a_thread(depth: usize, themselves: bool) {
    model(move || {
        let rig = Rig::new(1 << 20);
        rig.handover.set_depth(depth);
        let server = Rig::server(&rig);
        let appender = thread::spawn({
            let rig = rig.clone();
            move || rig.append(themselves)
        });
        rig.append(themselves);
        appender.join().expect("the appender ends");
        assert!(rig.handover.close("closed", false).is_empty());
        server.join().expect("the thread ends");
    });
}

#[test]
fn every_job_is_written_when_appenders_write_themselves() {
    appenders_and_a_thread(1, true);
}

#[test]
fn every_job_is_written_with_two_turns_at_a_time() {
    appenders_and_a_thread(2, true);
}

#[test]
fn every_job_is_written_by_the_sleeping_thread_when_appenders_only_tell() {
    appenders_and_a_thread(1, false);
}

/// One appender writes itself or tells; one joins whatever turn is to come; a thread of the log.
fn one_that_joins(fits: bool) {
    model(move || {
        let rig = Rig::new(1 << 20);
        let server = Rig::server(&rig);
        let appender = thread::spawn({
            let rig = rig.clone();
            move || rig.append(true)
        });
        rig.join(fits);
        appender.join().expect("the appender ends");
        assert!(rig.handover.close("closed", false).is_empty());
        server.join().expect("the thread ends");
    });
}

#[test]
fn a_job_that_joins_the_next_turn_is_written() {
    one_that_joins(true);
}

#[test]
fn a_job_that_finds_no_room_there_is_written() {
    one_that_joins(false);
}

#[test]
fn what_waits_is_written_before_the_thread_ends() {
    model(|| {
        let rig = Rig::new(1 << 20);
        let server = Rig::server(&rig);
        let written = Arc::new(Bell::default());
        assert!(rig.handover.offer(Parcel { bytes: 10, written: written.clone() }).is_ok());
        assert!(rig.handover.close("closed", false).is_empty());
        server.join().expect("the thread ends");
        written.wait(1);
    });
}

#[test]
fn the_thread_ends_though_an_appender_has_a_turn_when_it_closes() {
    model(|| {
        let rig = Rig::new(1 << 20);
        let written = Arc::new(Bell::default());
        assert!(rig.handover.offer(Parcel { bytes: 10, written: written.clone() }).is_ok());
        assert!(rig.handover.try_turn());
        let server = Rig::server(&rig);
        let appender = thread::spawn({
            let rig = rig.clone();
            move || rig.turn()
        });
        rig.handover.close("closed", false);
        server.join().expect("the thread ends");
        appender.join().expect("the appender ends");
        written.wait(1);
    });
}

#[test]
fn an_appender_without_room_is_woken_when_there_is_some() {
    model(|| {
        let rig = Rig::new(10);
        let written = Arc::new(Bell::default());
        let mut parcel = Parcel { bytes: 10, written: written.clone() };
        assert!(rig.handover.offer(Parcel { bytes: 10, written: written.clone() }).is_ok());
        let server = Rig::server(&rig);
        rig.handover.tell();
        let mut seat = None;
        loop {
            let bell = Unmodelled::new(Bell::default());
            match rig.handover.offer_or_sit(parcel, &mut seat, &Waker::from(bell.clone())) {
                Ok(()) => break,
                Err(Refused::Full(back)) => parcel = back,
                Err(Refused::Closed(..)) => panic!("nobody closed it"),
            }
            bell.wait(1);
        }
        rig.handover.tell();
        written.wait(2);
        rig.handover.close("closed", false);
        server.join().expect("the thread ends");
    });
}
