//! How fast the next write-ahead file is made: a burst of zeros would keep appends waiting for the device, and
//! so would the flush behind it. So it is made in small pieces, with pauses, while there is time.
//!
//! There is time while four pieces are made for each that is used of the file before it: making begins
//! when half is used, and has no pauses when three quarters are. An idle log makes it as well, a
//! little at a time. Invariant: whoever closes the log, or needs the next file now, waits for one
//! pause at most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::ticket::held;

/// So much is written between two pauses.
pub(super) const PIECE: usize = 256 << 10;
/// 64 MiB/s, while nobody is in a hurry.
const PAUSE: Duration = Duration::from_millis(4);
/// Shares are counted in this.
const WHOLE: u64 = 1 << 16;

pub(super) struct Pace {
    /// The share of the newest file that is used; all of it, as long as nobody said.
    used: AtomicU64,
    /// The log is being closed.
    closing: Mutex<bool>,
    told: Condvar,
    /// Pauses, counted where nobody should trust a clock.
    #[cfg(test)]
    pauses: AtomicU64,
}

impl Pace {
    pub(super) fn new() -> Pace {
        Pace {
            used: AtomicU64::new(WHOLE),
            closing: Mutex::default(),
            told: Condvar::new(),
            #[cfg(test)]
            pauses: AtomicU64::default(),
        }
    }

    /// So much of the newest file is used.
    pub(super) fn used(&self, at: u64, size: u64) {
        self.used.store(share(at, size), Ordering::Relaxed);
    }

    /// No more pauses.
    pub(super) fn hurry(&self) {
        *held(&self.closing) = true;
        self.told.notify_all();
    }

    /// Pauses, if there is time: `made` of `size` bytes are there. True when it did.
    pub(super) fn pause(&self, made: u64, size: u64) -> bool {
        let closing = held(&self.closing);
        let pauses = !*closing && has_time(self.used.load(Ordering::Relaxed), share(made, size));
        if pauses {
            #[cfg(test)]
            self.pauses.fetch_add(1, Ordering::Relaxed);
            drop(self.told.wait_timeout(closing, PAUSE));
        }
        pauses
    }
}

#[cfg(test)]
impl Pace {
    /// How often somebody paused.
    pub(super) fn pauses(&self) -> u64 {
        self.pauses.load(Ordering::Relaxed)
    }
}

fn share(at: u64, size: u64) -> u64 {
    at.saturating_mul(WHOLE) / size.max(1)
}

/// From the half on, four pieces are made for each that is used.
fn has_time(used: u64, made: u64) -> bool {
    made < WHOLE && made >= used.saturating_sub(WHOLE / 2).saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_time_until_three_quarters_are_used() {
        let quarter = WHOLE / 4;
        assert!(has_time(0, 0), "an idle log is in no hurry");
        assert!(has_time(2 * quarter, 0), "making begins at the half");
        assert!(!has_time(2 * quarter + 1, 0), "and goes on as fast as the file is used");
        assert!(has_time(2 * quarter + quarter / 2, 2 * quarter), "four for one");
        assert!(!has_time(3 * quarter, WHOLE - 1), "at three quarters it should be there");
        assert!(!has_time(0, WHOLE), "what is made needs no pause");
    }

    #[test]
    fn nobody_pauses_once_the_log_is_being_closed() {
        let pace = Pace::new();
        pace.used(0, 1);
        let pauses = |of: u64| (0..of).filter(|made| pace.pause(*made, of)).count();
        assert_eq!(pauses(4), 4, "an idle log has time for each piece");
        pace.hurry();
        assert_eq!(pauses(100), 0);
    }
}
