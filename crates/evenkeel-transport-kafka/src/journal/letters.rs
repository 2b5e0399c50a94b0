//! The dead letters of one partition that a redrive takes, in the order of their events' places.
//!
//! A selection is read once and kept while its redrive asks for more. Invariant: of an event that
//! died several times only the newest letter is offered.

use std::sync::{Arc, Mutex, PoisonError};

use evenkeel_delivery::Bring;
use evenkeel_delivery::ports::{Letters, PortError};
use evenkeel_model::{Clock, Position, Shard};
use evenkeel_transport::dead::{Filter, letter};

use super::Whose;
use super::loading::each;
use crate::Broker;
use crate::reading::{Ahead, Reader};

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
    pub(super) async fn next(
        &self,
        broker: &Broker,
        clock: &Arc<dyn Clock>,
        whose: &Whose,
        wanted: Bring,
    ) -> Result<Letters, PortError> {
        let (selection, until, after, max) = match wanted {
            Bring::Again(places) => return Ok(Letters { found: places, over: false }),
            Bring::Next { selection, until, after, max, .. } => (selection, until, after, max),
        };
        let letters = Shard::new(whose.names.dead.as_str(), whose.shard.partition);
        let all = match self.known(&selection, until) {
            Some(all) => all,
            None => {
                let filter = Filter::parse(&selection).map_err(|e| PortError(e.to_string()))?;
                let reader = Reader::open(broker, clock.clone(), &whose.names.group, letters.clone(), Ahead::Much)?;
                let all = Arc::new(read(reader, whose, &filter, until).await?);
                let selected = Selected { text: selection, until, letters: all.clone() };
                *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(selected);
                all
            }
        };
        let from = after.map_or(0, |after| all.partition_point(|(origin, _)| *origin <= after));
        let rest = &all[from..];
        let place = |offset: u64| Position { shard: letters.clone(), offset };
        let found = rest.iter().take(max).map(|(origin, offset)| (place(*offset), origin.clone())).collect();
        Ok(Letters { found, over: rest.len() <= max })
    }

    fn known(&self, selection: &str, until: u64) -> Option<Arc<Vec<(Position, u64)>>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|s| *s.text == *selection && s.until == until).map(|s| s.letters.clone())
    }
}

async fn read(
    mut reader: Reader,
    whose: &Whose,
    filter: &Filter,
    until: u64,
) -> Result<Vec<(Position, u64)>, PortError> {
    let (start, _) = reader.ends().await?;
    let mut found: Vec<(Position, u64)> = Vec::new();
    each(&mut reader, start, |stored| {
        let letter = letter(stored);
        let mine = letter.at.offset < until && *letter.subscription == *whose.names.subscription;
        if mine && filter.matches(&letter) {
            found.extend(letter.origin.map(|origin| (origin, letter.at.offset)));
        }
        Ok(())
    })
    .await?;
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    found.dedup_by(|later, first| later.0 == first.0);
    Ok(found)
}
