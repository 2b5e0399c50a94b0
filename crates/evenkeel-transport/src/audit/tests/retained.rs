//! Retention took the beginning of the ledger, of the journal, or of both.

use std::time::Duration;

use evenkeel_delivery::Order;
use evenkeel_delivery::ports::Journal;
use evenkeel_model::{Outcome, Shard, names};

use crate::audit::{Audited, SubscriptionAudit, audit};
use crate::bench::Bench;
use crate::contract::rounds::{ended, progress, records, round};
use crate::journal::{EmbeddedJournal, JournalSettings, shard_of};

const HOUR: Duration = Duration::from_secs(3600);

/// Ten days: on each ten events come, of which half end at once, and half an hour later; but for
/// one that is lost.
async fn ten_days(lost: Option<u64>) -> Bench {
    let bench = Bench::new(&[("orders", 1)]);
    let journal = EmbeddedJournal::open(bench.log.clone(), JournalSettings::new("payment"), bench.clock()).unwrap();
    journal.load().await.unwrap();
    let shard = Shard::new("orders", 0);
    for half in 0..20 {
        if half % 2 == 0 {
            bench.append("orders", 0, records(10));
        }
        let here = (half * 5..half * 5 + 5).filter(|offset| Some(*offset) != lost);
        let mut facts: Vec<_> = here.map(|offset| ended(&shard, offset, Outcome::Completed, 0)).collect();
        facts.push(progress(&shard, half * 5 + 5));
        journal.commit(round(half + 1, facts)).await.unwrap();
        bench.clock.advance(if half % 2 == 0 { HOUR } else { 23 * HOUR });
    }
    bench
}

fn cut(bench: &Bench, ledger: u64, journal: u64) -> SubscriptionAudit {
    let journals = shard_of(&bench.log, "payment").unwrap();
    bench.log.delete_records(&Shard::new(names::LEDGER_TOPIC, 0), ledger).wait().unwrap();
    bench.log.delete_records(&journals, journal).wait().unwrap();
    let audited =
        Audited { name: "payment".into(), topic: "orders".into(), order: Order::Key, effects: None, live: None };
    audit(&bench.log, &[audited]).unwrap().subscriptions.remove(0)
}

/// Offset `n` of either is that of the half day `n`; the account begins with the next day's events.
fn first(ledger: u64, journal: u64) -> u64 {
    ledger.max(journal).div_ceil(2) * 10
}

#[tokio::test]
async fn the_account_begins_with_what_came_after_the_oldest_record_that_both_have() {
    let bench = ten_days(None).await;
    for (ledger, journal) in [(0, 0), (1, 0), (1, 4), (5, 4), (6, 9), (14, 9), (14, 14), (15, 17), (19, 18)] {
        let sums = cut(&bench, ledger, journal);
        assert_eq!(sums.problems, [""; 0], "{ledger}, {journal}");
        assert_eq!((sums.appended, sums.completed), (100 - first(ledger, journal), 100 - first(ledger, journal)));
    }
}

#[tokio::test]
async fn what_is_lost_of_the_rest_is_found_all_the_same() {
    let bench = ten_days(Some(85)).await;
    for (ledger, journal) in [(0, 0), (3, 0), (5, 8), (12, 8), (16, 15)] {
        let problems = cut(&bench, ledger, journal).problems;
        assert!(problems.iter().any(|p| p.contains("orders/0 offset 85 is lost")), "{ledger}, {journal}: {problems:?}");
    }
}

#[tokio::test]
async fn a_subscription_of_which_nothing_is_left_to_be_told_has_no_account_of_before() {
    let bench = ten_days(None).await;
    bench.append("orders", 0, records(3));
    let sums = cut(&bench, 20, 20);
    assert_eq!(sums.problems, [""; 0]);
    assert_eq!(sums.completed, 0);
}
