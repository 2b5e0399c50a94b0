//! The journal of one partition of a subscription, in topics beside its source.
//!
//! A round is one Kafka transaction: a journal record (what a restart needs), a ledger record (the
//! outcomes, with the identities that the inbox remembers in a header), the events that handlers
//! returned, the dead letters, and the group's offset. Now and then what the journal comes to goes
//! along as a snapshot; keys are used anew behind it, so that compaction removes what lies before.
//!
//! Two producers take turns: a broker that still ends a transaction of one takes the next of the other at once.
//!
//! Invariants: a round is there whole or not at all; a transaction begins when the one before it is decided; who
//! opens it fences whoever had it before, so a commit of theirs fails; what is loaded was read to its end behind
//! that fence; after a commit whose outcome is not known nothing is committed any more before it was loaded again.

mod assembling;
mod letters;
mod loading;
mod pages;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, Commit, Journal, Letters, PortError};
use evenkeel_delivery::{Bring, Remembered, decode_journal, encode_journal, encode_remembered};
use evenkeel_model::{Clock, Shard};
use evenkeel_transport::Recall;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::producer::BaseProducer;
use tokio::sync::Mutex;

use crate::client::Ears;
use crate::source::Ids;
use crate::{Broker, Names, Outcomes};
use pages::Page;
use transaction::{Piece, Transaction};

pub(crate) use loading::{each, peek};
pub(crate) use transaction::Report;

/// The header of a ledger record that holds the identities of its outcomes. They go with the ledger, which is deleted by
/// age, and not with the journal, which is compacted: an inbox of days would be written again with every snapshot.
const IDENTITIES: &str = "evenkeel-identities";
/// So many facts go into one record.
const FACTS_MAX: usize = 2048;
/// After so many bytes of rounds a snapshot goes along.
const SNAPSHOT_BYTES: usize = 4 << 20;
/// After so many rounds as well: each is a key that compaction keeps.
const SNAPSHOT_ROUNDS: u64 = 4096;

/// Where events go that leave with a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outward {
    pub(crate) topic: Arc<str>,
    pub(crate) partitions: u32,
}

/// Whose journal it is, and of which partition.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    pub(crate) names: Names,
    pub(crate) shard: Shard,
    pub(crate) inbox: Duration,
    pub(crate) effects: Option<Outward>,
    pub(crate) fallback: Option<Outward>,
}

/// Who writes it, in turns.
pub(crate) type Producers = [Arc<BaseProducer<Ears>>; 2];

pub(crate) struct KafkaJournal {
    broker: Broker,
    clock: Arc<dyn Clock>,
    whose: Arc<Whose>,
    producers: Producers,
    /// For the group's offsets: it never joined, and says so.
    member: Arc<BaseConsumer<Ears>>,
    ids: Option<Ids>,
    outcomes: Option<Outcomes>,
    state: Mutex<State>,
    selections: letters::Selections,
}

/// What is known of the journal's end.
#[derive(Default)]
struct State {
    /// `None` before it was loaded, and after a commit whose outcome is not known.
    at: Option<At>,
    /// Loaded, and not asked for yet.
    loaded: Option<Vec<Remembered>>,
    /// Whose turn it is.
    turn: usize,
}

struct At {
    fence: u64,
    /// The number of the next ledger record.
    ledger_next: u64,
    /// Rounds and bytes since the newest snapshot.
    rounds: u64,
    bytes: usize,
    /// Where that snapshot begins.
    snapshot: Option<u64>,
    recall: Recall,
}

/// What a journal is made of; its producers have their rights already.
pub(crate) struct Made {
    pub(crate) broker: Broker,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) whose: Arc<Whose>,
    pub(crate) producers: Producers,
    pub(crate) member: Arc<BaseConsumer<Ears>>,
    pub(crate) ids: Option<Ids>,
    pub(crate) outcomes: Option<Outcomes>,
}

impl KafkaJournal {
    pub(crate) fn new(made: Made) -> KafkaJournal {
        let Made { broker, clock, whose, producers, member, ids, outcomes } = made;
        let (state, selections) = (Mutex::default(), letters::Selections::default());
        KafkaJournal { broker, clock, whose, producers, member, ids, outcomes, state, selections }
    }

    /// Reads what was committed, and takes it over, with both producers: the fence that all calls carry from now on.
    /// So two nodes that take the producers' rights from each other at the same time never both pass: who has lost one
    /// of them since fails here, and both write in the same order.
    pub(crate) async fn take_over(&self, begins: Vec<(u32, u64)>) -> Result<u64, PortError> {
        let mut state = self.state.lock().await;
        let mut at = self.read(&mut state).await?;
        at.fence += 1;
        let mut begins = begins;
        for _ in &self.producers {
            let page = Page::Round(encode_journal(&[])).encode(at.fence, at.ledger_next);
            let pieces = vec![self.own(Page::round_key(at.rounds), page)];
            at.rounds += 1;
            self.run(&mut state.turn, pieces, std::mem::take(&mut begins), at.snapshot).await?;
        }
        let fence = at.fence;
        state.at = Some(at);
        Ok(fence)
    }

    async fn read(&self, state: &mut State) -> Result<At, PortError> {
        let (remembered, at) = loading::load(&self.broker, &self.clock, &self.whose, &self.member).await?;
        state.loaded = Some(remembered);
        Ok(at)
    }

    fn metadata(&self) -> Result<ConsumerGroupMetadata, PortError> {
        let metadata = self.member.group_metadata();
        metadata.ok_or_else(|| self.broker.failed("the group's metadata", &"there is none"))
    }

    /// One transaction; the offset of the first piece that is part of a snapshot. Who failed has the next turn again:
    /// its client knows what is undecided.
    async fn run(
        &self,
        turn: &mut usize,
        pieces: Vec<Piece>,
        offsets: Vec<(u32, u64)>,
        snapshot: Option<u64>,
    ) -> Result<Option<u64>, PortError> {
        let transaction = Transaction {
            producer: self.producers[*turn].clone(),
            group: self.metadata()?,
            topic: self.whose.shard.topic.clone(),
            pieces,
            offsets,
            snapshot,
        };
        let done = tokio::task::spawn_blocking(move || transaction.run()).await;
        let done = done.map_err(|e| PortError(e.to_string()))?;
        let Shard { topic, partition } = &self.whose.shard;
        let done = done.map_err(|e| {
            self.broker
                .failed(&format!("the journal of `{}` for {topic}/{partition}", self.whose.names.subscription), &e)
        })?;
        *turn = 1 - *turn;
        Ok(done)
    }

    async fn commit_round(&self, commit: Commit) -> Result<(), PortError> {
        let mut state = self.state.lock().await;
        let mut at = state.at.take().ok_or_else(|| {
            PortError(format!("the journal of `{}` must be loaded before it is written", self.whose.names.subscription))
        })?;
        let assembled =
            assembling::assemble(&self.whose, &commit, at.ledger_next, self.ids.as_ref(), self.clock.now())?;
        let (mut pieces, ledgers) = (assembled.pieces, assembled.ledgers);
        at.ledger_next = assembled.ledger_next;
        for facts in commit.round.facts.chunks(FACTS_MAX) {
            let bytes = encode_journal(facts);
            at.bytes += bytes.len();
            at.recall.take(decode_journal(&bytes).map_err(|e| PortError(e.to_string()))?);
            let page = Page::Round(bytes).encode(at.fence, at.ledger_next);
            pieces.push(self.own(Page::round_key(at.rounds), page));
            at.rounds += 1;
        }
        let snapshot = at.bytes >= SNAPSHOT_BYTES || at.rounds >= SNAPSHOT_ROUNDS;
        if snapshot {
            pieces.extend(self.snapshot(&mut at));
        }
        let wrote = self.run(&mut state.turn, pieces, assembled.offsets, at.snapshot).await?;
        if snapshot {
            (at.snapshot, at.rounds, at.bytes) = (wrote, 0, 0);
        }
        self.forget(&commit);
        if let Some(outcomes) = &self.outcomes {
            ledgers.into_iter().for_each(|ledger| outcomes(ledger));
        }
        state.at = Some(at);
        Ok(())
    }

    fn own(&self, key: String, page: bytes::Bytes) -> Piece {
        Piece::own(&self.whose.names.journal, &self.whose.shard, key, page)
    }

    /// What the journal comes to, in parts.
    fn snapshot(&self, at: &mut At) -> Vec<Piece> {
        let all = std::mem::replace(&mut at.recall, Recall::without_identities()).finish();
        let bytes = encode_remembered(&all);
        at.recall.take(all);
        let pages = Page::parts(&bytes);
        let piece = |(nth, page): (usize, Page)| Piece {
            begins_snapshot: nth == 0,
            ..self.own(Page::part_key(nth), page.encode(at.fence, at.ledger_next))
        };
        pages.into_iter().enumerate().map(piece).collect()
    }

    fn forget(&self, commit: &Commit) {
        let Some(ids) = &self.ids else { return };
        let mut ids = ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for fact in &commit.round.facts {
            if let evenkeel_delivery::Fact::Ended { entry, .. } = fact {
                ids.remove(&entry.offset);
            }
        }
    }
}

impl Journal for KafkaJournal {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>> {
        Box::pin(async move {
            let mut state = self.state.lock().await;
            if state.loaded.is_none() || state.at.is_none() {
                let at = self.read(&mut state).await?;
                state.at = Some(at);
            }
            Ok(state.loaded.take().unwrap_or_default())
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(self.commit_round(commit))
    }

    fn letters(&self, wanted: Bring) -> BoxFuture<'_, Result<Letters, PortError>> {
        Box::pin(self.selections.next(&self.broker, &self.clock, &self.whose, wanted))
    }
}
