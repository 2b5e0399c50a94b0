//! What a journal promises.

use std::sync::Arc;
use std::task::Poll;

use evenkeel_delivery::ports::{Delivered, Journal};
use evenkeel_delivery::{Fact, Mark, Open, VersionMark};
use evenkeel_model::{Outcome, Position, Shard, names};

use super::rounds::{breaker, ended, full_round, overdue, pending, progress, records, round};
use super::state::State;
use super::{Broken, Opened, Subject, promise};

async fn remembered(journal: &dyn Journal) -> Result<State, Broken> {
    Ok(State::of(journal.load().await?))
}

/// Opens, with the journal loaded: it is written only after that.
pub(super) async fn opened(subject: &dyn Subject) -> Result<Opened, Broken> {
    let opened = subject.open().await?;
    opened.journal.load().await?;
    Ok(opened)
}

async fn shards(subject: &dyn Subject) -> Result<Vec<Shard>, Broken> {
    let shards = subject.open().await?.source.shards().await?;
    Ok(shards.into_iter().map(|(shard, _)| shard).collect())
}

/// Commits these rounds one after the other, crashes, and compares what is remembered.
async fn comes_back(subject: &dyn Subject, rounds: &[Vec<Fact>]) -> Result<(), Broken> {
    let facts: Vec<Fact> = rounds.iter().flatten().cloned().collect();
    let expected = State::expected(&facts);
    let journal = opened(subject).await?.journal;
    for (number, facts) in (1..).zip(rounds) {
        journal.commit(round(number, facts.clone())).await?;
    }
    let now = remembered(&*journal).await?;
    promise(now == expected, || format!("before a crash, {now:?} is remembered instead of {expected:?}"))?;
    drop(journal);
    subject.crash().await?;
    let after = remembered(&*opened(subject).await?.journal).await?;
    promise(after == expected, || format!("after a crash, {after:?} is remembered instead of {expected:?}"))
}

pub(super) async fn nothing(subject: &dyn Subject) -> Result<(), Broken> {
    subject.publish(records(10)).await?;
    let found = subject.open().await?.journal.load().await?;
    promise(found.is_empty(), || format!("a new journal remembers {found:?}"))
}

fn version(key: u8, version: Option<i128>) -> Fact {
    Fact::Version(VersionMark { key: Mark([key; 16]), version })
}

fn among(shard: &Shard, offsets: &[u64]) -> Fact {
    Fact::Open(Open::Among { shard: shard.clone(), offsets: offsets.to_vec() })
}

pub(super) async fn all(subject: &dyn Subject) -> Result<(), Broken> {
    subject.publish(records(40)).await?;
    let shards = shards(subject).await?;
    let a = &shards[0];
    let first = vec![
        progress(a, 0),
        ended(a, 0, Outcome::Completed, 0),
        overdue(a, 2),
        ended(a, 1, Outcome::Filtered, 0),
        pending(a, 2, 1),
        among(a, &[2, 3, 5]),
        version(1, Some(7)),
        version(2, Some(-7)),
        version(3, Some(i128::MAX)),
        ended(a, 4, Outcome::Dropped, 0),
        progress(a, 2),
        breaker(true),
    ];
    let alone = Open::Alone { at: Position { shard: a.clone(), offset: 5 }, crashes: 1 };
    let mut second = vec![
        pending(a, 3, 7),
        version(1, Some(9)),
        version(3, None),
        Fact::Open(alone),
        Fact::Paused(Some("because".to_owned())),
    ];
    if let Some(b) = shards.get(1) {
        second.extend([ended(b, 0, Outcome::Duplicate, 0), pending(b, 3, 7), progress(b, 1)]);
    }
    comes_back(subject, &[first, second]).await
}

fn progress_of(shards: &[Shard], below: u64) -> Vec<Fact> {
    shards.iter().map(|shard| progress(shard, below + u64::from(shard.partition))).collect()
}

pub(super) async fn exact_progress(subject: &dyn Subject) -> Result<(), Broken> {
    let shards = shards(subject).await?;
    for below in [3, 5, 200, 70_000] {
        let journal = opened(subject).await?.journal;
        journal.commit(round(1, progress_of(&shards, below))).await?;
        subject.crash().await?;
        let found = remembered(&*opened(subject).await?.journal).await?.progress;
        for shard in &shards {
            let wanted = below + u64::from(shard.partition);
            let kept = found.get(shard).copied();
            promise(kept == Some(wanted), || format!("progress of {shard:?} is {kept:?} instead of {wanted}"))?;
        }
    }
    Ok(())
}

pub(super) async fn replaced(subject: &dyn Subject) -> Result<(), Broken> {
    subject.publish(records(40)).await?;
    let shard = shards(subject).await?.remove(0);
    let first = vec![
        pending(&shard, 1, 1),
        pending(&shard, 2, 1),
        overdue(&shard, 1),
        breaker(true),
        among(&shard, &[0, 2, 6]),
        Fact::Paused(Some("x".to_owned())),
    ];
    let second = vec![
        pending(&shard, 2, 4),
        ended(&shard, 1, Outcome::Completed, 0),
        ended(&shard, 0, Outcome::Completed, 0),
        // It had begun, and is above the progress.
        ended(&shard, 6, Outcome::Completed, 0),
        progress(&shard, 2),
        breaker(false),
        Fact::Paused(None),
    ];
    comes_back(subject, &[first, second]).await
}

/// Two events of one partition, to be ended.
pub(super) async fn two(subject: &dyn Subject, opened: &Opened) -> Result<(Arc<Delivered>, Arc<Delivered>), Broken> {
    subject.publish(records(40)).await?;
    for (shard, from) in opened.source.shards().await? {
        let (events, _) = opened.source.fetch(&shard, from, 2).await?;
        if let [first, second] = events.as_slice() {
            return Ok((first.clone(), second.clone()));
        }
    }
    Err(Broken("of 40 published events no partition gave two".to_owned()))
}

/// How much of a full round is there: its outcomes, its returned events, its dead letters.
pub(super) async fn found(subject: &dyn Subject) -> Result<(usize, usize, usize), Broken> {
    let done = remembered(&*opened(subject).await?.journal).await?.done.len();
    Ok((done, subject.effects().await?.len(), subject.dead().await?.len()))
}

pub(super) async fn whole(subject: &dyn Subject) -> Result<(), Broken> {
    let opened = opened(subject).await?;
    let (done, dead) = two(subject, &opened).await?;
    opened.journal.commit(full_round(&done, &dead)).await?;
    drop(opened);
    subject.crash().await?;
    let counts = found(subject).await?;
    promise(counts == (2, 2, 1), || {
        format!("of 2 outcomes, 2 returned events and 1 dead letter, {counts:?} are there")
    })?;
    let letter = subject.dead().await?.remove(0);
    promise(letter.value == dead.record.value && letter.key == dead.record.key, || {
        "the dead letter is not the event that died".to_owned()
    })?;
    let reason = letter.header(names::dead::REASON).map(|r| r.to_vec());
    promise(reason.as_deref() == Some(b"attempts_exhausted"), || {
        format!("the dead letter says {reason:?} for a reason")
    })
}

pub(super) async fn cut_off(subject: &dyn Subject) -> Result<(), Broken> {
    let opened = opened(subject).await?;
    let (done, dead) = two(subject, &opened).await?;
    {
        // Begun, and never waited for: the process died in between.
        let mut commit = opened.journal.commit(full_round(&done, &dead));
        let _ = std::future::poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx).is_ready())).await;
    }
    // What was appended before this is on the medium with it, be it a part of the round.
    subject.publish(records(1)).await?;
    drop(opened);
    subject.crash().await?;
    let counts = found(subject).await?;
    promise(counts == (2, 2, 1) || counts == (0, 0, 0), || format!("a part of a round is there: {counts:?}"))
}
