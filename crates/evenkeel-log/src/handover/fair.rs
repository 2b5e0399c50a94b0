//! The order in which jobs are taken: as they came while all of them fit into a group; beyond
//! that, lanes take turns, so that a bulk loader's lane does not keep the others waiting
//! (deficit round robin; Shreedhar and Varghese, SIGCOMM 1995).
//!
//! Invariant: jobs of one lane stay in order. Each job is sorted into its lane once at most.

use std::collections::{HashMap, VecDeque};

use super::Load;

/// What a lane may take before the next one has its turn.
const QUANTUM: usize = 64 << 10;

/// Jobs, and how they are shared out.
pub(super) struct Fair<J> {
    /// As they came; all of them later than what is in a lane.
    arrived: VecDeque<J>,
    lanes: HashMap<u64, Lane<J>>,
    /// Lanes that have jobs; the first one has its turn.
    ring: VecDeque<u64>,
    sorted: usize,
    bytes: usize,
}

struct Lane<J> {
    jobs: VecDeque<J>,
    /// What it may still take before its turn is over.
    credit: usize,
}

impl<J: Load> Fair<J> {
    pub(super) fn new() -> Fair<J> {
        Fair { arrived: VecDeque::new(), lanes: HashMap::new(), ring: VecDeque::new(), sorted: 0, bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.arrived.len() + self.sorted
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, job: J) {
        self.bytes += job.bytes();
        self.arrived.push_back(job);
    }

    /// True when all of them are no more than `bytes`, and none had to be sorted.
    pub(super) fn can_take_all(&self, bytes: usize) -> bool {
        self.sorted == 0 && self.bytes <= bytes
    }

    /// Jobs of `bytes` in all, or one that is larger.
    pub(super) fn take(&mut self, bytes: usize, into: &mut VecDeque<J>) {
        if self.sorted == 0 && self.bytes <= bytes {
            self.bytes = 0;
            if into.is_empty() {
                std::mem::swap(&mut self.arrived, into);
            } else {
                into.append(&mut self.arrived);
            }
            return;
        }
        self.sort();
        let mut left = bytes;
        while let Some(job) = self.next(left, left == bytes) {
            left = left.saturating_sub(job.bytes());
            into.push_back(job);
        }
    }

    /// Jobs that were the last to be taken are the first again.
    pub(super) fn put_back(&mut self, mut jobs: VecDeque<J>) {
        self.bytes += jobs.iter().map(Load::bytes).sum::<usize>();
        if self.sorted == 0 {
            jobs.append(&mut self.arrived);
            self.arrived = jobs;
            return;
        }
        while let Some(job) = jobs.pop_back() {
            let number = job.lane();
            let lane = self.lanes.entry(number).or_insert_with(|| {
                self.ring.push_front(number);
                Lane { jobs: VecDeque::new(), credit: QUANTUM }
            });
            lane.jobs.push_front(job);
            self.sorted += 1;
        }
    }

    fn sort(&mut self) {
        while let Some(job) = self.arrived.pop_front() {
            let number = job.lane();
            let lane = self.lanes.entry(number).or_insert_with(|| {
                self.ring.push_back(number);
                Lane { jobs: VecDeque::new(), credit: QUANTUM }
            });
            lane.jobs.push_back(job);
            self.sorted += 1;
        }
    }

    /// The next job in turn; `None` when it does not fit, unless it must be taken.
    fn next(&mut self, left: usize, must: bool) -> Option<J> {
        loop {
            let number = *self.ring.front()?;
            let lane = self.lanes.get_mut(&number)?;
            let Some(job) = lane.jobs.front() else {
                self.lanes.remove(&number);
                self.ring.pop_front();
                continue;
            };
            let bytes = job.bytes();
            if bytes > left && !must {
                return None;
            }
            if bytes > lane.credit {
                lane.credit += QUANTUM;
                self.ring.rotate_left(1);
                continue;
            }
            lane.credit -= bytes;
            self.sorted -= 1;
            self.bytes -= bytes;
            return lane.jobs.pop_front();
        }
    }
}
