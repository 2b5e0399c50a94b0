//! A redriven event counts where it ended last, once, and only with a redrive in both books.

use std::sync::Arc;

use evenkeel_delivery::ports::{Journal, Source};
use evenkeel_delivery::{Fact, Redriven, Remembered};
use evenkeel_model::{Outcome, Position, Shard};

use super::super::{Audited, audit};
use crate::bench::Bench;
use crate::contract::rounds::{NOW, at, ended, progress, records, round};
use crate::{EmbeddedJournal, EmbeddedSource, JournalSettings, SourceSettings, dead};

fn orders() -> Shard {
    Shard::new("orders", 0)
}

fn redriven(offset: u64, letter: u64) -> Fact {
    let letter = Position { shard: dead::shard_of("payment"), offset: letter };
    Fact::Redriven(Redriven { at: at(&orders(), offset), letter, job: Arc::from("r1"), new_key: false, when: NOW })
}

struct Desk {
    bench: Bench,
    journal: EmbeddedJournal,
}

impl Desk {
    /// Two events, of which the first died.
    async fn new() -> Desk {
        let bench = Bench::new(&[("orders", 1)]);
        bench.append("orders", 0, records(2));
        let journal = EmbeddedJournal::open(bench.log.clone(), JournalSettings::new("payment"), bench.clock()).unwrap();
        journal.load().await.unwrap();
        let desk = Desk { bench, journal };
        desk.commit(vec![progress(&orders(), 0)]).await;
        desk.commit(vec![
            ended(&orders(), 0, Outcome::Dead, 0),
            ended(&orders(), 1, Outcome::Completed, 0),
            progress(&orders(), 2),
        ])
        .await;
        desk
    }

    async fn commit(&self, facts: Vec<Fact>) {
        let source = EmbeddedSource::open(self.bench.log.clone(), SourceSettings::new("payment", "orders")).unwrap();
        let mut commit = round(1, facts);
        for fact in &commit.round.facts {
            if let Fact::Ended { shard, entry, .. } = fact
                && entry.outcome == Outcome::Dead
            {
                commit.dead.extend(source.get(&at(shard, entry.offset)).await.unwrap());
            }
        }
        self.journal.commit(commit).await.unwrap();
    }

    /// Completed, dead, in flight, and what does not add up.
    fn sums(&self) -> (u64, u64, u64, Vec<String>) {
        let audited = Audited {
            name: "payment".into(),
            topic: "orders".into(),
            order: evenkeel_delivery::Order::Key,
            effects: None,
            live: None,
        };
        let found = audit(&self.bench.log, &[audited]).unwrap().subscriptions.remove(0);
        (found.completed, found.dead, found.in_flight, found.problems)
    }
}

#[tokio::test]
async fn a_redriven_event_counts_where_it_ended_last_and_is_in_flight_until_then() {
    let desk = Desk::new().await;
    assert_eq!(desk.sums(), (1, 1, 0, vec![]));
    desk.commit(vec![redriven(0, 0)]).await;
    assert_eq!(desk.sums(), (1, 0, 1, vec![]));
    desk.commit(vec![ended(&orders(), 0, Outcome::Dead, 0)]).await;
    assert_eq!(desk.sums(), (1, 1, 0, vec![]), "it has two letters for two deaths");
    desk.commit(vec![redriven(0, 1)]).await;
    desk.commit(vec![ended(&orders(), 0, Outcome::Completed, 0)]).await;
    assert_eq!(desk.sums(), (2, 0, 0, vec![]));
}

#[tokio::test]
async fn a_second_outcome_without_a_redrive_is_a_problem_and_so_is_a_redrive_of_what_was_not_dead() {
    let desk = Desk::new().await;
    desk.commit(vec![ended(&orders(), 0, Outcome::Completed, 0)]).await;
    assert_eq!(desk.sums().3, ["orders/0 offset 0 has two outcomes: dead, then completed"]);
    let desk = Desk::new().await;
    desk.commit(vec![redriven(1, 0)]).await;
    assert_eq!(desk.sums().3, ["orders/0 offset 1 was redriven, and was not dead but completed"]);
}

#[tokio::test]
async fn the_journal_remembers_what_is_open_again_and_which_letters_are_dealt_with() {
    let desk = Desk::new().await;
    desk.commit(vec![redriven(0, 0)]).await;
    let open = |all: &[Remembered]| all.iter().filter(|r| matches!(r, Remembered::Redriven(_))).count();
    let all = desk.journal.load().await.unwrap();
    assert_eq!(open(&all), 1);
    desk.commit(vec![ended(&orders(), 0, Outcome::Completed, 0)]).await;
    let all = desk.journal.load().await.unwrap();
    assert_eq!(open(&all), 0);
    assert!(all.iter().any(|r| matches!(r, Remembered::LettersClosed(c) if (c.from, c.until) == (0, 1))), "{all:?}");
}

#[tokio::test]
async fn a_dead_letter_is_read_as_the_record_that_it_was_at_the_place_where_it_was() {
    let desk = Desk::new().await;
    let source = EmbeddedSource::open(desk.bench.log.clone(), SourceSettings::new("payment", "orders")).unwrap();
    let letter = Position { shard: dead::shard_of("payment"), offset: 0 };
    let again = source.get(&letter).await.unwrap().expect("it is there");
    let original = source.get(&at(&orders(), 0)).await.unwrap().expect("so is the original");
    assert_eq!((&again.arrival.at, &again.record), (&original.arrival.at, &original.record));
    assert_eq!(again.arrival.mark, original.arrival.mark, "the same identity, so the same key");
}
