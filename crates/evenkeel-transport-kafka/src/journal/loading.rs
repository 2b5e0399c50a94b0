//! What was committed, read back: the newest snapshot, the rounds behind it, and the identities of the
//! inbox's window.
//!
//! Read only by who fenced everybody else, so that the end that is found is the end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_delivery::{JournalUnreadable, Remembered, decode_identities, decode_journal};
use evenkeel_model::{Clock, Position, Shard, Stored};
use evenkeel_transport::Recall;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::pages::{Page, Parts, Read};
use super::transaction::SNAPSHOT_AT;
use super::{At, IDENTITIES, Whose};
use crate::client::Ears;
use crate::reading::{Ahead, Came, Reader, partition};
use crate::{Broker, Names, PartitionSettings};

/// So long nothing may come before the end is reached.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn load(
    broker: &Broker,
    clock: &Arc<dyn Clock>,
    whose: &Whose,
    member: &Arc<BaseConsumer<Ears>>,
) -> Result<(Vec<Remembered>, At), PortError> {
    let hint = snapshot_at(whose, member).await;
    let journal = replay(broker, clock, &whose.names, whose.shard.partition, hint);
    let (Replay { recall, mut at, .. }, identities) = tokio::try_join!(journal, inbox(broker, clock, whose))?;
    let remembered = recall.finish();
    at.recall.take(remembered.clone());
    Ok((joined(identities, remembered), at))
}

async fn replay(
    broker: &Broker,
    clock: &Arc<dyn Clock>,
    names: &Names,
    partition: u32,
    hint: Option<u64>,
) -> Result<Replay, PortError> {
    let shard = Shard::new(names.journal.as_str(), partition);
    let mut reader = Reader::open(broker, clock.clone(), &names.group, shard, Ahead::ToTheEnd)?;
    let (start, _) = reader.ends().await?;
    let from = hint.filter(|hint| *hint >= start).unwrap_or(start);
    let mut replay = Replay::new(hint);
    each(&mut reader, from, |stored| replay.take(&stored)).await?;
    Ok(replay)
}

/// What the journal of a partition comes to right now, without identities. Whoever owns it writes on.
pub(crate) async fn peek(
    broker: &Broker,
    clock: &Arc<dyn Clock>,
    settings: &PartitionSettings,
    partition: u32,
) -> Result<Vec<Remembered>, PortError> {
    Ok(replay(broker, clock, &settings.names, partition, None).await?.recall.finish())
}

/// Identities first; an outcome above the progress is told with its identity where that is known.
fn joined(mut identities: Vec<Remembered>, remembered: Vec<Remembered>) -> Vec<Remembered> {
    let told: HashSet<Position> = {
        let place = |fact: &Remembered| match fact {
            Remembered::Done { at, .. } => Some(at.clone()),
            _ => None,
        };
        let open: HashSet<Position> = remembered.iter().filter_map(place).collect();
        identities.iter().filter_map(place).filter(|at| open.contains(at)).collect()
    };
    let untold = |fact: &Remembered| !matches!(fact, Remembered::Done { at, .. } if told.contains(at));
    identities.extend(remembered.into_iter().filter(untold));
    identities
}

/// Where the newest snapshot begins, as the group's committed offset says. A hint: without it the
/// whole journal is read.
async fn snapshot_at(whose: &Whose, member: &Arc<BaseConsumer<Ears>>) -> Option<u64> {
    let (shard, member) = (whose.shard.clone(), member.clone());
    let asked = move || {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&shard.topic, partition(&shard));
        let committed = member.committed_offsets(list, PATIENCE).ok()?;
        let metadata = committed.elements().first()?.metadata().to_owned();
        metadata.strip_prefix(SNAPSHOT_AT)?.parse().ok()
    };
    tokio::task::spawn_blocking(asked).await.ok().flatten()
}

/// The journal, as it is read.
struct Replay {
    recall: Recall,
    parts: Parts,
    /// Where the snapshot that is being read begins.
    begun: u64,
    at: At,
}

impl Replay {
    fn new(hint: Option<u64>) -> Replay {
        let recall = Recall::without_identities;
        let at = At { fence: 0, ledger_next: 0, rounds: 0, bytes: 0, snapshot: hint, recall: recall() };
        Replay { recall: recall(), parts: Parts::default(), begun: 0, at }
    }

    fn take(&mut self, stored: &Stored) -> Result<(), String> {
        let value = stored.record.value.clone().unwrap_or_default();
        let Read { fence, ledger_next, page } = Page::decode(&value).ok_or("it is no record of a journal")?;
        let text = |e: JournalUnreadable| e.to_string();
        self.at.fence = fence.max(self.at.fence);
        self.at.ledger_next = ledger_next.max(self.at.ledger_next);
        match page {
            Page::Round(bytes) => {
                self.recall.take(decode_journal(&bytes).map_err(text)?);
                self.at.rounds += 1;
                self.at.bytes += bytes.len();
            }
            Page::Part { nth, count, bytes } => {
                if nth == 0 {
                    self.begun = stored.at.offset;
                }
                if let Some(whole) = self.parts.take(nth, count, &bytes) {
                    self.recall = Recall::without_identities();
                    self.recall.take(decode_journal(&whole).map_err(text)?);
                    (self.at.rounds, self.at.bytes, self.at.snapshot) = (0, 0, Some(self.begun));
                }
            }
        }
        Ok(())
    }
}

/// The identities of the inbox's window, in the order of their outcomes.
async fn inbox(broker: &Broker, clock: &Arc<dyn Clock>, whose: &Whose) -> Result<Vec<Remembered>, PortError> {
    let shard = Shard::new(whose.names.ledger.as_str(), whose.shard.partition);
    let mut reader = Reader::open(broker, clock.clone(), &whose.names.group, shard, Ahead::ToTheEnd)?;
    let since = clock.now() - whose.inbox;
    let Some(from) = reader.at_time(since).await? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    each(&mut reader, from, |stored| {
        let Some(header) = stored.record.header(IDENTITIES) else { return Ok(()) };
        let kept = |fact: Remembered| {
            if matches!(fact, Remembered::Done { when, .. } if when >= since) {
                all.push(fact);
            }
        };
        let whole = decode_identities(header, &whose.shard, kept);
        if whole { Ok(()) } else { Err("its identities cannot be read".to_owned()) }
    })
    .await?;
    Ok(all)
}

/// Shows every committed record from an offset on to `see`, up to the end. What `see` says is wrong
/// with one stops it: a journal that cannot be read is not guessed at.
pub(crate) async fn each(
    reader: &mut Reader,
    from: u64,
    mut see: impl FnMut(Stored) -> Result<(), String>,
) -> Result<(), PortError> {
    reader.go(from)?;
    loop {
        match reader.read(PATIENCE).await? {
            Came::One(stored) => {
                let offset = stored.at.offset;
                see(stored).map_err(|why| reader.failed(&format!("offset {offset}"), &why))?;
            }
            Came::End => return Ok(()),
            Came::Nothing => return Err(reader.failed("reading to the end", &"nothing came")),
            Came::OutOfRange => {
                let (start, _) = reader.ends().await?;
                reader.go(start)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use evenkeel_delivery::{Fact, Mark, Remembered, encode_journal, encode_remembered};
    use evenkeel_model::{Position, Record, Shard, Stored, Timestamp};

    use super::{Page, Replay, joined};

    fn shard() -> Shard {
        Shard::new("orders", 0)
    }

    fn stored(offset: u64, page: &Page, fence: u64) -> Stored {
        let record = Record { value: Some(page.encode(fence, offset)), ..Record::default() };
        Stored { at: Position { shard: Shard::new("j", 0), offset }, appended: Timestamp::EPOCH, record }
    }

    fn progress(below: u64) -> Page {
        Page::Round(encode_journal(&[Fact::Progress { shard: shard(), below }]))
    }

    fn below(replay: Replay) -> Option<u64> {
        replay.recall.finish().into_iter().find_map(|fact| match fact {
            Remembered::Progress { below, .. } => Some(below),
            _ => None,
        })
    }

    #[test]
    fn a_snapshot_replaces_what_came_before_and_rounds_add_to_it() {
        let mut replay = Replay::new(None);
        let snapshot = encode_remembered(&[Remembered::Progress { shard: shard(), below: 50 }]);
        // Compaction took some of these; what they come to without the others counts for nothing.
        replay.take(&stored(3, &progress(900), 4)).unwrap();
        for (nth, page) in Page::parts(&snapshot).iter().enumerate() {
            replay.take(&stored(10 + nth as u64, page, 4)).unwrap();
        }
        assert_eq!((replay.at.rounds, replay.at.snapshot), (0, Some(10)));
        replay.take(&stored(20, &progress(60), 7)).unwrap();
        assert_eq!((replay.at.rounds, replay.at.fence, replay.at.ledger_next), (1, 7, 20));
        assert_eq!(below(replay), Some(60));
        let strange = Record { value: Some(Bytes::from_static(b"?")), ..Record::default() };
        let strange = Stored { record: strange, ..stored(21, &progress(1), 1) };
        assert!(Replay::new(None).take(&strange).is_err(), "a journal that cannot be read is not guessed at");
    }

    #[test]
    fn an_outcome_is_told_once_with_its_identity() {
        let done = |offset, mark: Option<u8>| Remembered::Done {
            at: Position { shard: shard(), offset },
            mark: mark.map(|m| Mark([m; 16])),
            when: Timestamp::EPOCH,
        };
        let all = joined(vec![done(1, Some(1)), done(7, Some(7))], vec![done(7, None), done(8, None)]);
        assert_eq!(all, [done(1, Some(1)), done(7, Some(7)), done(8, None)]);
    }
}
