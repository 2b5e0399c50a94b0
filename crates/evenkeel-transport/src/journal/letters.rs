//! The dead letters that a redrive takes, in the order of their events' places.
//!
//! A selection is read once and kept while its redrive asks for more: two places for each letter.
//! It is derived: after a restart it is read again from the dead-letter topic. Invariant: of an
//! event that died several times only the newest letter is offered.

use std::sync::{Arc, Mutex, PoisonError};

use evenkeel_delivery::Bring;
use evenkeel_delivery::ports::{Letters, PortError};
use evenkeel_log::Log;
use evenkeel_model::{Position, Shard};

use crate::dead::{self, Filter};

/// A selection, and what it came to.
#[derive(Default)]
pub(super) struct Selections {
    kept: Mutex<Option<Selected>>,
}

struct Selected {
    text: Arc<str>,
    until: u64,
    /// The offsets of letters by their events' places, in order.
    letters: Arc<Vec<(Position, u64)>>,
}

impl Selections {
    /// What of `wanted` comes next.
    pub(super) async fn next(&self, log: &Log, subscription: &str, wanted: Bring) -> Result<Letters, PortError> {
        let (selection, letters, until, after, max) = match wanted {
            Bring::Again(places) => return Ok(Letters { found: places, over: false }),
            Bring::Next { selection, letters, until, after, max } => (selection, letters, until, after, max),
        };
        let all = match self.known(&selection, until) {
            Some(all) => all,
            None => {
                let all = Arc::new(read(log, subscription, &selection, until).await?);
                let selected = Selected { text: selection, until, letters: all.clone() };
                *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(selected);
                all
            }
        };
        Ok(page(&all, &letters, after.as_ref(), max))
    }

    fn known(&self, selection: &str, until: u64) -> Option<Arc<Vec<(Position, u64)>>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|s| *s.text == *selection && s.until == until).map(|s| s.letters.clone())
    }
}

fn page(all: &[(Position, u64)], shard: &Shard, after: Option<&Position>, max: usize) -> Letters {
    let from = after.map_or(0, |after| all.partition_point(|(origin, _)| origin <= after));
    let rest = &all[from..];
    let letter = |offset: u64| Position { shard: shard.clone(), offset };
    Letters {
        found: rest.iter().take(max).map(|(origin, offset)| (letter(*offset), origin.clone())).collect(),
        over: rest.len() <= max,
    }
}

async fn read(log: &Log, subscription: &str, selection: &str, until: u64) -> Result<Vec<(Position, u64)>, PortError> {
    let filter = Filter::parse(selection).map_err(|e| PortError(e.to_string()))?;
    let (log, subscription) = (log.clone(), subscription.to_owned());
    let reading = tokio::task::spawn_blocking(move || dead::select(&log, &subscription, &filter, until));
    reading.await.map_err(|e| PortError(e.to_string()))?
}
