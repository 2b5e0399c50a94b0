//! Dead letters for a redrive: found by the journal, read by the source.
//!
//! Invariant: every letter that was found is answered, with its event or without.

use std::sync::Arc;

use evenkeel_delivery::ports::{Delivered, Journal, PortError, Source};
use evenkeel_delivery::{Bring, Letter};
use evenkeel_model::Position;

use super::happening::Brought;

/// Brings what is wanted.
pub(super) async fn bring(wanted: Bring, source: Arc<dyn Source>, journal: Arc<dyn Journal>) -> Brought {
    let found = match journal.letters(wanted).await {
        Ok(found) => found,
        Err(problem) => return failed(&problem),
    };
    let mut letters = Vec::with_capacity(found.found.len());
    for (at, origin) in found.found {
        match read(&*source, &at, &origin).await {
            Ok(delivered) => {
                let arrival = delivered.as_ref().map(|d| d.arrival.clone());
                letters.push((Letter { at, origin, arrival }, delivered));
            }
            Err(problem) => return failed(&problem),
        }
    }
    Brought { letters, over: found.over, problem: None }
}

/// By its letter or, when retention took that, by its own place.
async fn read(source: &dyn Source, letter: &Position, origin: &Position) -> Result<Option<Arc<Delivered>>, PortError> {
    match source.get(letter).await? {
        Some(delivered) => Ok(Some(delivered)),
        None => source.get(origin).await,
    }
}

fn failed(problem: &PortError) -> Brought {
    Brought { letters: Vec::new(), over: false, problem: Some(problem.to_string()) }
}
