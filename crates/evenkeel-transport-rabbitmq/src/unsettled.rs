//! Which deliveries of a channel are not acknowledged yet, so that many are acknowledged by one word.
//!
//! An acknowledgement of several is of all up to a tag. It is said only when every delivery up to there is to be
//! acknowledged: what is still owed is never among them, whichever channel came in between. Each is work of the server: of a quorum queue, an entry of its log.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The tags of one channel at a time, which has a number.
#[derive(Default)]
pub(crate) struct Unsettled(Mutex<(u64, BTreeSet<u64>)>);

impl Unsettled {
    /// Another channel: its tags begin anew.
    pub(crate) fn begin(&self, channel: u64) {
        *self.known() = (channel, BTreeSet::new());
    }

    pub(crate) fn add(&self, channel: u64, tag: u64) {
        let mut known = self.known();
        if known.0 == channel {
            known.1.insert(tag);
        }
    }

    /// What is to be said over that channel when these are done with: tags, and whether each stands for all before it as
    /// well. Of a channel that is not the present one nothing is known: then each stands for itself.
    pub(crate) fn acks(&self, channel: u64, mut done: Vec<u64>) -> Vec<(u64, bool)> {
        let mut known = self.known();
        done.sort_unstable();
        let all_before = match known.0 == channel {
            true => known.1.iter().zip(&done).take_while(|(tag, done)| tag == done).count(),
            false => 0,
        };
        if known.0 == channel {
            done.iter().for_each(|tag| {
                known.1.remove(tag);
            });
        }
        drop(known);
        let one_by_one = done.split_off(all_before);
        let several = done.last().map(|tag| (*tag, true));
        several.into_iter().chain(one_by_one.into_iter().map(|tag| (tag, false))).collect()
    }

    fn known(&self) -> MutexGuard<'_, (u64, BTreeSet<u64>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Unsettled;

    #[test]
    fn one_word_is_of_all_up_to_there_and_never_of_what_is_still_owed() {
        let unsettled = Unsettled::default();
        unsettled.begin(7);
        (1..=10).for_each(|tag| unsettled.add(7, tag));
        assert_eq!(unsettled.acks(7, vec![3, 1, 2, 5, 8]), [(3, true), (5, false), (8, false)]);
        assert_eq!(unsettled.acks(7, vec![6, 7]), [(6, false), (7, false)], "4 is owed");
        assert_eq!(unsettled.acks(7, vec![4]), [(4, true)]);
        assert_eq!(unsettled.acks(7, vec![9, 10]), [(10, true)]);
        assert_eq!(unsettled.acks(7, Vec::new()), []);
    }

    #[test]
    fn a_late_word_of_the_channel_before_takes_nothing_from_the_next_one() {
        let unsettled = Unsettled::default();
        unsettled.begin(7);
        (1..=3).for_each(|tag| unsettled.add(7, tag));
        unsettled.begin(8);
        unsettled.add(7, 4);
        (1..=3).for_each(|tag| unsettled.add(8, tag));
        assert_eq!(unsettled.acks(7, vec![1, 2]), [(1, false), (2, false)]);
        assert_eq!(unsettled.acks(8, vec![3]), [(3, false)], "1 and 2 of this channel are owed");
        assert_eq!(unsettled.acks(8, vec![1, 2]), [(2, true)]);
    }
}
