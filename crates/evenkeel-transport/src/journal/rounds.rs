//! What was written of the journal by this process, and is not put aside yet.
//!
//! It counts bytes, and remembers at which offset each round is. Invariant: a round counts as
//! sealed only when all its records lie below what is sealed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is not put aside yet.
pub(super) struct Rounds {
    seal_bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Bytes of journal since it was put aside last.
    bytes: u64,
    /// After so many it is put aside.
    due: u64,
    /// True while somebody is at it.
    at_work: bool,
    /// Rounds and their offsets, oldest first; a round may have several.
    written: VecDeque<(u64, u64)>,
    /// The newest round that is sealed.
    sealed: u64,
}

impl Rounds {
    pub(super) fn new(seal_bytes: u64) -> Rounds {
        Rounds { seal_bytes, state: Mutex::new(State { due: seal_bytes, ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The journal has so many bytes more.
    pub(super) fn grew(&self, bytes: usize) {
        self.state().bytes += bytes as u64;
    }

    /// A round, or a part of one, is at that offset.
    pub(super) fn wrote(&self, round: u64, offset: u64, bytes: usize) {
        let mut state = self.state();
        state.bytes += bytes as u64;
        state.written.push_back((round, offset));
    }

    /// True when it is time; then it is the caller's to put it aside, and to say
    /// [`Rounds::sealed`].
    pub(super) fn is_due(&self) -> bool {
        let mut state = self.state();
        let due = state.bytes >= state.due && !state.at_work;
        state.at_work |= due;
        due
    }

    /// It was put aside, in a snapshot of that size; or not (`None`), and is tried again after as
    /// much more.
    pub(super) fn sealed(&self, size: Option<usize>) {
        let mut state = self.state();
        (state.at_work, state.bytes) = (false, 0);
        // A large snapshot is written seldom: it costs as much to write as to read twice.
        state.due = self.seal_bytes.max(2 * size.unwrap_or(0) as u64);
    }

    /// The newest round all of which lies below this offset.
    pub(super) fn sealed_below(&self, end: u64) -> u64 {
        let mut state = self.state();
        while let Some((round, _)) = state.written.pop_front_if(|(_, offset)| *offset < end) {
            state.sealed = round;
        }
        let begun = state.written.front().map(|(round, _)| *round);
        if begun == Some(state.sealed) { state.sealed.saturating_sub(1) } else { state.sealed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_of_several_records_is_sealed_with_its_last_one() {
        let rounds = Rounds::new(10);
        for (round, offset) in [(1, 5), (2, 6), (2, 9), (3, 10)] {
            rounds.wrote(round, offset, 1);
        }
        let sealed: Vec<u64> = [0, 5, 6, 7, 9, 10, 11, 50].map(|end| rounds.sealed_below(end)).to_vec();
        assert_eq!(sealed, [0, 0, 1, 1, 1, 2, 3, 3]);
    }

    #[test]
    fn it_is_due_once_and_a_large_snapshot_is_written_seldom() {
        let rounds = Rounds::new(10);
        rounds.grew(9);
        assert!(!rounds.is_due());
        rounds.wrote(1, 0, 1);
        assert_eq!((rounds.is_due(), rounds.is_due()), (true, false), "one at a time");
        rounds.sealed(Some(50));
        rounds.grew(99);
        assert!(!rounds.is_due());
        rounds.grew(1);
        assert!(rounds.is_due());
        rounds.sealed(None);
        rounds.grew(10);
        assert!(rounds.is_due(), "what failed is tried again");
    }
}
