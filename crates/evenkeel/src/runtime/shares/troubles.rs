//! What keeps this node from its group's broker: told once, and not each time that a client says it.
//!
//! A client repeats itself for as long as the broker is away. Invariant: what is new is always told.

use std::time::Duration;

use evenkeel_model::Timestamp;

/// What was told is told again after so long.
const AGAIN: Duration = Duration::from_secs(600);
/// Where partitions are held, what was said longer ago than this is over.
const STANDS: Duration = Duration::from_secs(60);
/// So many are remembered.
const KEPT: usize = 16;

#[derive(Default)]
pub(super) struct Troubles(Vec<Said>);

struct Said {
    what: String,
    told: Timestamp,
    newest: Timestamp,
}

impl Troubles {
    /// It was said; true when it is to be told.
    pub(super) fn came(&mut self, what: &str, now: Timestamp) -> bool {
        let known = self.0.iter().position(|said| said.what == what);
        // The newest stands last.
        let known = known.map(|nth| self.0.remove(nth));
        let tells = known.as_ref().is_none_or(|said| now.since(said.told) >= AGAIN);
        let told = known.filter(|_| !tells).map_or(now, |said| said.told);
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(Said { what: what.to_owned(), told, newest: now });
        tells
    }

    /// The group gave something: it works.
    pub(super) fn over(&mut self) {
        self.0.clear();
    }

    /// What stands now.
    pub(super) fn standing(&self, holds_partitions: bool, now: Timestamp) -> Option<String> {
        let newest = self.0.last().filter(|said| !holds_partitions || now.since(said.newest) < STANDS)?;
        Some(newest.what.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_repeats_is_told_once_and_stands_until_the_group_gives_something() {
        let at = |s| Timestamp::EPOCH + Duration::from_secs(s);
        let mut troubles = Troubles::default();
        let told: Vec<bool> =
            (0..600).map(|s| troubles.came(if s % 2 == 0 { "refused" } else { "away" }, at(s))).collect();
        assert_eq!(told.iter().filter(|told| **told).count(), 2, "each once");
        assert!(troubles.came("refused", at(600)), "and again when somebody may have forgotten it");
        assert_eq!(troubles.standing(false, at(99_999)).as_deref(), Some("refused"));
        assert_eq!(troubles.standing(true, at(661)), None, "partitions are held, and nothing was said since");
        troubles.over();
        assert_eq!(troubles.standing(false, at(700)), None);
        assert!(troubles.came("refused", at(701)), "what comes again is new");
    }
}
