//! The dead letters of a subscription, wherever they lie: in the node's own log, or at its broker.
//!
//! A letter has one number, which is its offset where all lie in one partition; over a broker the
//! partition stands in its upper bits ([`evenkeel_delivery::letter_number`]). Reads only.

use evenkeel_delivery::{letter_number, letter_place};
use evenkeel_transport::dead::{self, DeadLetter};

use super::{Wire, Wired, blocking, failed, overlay};
use crate::error::Error;

/// Shows each from a number on to `see`, until that says that it has seen enough; gives what it made of them. The
/// offset of each is its number.
pub(crate) async fn letters<S: Send + 'static>(
    node: &Wired,
    wire: &Wire,
    from: u64,
    state: S,
    mut see: impl FnMut(&mut S, DeadLetter) -> bool + Send + 'static,
) -> Result<S, Error> {
    let mut state = state;
    let Some(home) = wire.plan.home.clone() else {
        let (log, name) = (node.log.clone(), wire.plan.name.clone());
        let read = move || dead::each(&log, &name, from, |letter| see(&mut state, letter)).map(|()| state);
        return blocking(read).await?.map_err(|e| failed(&e));
    };
    let mut number = |mut letter: DeadLetter| {
        letter.at.offset = letter_number(letter.at.shard.partition, letter.at.offset);
        see(&mut state, letter)
    };
    overlay::letters(&wire.plan, &home, &node.clock, letter_place(from), &mut number).await?;
    Ok(state)
}
