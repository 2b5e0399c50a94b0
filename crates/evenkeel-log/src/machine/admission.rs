//! Whether a set may be appended: decided before any of it gets an offset, and for all of it.

use super::Machine;
use crate::queue::Part;
use crate::{AppendError, Change};

impl Machine {
    /// Refuses a set that does not fit what the machine has come to.
    pub(crate) fn admit(&self, parts: &[Part], changes: &[Change]) -> Result<(), AppendError> {
        for part in parts {
            if self.at(part.place).is_none() {
                return Err(AppendError::UnknownTopic { topic: part.shard.topic.to_string() });
            }
        }
        changes.iter().try_for_each(|change| self.admit_change(change))
    }

    fn admit_change(&self, change: &Change) -> Result<(), AppendError> {
        match change {
            Change::Start { shard, offset } => {
                let place = self.find(shard).map_err(|partitions| AppendError::no_place(shard, partitions))?;
                let end = self.at(place).map_or(0, |p| p.next);
                if *offset > end {
                    return Err(AppendError::BeyondEnd { shard: shard.clone(), offset: *offset, end });
                }
                Ok(())
            }
            Change::End { producer, .. } => Err(AppendError::NoTransaction { producer: *producer }),
        }
    }
}
