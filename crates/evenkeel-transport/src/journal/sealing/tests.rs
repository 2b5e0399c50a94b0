//! A journal that is put aside again and again, beside one that never is: they remember the same.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel_delivery::ports::Journal;
use evenkeel_delivery::{Fact, Mark, Open, Remembered, VersionMark};
use evenkeel_log::Disk;
use evenkeel_model::{Outcome, Position, Shard, names};

use crate::bench::Bench;
use crate::contract::rounds::{breaker, ended, mark, overdue, pending, progress, round};
use crate::journal::snapshot::Snapshot;
use crate::journal::{EmbeddedJournal, JournalSettings};

const NAMES: [&str; 3] = ["payment", "mail", "stock"];

fn orders(partition: u32) -> Shard {
    Shard::new("orders", partition)
}

fn bench() -> Bench {
    Bench::new(&[("orders", 2)])
}

async fn open(bench: &Bench, name: &str) -> (EmbeddedJournal, Vec<Remembered>) {
    // Put aside by hand, so that it is known when.
    let settings = JournalSettings { seal_bytes: u64::MAX, ..JournalSettings::new(name) };
    let journal = EmbeddedJournal::open(bench.log.clone(), settings, bench.clock()).unwrap();
    let all = journal.load().await.unwrap();
    (journal, all)
}

/// What a journal remembers, but for identities and for outcomes that progress counts; and those
/// identities that it knows, whichever way.
async fn known(bench: &Bench, name: &str, marks: &[Mark]) -> (Vec<String>, BTreeSet<Mark>) {
    let (journal, all) = open(bench, name).await;
    let mut identities: BTreeSet<Mark> =
        all.iter().filter_map(|r| if let Remembered::Done { mark, .. } = r { *mark } else { None }).collect();
    let seen = journal.seen(marks).await.unwrap();
    identities.extend(marks.iter().zip(seen).filter(|(_, seen)| seen.is_some()).map(|(mark, _)| *mark));
    let below = |at: &evenkeel_model::Position| {
        all.iter()
            .any(|r| matches!(r, Remembered::Progress { shard, below } if *shard == at.shard && at.offset < *below))
    };
    let mut state: Vec<String> = all
        .iter()
        .filter(|r| !matches!(r, Remembered::Done { at, .. } if below(at)))
        .map(|r| match r {
            Remembered::Done { at, when, .. } => format!("done {at:?} {when:?}"),
            other => format!("{other:?}"),
        })
        .collect();
    state.sort();
    (state, identities)
}

/// Rounds of a subscription's life, told apart by `seed`.
fn life(seed: u64, rounds: u64) -> Vec<Vec<Fact>> {
    let mut facts = Vec::new();
    for n in 0..rounds {
        let (shard, base) = (orders(u32::try_from((n + seed) % 2).unwrap()), n / 2 * 4);
        let mut these = vec![
            ended(&shard, base, Outcome::Completed, 0),
            ended(&shard, base + 2, Outcome::Completed, 0),
            pending(&shard, base + 1, 1),
            overdue(&shard, base + 3),
        ];
        if n % 3 == 0 {
            these.push(ended(&shard, base + 1, Outcome::Dropped, 0));
        }
        these.push(breaker(n % 4 == 0));
        these.push(Fact::Open(Open::Among { shard: shard.clone(), offsets: vec![base + 3, base + 6] }));
        if n % 4 == 1 {
            let at = Position { shard: shard.clone(), offset: base + 3 };
            these.push(Fact::Open(Open::Alone { at, crashes: 2 }));
        }
        let key = Mark([u8::try_from(n % 5).unwrap(); 16]);
        these.push(Fact::Version(VersionMark { key, version: (n % 6 != 5).then_some(i128::from(n)) }));
        if n % 7 == 6 {
            these.push(Fact::Open(Open::Nobody));
        }
        these.push(progress(&shard, base + 1));
        if n % 5 == seed % 5 {
            these.push(Fact::Paused((n % 2 == 0).then(|| format!("because {n}"))));
        }
        facts.push(these);
    }
    facts
}

fn all_marks(lives: &[Vec<Vec<Fact>>]) -> Vec<Mark> {
    let of = |fact: &Fact| if let Fact::Ended { mark, .. } = fact { *mark } else { None };
    let strangers = (0..100).map(|n| mark(&Shard::new("elsewhere", 0), n));
    lives.iter().flatten().flatten().filter_map(of).chain(strangers).collect()
}

#[tokio::test]
async fn a_journal_that_is_put_aside_remembers_what_one_that_never_is_does() {
    for seed in 0..3 {
        let (mut sealed, mut plain) = (bench(), bench());
        let lives: Vec<_> = (0..NAMES.len() as u64).map(|n| life(seed + n, 20)).collect();
        let marks = all_marks(&lives);
        for n in 0..20 {
            for (name, life) in NAMES.iter().zip(&lives) {
                for bench in [&sealed, &plain] {
                    let (journal, _) = open(bench, name).await;
                    journal.commit(round(n as u64, life[n].clone())).await.unwrap();
                }
                let (journal, _) = open(&sealed, name).await;
                if (n as u64 + seed).is_multiple_of(3) {
                    assert!(journal.sealer.seal().unwrap().is_some());
                }
                if (n as u64 + seed).is_multiple_of(7) {
                    drop(journal);
                    sealed.crash();
                    plain.crash();
                }
                assert_eq!(known(&sealed, name, &marks).await, known(&plain, name, &marks).await, "seed {seed}: {n}");
            }
        }
    }
}

/// Three subscriptions, put aside; some more after that.
async fn day() -> (Bench, Vec<Mark>) {
    let bench = bench();
    let lives: Vec<_> = (0..NAMES.len() as u64).map(|n| life(n, 24)).collect();
    for n in 0..24 {
        for (name, life) in NAMES.iter().zip(&lives) {
            let (journal, _) = open(&bench, name).await;
            journal.commit(round(n as u64, life[n].clone())).await.unwrap();
            if n % 10 == 9 {
                journal.sealer.seal().unwrap();
            }
        }
    }
    (bench, all_marks(&lives))
}

#[tokio::test]
async fn a_start_reads_nothing_of_the_journal_before_its_snapshot() {
    let (mut bench, marks) = day().await;
    let before = known(&bench, "payment", &marks).await;
    for partition in 0..8 {
        let shard = Shard::new(names::JOURNAL_TOPIC, partition);
        let owed = bench.log.owed(&shard).into_iter().map(|(_, floor)| floor).min();
        let Some(owed) = owed.filter(|floor| *floor > 0) else { continue };
        bench.log.delete_records(&shard, owed).wait().unwrap();
    }
    bench.crash();
    assert_eq!(known(&bench, "payment", &marks).await, before);
}

#[tokio::test]
async fn retention_keeps_of_the_journal_what_the_newest_snapshot_does_not_tell() {
    let (mut bench, _) = day().await;
    let owed = |bench: &Bench, shard: &Shard| {
        let owed = bench.log.owed(shard).into_iter();
        owed.filter(|(holder, _)| holder == names::SNAPSHOTS_TOPIC).map(|(_, floor)| floor).collect::<Vec<_>>()
    };
    let shards: Vec<Shard> = (0..8).map(|partition| Shard::new(names::JOURNAL_TOPIC, partition)).collect();
    let upto = |bench: &Bench, shard: &Shard| Snapshot::read(&bench.log, shard).unwrap().map(|snapshot| snapshot.upto);
    let told: Vec<(&Shard, u64)> = shards.iter().filter_map(|s| Some((s, upto(&bench, s)?))).collect();
    assert!(!told.is_empty() && told.iter().all(|(_, upto)| *upto > 0));
    for (shard, upto) in &told {
        assert_eq!(owed(&bench, shard), [*upto], "as it was put aside");
    }
    bench.crash();
    for name in NAMES {
        let journal = EmbeddedJournal::open(bench.log.clone(), JournalSettings::new(name), bench.clock()).unwrap();
        let shard = journal.sealer.shard.clone();
        assert_eq!(owed(&bench, &shard).len(), 1, "before anything of it was read");
        journal.load().await.unwrap();
        let (_, upto) = told.iter().find(|(told, _)| **told == shard).unwrap();
        assert_eq!(owed(&bench, &shard), [*upto], "once it was read");
    }
}

#[tokio::test]
async fn a_folder_of_identities_that_is_deleted_is_made_again_from_the_journal() {
    let (mut bench, marks) = day().await;
    let mut before = Vec::new();
    for name in NAMES {
        before.push(known(&bench, name, &marks).await);
    }
    let mut removed = 0;
    for series in bench.disk.list("seen").unwrap() {
        for file in bench.disk.list(&format!("seen/{series}")).unwrap() {
            bench.disk.remove(&format!("seen/{series}/{file}")).unwrap();
            removed += 1;
        }
        bench.disk.sync_folder(&format!("seen/{series}")).unwrap();
    }
    assert!(removed > 3, "{removed} files");
    bench.crash();
    for (name, before) in NAMES.iter().zip(before) {
        assert_eq!(known(&bench, name, &marks).await, before);
    }
}

#[tokio::test]
async fn a_damaged_page_costs_a_reading_of_the_journal_and_no_identity() {
    let (mut bench, marks) = day().await;
    let before = known(&bench, "payment", &marks).await;
    bench.crash();
    let mut damaged = 0;
    for series in bench.disk.list("seen").unwrap() {
        for file in bench.disk.list(&format!("seen/{series}")).unwrap() {
            // The first page of entries.
            let file = bench.disk.open(&format!("seen/{series}/{file}"), false).unwrap();
            file.write_at(&[0xff; 64], 4096 + 100).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 3, "{damaged} files");
    assert_eq!(known(&bench, "payment", &marks).await, before);
}

#[tokio::test]
async fn identities_are_forgotten_when_the_longest_inbox_of_their_partition_ends() {
    let (bench, marks) = day().await;
    let (journal, _) = open(&bench, "payment").await;
    bench.clock.advance(Duration::from_secs(8 * 24 * 3600));
    journal.commit(round(99, vec![progress(&orders(0), 900)])).await.unwrap();
    journal.sealer.seal().unwrap();
    assert_eq!(journal.sealer.series.memory().marks, 0);
    assert!(journal.seen(&marks).await.unwrap().iter().all(Option::is_none));
}

#[tokio::test]
async fn a_round_is_sealed_only_when_its_identities_are_found_on_disk() {
    let bench = bench();
    let (journal, _) = open(&bench, "payment").await;
    for n in 1..=4 {
        journal.commit(round(n, vec![ended(&orders(0), n, Outcome::Completed, 0)])).await.unwrap();
    }
    assert_eq!(journal.sealed(), 0);
    journal.sealer.seal().unwrap();
    assert_eq!(journal.sealed(), 4);
    journal.commit(round(5, vec![ended(&orders(0), 5, Outcome::Completed, 0)])).await.unwrap();
    assert_eq!(journal.sealed(), 4);
    let marks: Vec<Mark> = (1..=5).map(|n| mark(&orders(0), n)).collect();
    let seen: Vec<bool> = journal.seen(&marks).await.unwrap().iter().map(Option::is_some).collect();
    assert_eq!(seen, [true, true, true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn it_is_put_aside_by_itself_when_it_has_grown() {
    let bench = bench();
    let settings = JournalSettings { seal_bytes: 500, ..JournalSettings::new("payment") };
    let journal = EmbeddedJournal::open(bench.log.clone(), settings, bench.clock()).unwrap();
    journal.load().await.unwrap();
    for n in 1..=40 {
        journal.commit(round(n, vec![ended(&orders(0), n, Outcome::Completed, 0)])).await.unwrap();
    }
    // Whoever is at it is waited for: its turn comes first.
    while journal.sealed() == 0 {
        tokio::task::yield_now().await;
        drop(journal.sealer.series.work_in_turn());
    }
    assert!(!bench.records(names::SNAPSHOTS_TOPIC).is_empty());
}
