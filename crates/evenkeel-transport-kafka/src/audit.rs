//! The account of a subscription over Kafka, from its topics alone: what was appended to its source,
//! and what became of it by the ledgers and journals of all nodes.

use std::collections::HashMap;
use std::sync::Arc;

use evenkeel_delivery::Remembered;
use evenkeel_delivery::ports::PortError;
use evenkeel_model::ledger::{self, LedgerEntry};
use evenkeel_model::{Clock, Outcome, Shard};

use crate::journal::{each, peek};
use crate::reading::{Ahead, Reader};
use crate::{Broker, PartitionSettings};

/// What became of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionAudit {
    /// The partition.
    pub partition: u32,
    /// Records from where the subscription began to the end.
    pub appended: u64,
    /// Events by their outcome; an event that was redriven counts by its last one.
    pub outcomes: HashMap<Outcome, u64>,
    /// Events that wait durably.
    pub parked: u64,
    /// Read or not, without an outcome, and not parked.
    pub unread: u64,
    /// Events with two outcomes and no redrive between them, by offset: there must be none.
    pub twice: Vec<u64>,
}

impl PartitionAudit {
    /// True when everything that was appended has one outcome, or is to come.
    pub fn adds_up(&self) -> bool {
        let ended: u64 = self.outcomes.values().sum();
        self.twice.is_empty() && self.appended == ended + self.parked + self.unread
    }
}

/// The account of every partition. The ledger must reach back to the beginning of the subscription.
pub async fn audit(
    broker: &Broker,
    settings: &PartitionSettings,
    clock: Arc<dyn Clock>,
) -> Result<Vec<PartitionAudit>, PortError> {
    let topic = &settings.source.topic;
    let absent = || PortError(format!("topic `{topic}` does not exist at broker `{}`", broker.name()));
    let partitions = broker.partitions(topic).await?.ok_or_else(absent)?;
    // Before its first owner made them it has no books.
    let journals = broker.partitions(&settings.names.journal).await?.unwrap_or(0);
    let ledgers = broker.partitions(&settings.names.ledger).await?.unwrap_or(0);
    let mut all = Vec::new();
    for partition in 0..partitions {
        let begun = partition < journals.min(ledgers);
        all.push(audit_one(broker, settings, &clock, partition, begun).await?);
    }
    Ok(all)
}

async fn audit_one(
    broker: &Broker,
    settings: &PartitionSettings,
    clock: &Arc<dyn Clock>,
    partition: u32,
    begun: bool,
) -> Result<PartitionAudit, PortError> {
    let open = |topic: &str| {
        let shard = Shard::new(topic, partition);
        Reader::open(broker, clock.clone(), &settings.names.group, shard, Ahead::Much)
    };
    // First the books, then the source: what comes meanwhile is unread, and none is missing.
    let remembered = if begun { peek(broker, clock, settings, partition).await? } else { Vec::new() };
    let mut audit = PartitionAudit { partition, ..PartitionAudit::default() };
    let mut ended: HashMap<u64, Outcome> = HashMap::new();
    if begun {
        read_ledger(&mut open(&settings.names.ledger)?, &mut ended, &mut audit.twice).await?;
    }
    let parked: Vec<u64> = remembered
        .iter()
        .filter_map(|fact| match fact {
            Remembered::Pending(pending) if !ended.contains_key(&pending.at.offset) => Some(pending.at.offset),
            _ => None,
        })
        .collect();
    let mut reader = open(&settings.source.topic)?;
    let (start, _) = reader.ends().await?;
    let first = ended.keys().chain(&parked).min().copied().unwrap_or(start);
    each(&mut reader, first.max(start), |stored| {
        audit.appended += 1;
        let offset = stored.at.offset;
        match ended.remove(&offset) {
            Some(outcome) => *audit.outcomes.entry(outcome).or_default() += 1,
            None if parked.contains(&offset) => audit.parked += 1,
            None => audit.unread += 1,
        }
        Ok(())
    })
    .await?;
    // Those whose records retention took.
    for outcome in ended.into_values() {
        audit.appended += 1;
        *audit.outcomes.entry(outcome).or_default() += 1;
    }
    Ok(audit)
}

async fn read_ledger(
    reader: &mut Reader,
    ended: &mut HashMap<u64, Outcome>,
    twice: &mut Vec<u64>,
) -> Result<(), PortError> {
    let (start, _) = reader.ends().await?;
    each(reader, start, |stored| {
        let value = stored.record.value.clone().unwrap_or_default();
        let record = ledger::decode(&value).map_err(|e| e.to_string())?;
        for entry in record.entries {
            match entry {
                LedgerEntry::Ended(entry) => {
                    let before = ended.insert(entry.offset, entry.outcome);
                    twice.extend(before.map(|_| entry.offset));
                }
                LedgerEntry::Redriven(redriven) => drop(ended.remove(&redriven.offset)),
                _ => {}
            }
        }
        Ok(())
    })
    .await
}
