//! The dead letters of a subscription over Kafka, as they lie in its topic, partition by partition.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_model::{Clock, Shard};
use evenkeel_transport::dead::{DeadLetter, letter};

use crate::reading::{Ahead, Came, Reader};
use crate::{Broker, Names};

/// So long nothing may come before the end is reached.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shows each letter from a place on (a partition and an offset), up to the ends that are there now, until `see`
/// says that it has seen enough. None, while nothing has died and the topic is not there.
pub async fn letters(
    broker: &Broker,
    names: &Names,
    clock: &Arc<dyn Clock>,
    from: (u32, u64),
    see: &mut (dyn FnMut(DeadLetter) -> bool + Send),
) -> Result<(), PortError> {
    let partitions = broker.partitions(&names.dead).await?.unwrap_or(0);
    for partition in from.0..partitions {
        let shard = Shard::new(names.dead.as_str(), partition);
        let mut reader = Reader::open(broker, clock.clone(), &names.group, shard, Ahead::Much)?;
        let (start, end) = reader.ends().await?;
        let offset = if partition == from.0 { from.1.max(start) } else { start };
        if offset >= end {
            continue;
        }
        reader.go(offset)?;
        if !show(&mut reader, end, see).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// False when `see` has seen enough.
async fn show(
    reader: &mut Reader,
    end: u64,
    see: &mut (dyn FnMut(DeadLetter) -> bool + Send),
) -> Result<bool, PortError> {
    loop {
        match reader.read(PATIENCE).await? {
            Came::One(stored) if stored.at.offset >= end => return Ok(true),
            Came::One(stored) => {
                if !see(letter(stored)) {
                    return Ok(false);
                }
            }
            // What retention took meanwhile is gone.
            Came::End | Came::OutOfRange => return Ok(true),
            Came::Nothing => return Err(reader.failed("reading its dead letters", &"nothing came")),
        }
    }
}
