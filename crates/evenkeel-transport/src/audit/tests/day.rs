//! A shop's day: 48 events in two partitions, most of which ended, in rounds of five.

use evenkeel_delivery::ports::{Commit, Journal, Source};
use evenkeel_delivery::{AttemptId, Fact, Order};
use evenkeel_model::{Outcome, Position, Record, Shard};

use crate::audit::Audited;
use crate::bench::Bench;
use crate::contract::rounds::{ended, pending, progress, record, returned, round};
use crate::{EmbeddedJournal, EmbeddedSource, JournalSettings, SourceSettings};

const PARTITIONS: u32 = 2;

pub(super) struct Day {
    pub(super) bench: Bench,
    source: Option<EmbeddedSource>,
    journal: Option<EmbeddedJournal>,
}

pub(super) fn audited(live: Option<Vec<(Position, bool)>>) -> Audited {
    Audited {
        name: "payment".into(),
        topic: "orders".into(),
        order: Order::Key,
        effects: Some("payments".into()),
        live,
    }
}

impl Day {
    /// The day as it stands before its last few events: of each partition 20 ended; then one
    /// waits durably and one behind it (partition 1 only), and the rest is not read.
    pub(super) async fn new() -> Day {
        let mut day = Day::on(Bench::new(&[("orders", PARTITIONS), ("payments", 2)])).await;
        day.open().await;
        day.publish_more(24).await;
        for partition in 0..PARTITIONS {
            let shard = Shard::new("orders", partition);
            day.commit(round(1, vec![progress(&shard, 0)])).await;
            for base in (0..20).step_by(5) {
                day.end(&shard, base..base + 5).await;
            }
        }
        // Offset 21 has the key of offset 20.
        let shard = Shard::new("orders", 1);
        day.commit(round(8, vec![pending(&shard, 20, 2)])).await;

        day
    }

    pub(super) async fn on(bench: Bench) -> Day {
        Day { bench, source: None, journal: None }
    }

    pub(super) async fn open(&mut self) {
        let settings = JournalSettings { effects: Some("payments".into()), ..JournalSettings::new("payment") };
        let journal = EmbeddedJournal::open(self.bench.log.clone(), settings, self.bench.clock()).unwrap();
        journal.load().await.unwrap();
        let source = EmbeddedSource::open(self.bench.log.clone(), SourceSettings::new("payment", "orders"));
        (self.journal, self.source) = (Some(journal), Some(source.unwrap()));
    }

    /// So many events for each partition; every eighth has the same key, and offset 21 that of 20.
    pub(super) async fn publish_more(&self, count: usize) {
        for partition in 0..PARTITIONS {
            let records = (0..count).map(|n| self.keyed(partition, n)).collect();
            self.bench.append("orders", partition, records);
        }
    }

    fn keyed(&self, partition: u32, n: usize) -> Record {
        let lane = if n == 21 { 20 % 8 } else { n % 8 };
        record(n, &format!("{partition}-{lane}"))
    }

    /// How many of a partition ended in the day.
    pub(super) fn ended_in(&self, _partition: u32) -> u64 {
        20
    }

    pub(super) fn outcome(&self, partition: u32, offset: u64) -> Outcome {
        match (partition, offset) {
            (_, 3) | (0, 9) => Outcome::Dead,
            (_, 5 | 11) => Outcome::Filtered,
            (1, 14) => Outcome::Dropped,
            (0, 16) => Outcome::Duplicate,
            _ => Outcome::Completed,
        }
    }

    async fn end(&self, shard: &Shard, offsets: std::ops::Range<u64>) {
        let mut facts = Vec::new();
        let mut commit = round(offsets.start + 1, Vec::new());
        // The last of a round end in the other order: their keys differ.
        let mut order: Vec<u64> = offsets.clone().collect();
        order[3..].reverse();
        for offset in order {
            let at = Position { shard: shard.clone(), offset };
            let outcome = self.outcome(shard.partition, offset);
            let emits = offset % 4 == 1 && outcome == Outcome::Completed;
            facts.push(ended(shard, offset, outcome, u32::from(emits)));
            if outcome == Outcome::Dead {
                commit.dead.push(self.source.as_ref().unwrap().get(&at).await.unwrap().unwrap());
            }
            if emits {
                commit.emitted.push((at, AttemptId(offset), vec![returned(usize::try_from(offset).unwrap())]));
            }
        }
        facts.push(progress(shard, offsets.end));
        commit.round.facts = facts;
        self.commit(commit).await;
    }

    pub(super) async fn commit(&self, commit: Commit) {
        self.journal.as_ref().unwrap().commit(commit).await.unwrap();
    }

    /// Ends what is left, in two rounds for each partition.
    pub(super) async fn end_the_rest(&self) {
        for partition in 0..PARTITIONS {
            let shard = Shard::new("orders", partition);
            for base in [20, 22] {
                let facts: Vec<Fact> = (base..base + 2).map(|o| ended(&shard, o, Outcome::Completed, 0)).collect();
                self.commit(round(base, [facts, vec![progress(&shard, base + 2)]].concat())).await;
            }
        }
    }
}
