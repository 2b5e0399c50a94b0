//! What happens when the broker is not there, or not willing.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, PortError, Source};
use evenkeel_model::{Position, Record, Shard};
use tokio::time::Instant;

use super::reading::publish;
use super::remembering::{found, opened, two};
use super::rounds::{full_round, records};
use super::sinking::outgoing;
use super::{Broken, Opened, Subject, promise};

/// How long the suite waits for what must come once the broker is back.
const PATIENCE: Duration = Duration::from_secs(60);

/// What lies between a subject and its broker. [`Subject::publish`], [`Subject::dead`] and
/// [`Subject::effects`] pass it by; what [`Subject::open`] and [`Subject::sink`] give does not.
pub trait Faults: Send + Sync {
    /// Nobody can be reached from now on.
    fn cut(&self);
    /// Everything is as before.
    fn mend(&self);
    /// How long the broker stays away; long enough that the adapter notices.
    fn away(&self) -> Duration {
        Duration::from_secs(2)
    }
    /// Opens with a mistake in the settings; `None` where that mistake can't be made.
    fn open_wrong(&self, mistake: Mistake) -> Option<BoxFuture<'_, Result<Opened, PortError>>>;
}

/// What somebody got wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The password.
    Credentials,
    /// The topic, queue or stream; the message names it: `no-such-topic`.
    Topic,
}

async fn told(subject: &dyn Subject, mistake: Mistake, names: &str) -> Result<(), Broken> {
    let Some(opening) = subject.faults().and_then(|faults| faults.open_wrong(mistake)) else { return Ok(()) };
    let opening = async {
        let opened = opening.await?;
        // At the latest whoever reads is told.
        opened.source.shards().await?;
        opened.journal.load().await
    };
    let told = tokio::time::timeout(PATIENCE, opening).await;
    let told = told.map_err(|_| Broken(format!("{mistake:?}: nobody was told within {PATIENCE:?}")))?;
    let message = told.err().map_or_else(String::new, |error| error.0.to_lowercase());
    promise(message.contains(names), || format!("{mistake:?}: the message does not say `{names}`: `{message}`"))
}

pub(super) async fn credentials(subject: &dyn Subject) -> Result<(), Broken> {
    told(subject, Mistake::Credentials, "authentication").await
}

pub(super) async fn no_topic(subject: &dyn Subject) -> Result<(), Broken> {
    told(subject, Mistake::Topic, "no-such-topic").await
}

/// Reads on, from where each partition was left, until all of these came.
async fn read_on(
    source: &dyn Source,
    next: &mut BTreeMap<Shard, u64>,
    published: &[(Position, Record)],
) -> Result<(), Broken> {
    let deadline = Instant::now() + PATIENCE;
    let mut missing: BTreeMap<&Position, &Record> = published.iter().map(|(at, record)| (at, record)).collect();
    while !missing.is_empty() {
        promise(Instant::now() < deadline, || format!("{} events did not come again", missing.len()))?;
        for (shard, from) in next.iter_mut() {
            // An error is no end: the broker has just come back.
            let Ok((events, on)) = source.fetch(shard, *from, 7).await else { continue };
            for event in &events {
                let at = &event.arrival.at;
                promise(at.offset >= *from, || format!("{at:?} was given in a fetch from {from}"))?;
                let known = missing.remove(at).is_none_or(|record| record.value == event.record.value);
                promise(known, || format!("another record was given for {at:?}"))?;
            }
            *from = on;
        }
        let _ = tokio::time::timeout(Duration::from_millis(100), source.changed()).await;
    }
    Ok(())
}

pub(super) async fn reading_goes_on(subject: &dyn Subject) -> Result<(), Broken> {
    let Some(faults) = subject.faults() else { return Ok(()) };
    let mut published = publish(subject, records(20)).await?;
    let opened = opened(subject).await?;
    let mut next = BTreeMap::new();
    for (shard, from) in opened.source.shards().await? {
        let (_, on) = opened.source.fetch(&shard, from, 3).await?;
        published.retain(|(at, _)| at.shard != shard || at.offset >= on);
        next.insert(shard, on);
    }
    faults.cut();
    let away = tokio::time::sleep(faults.away());
    for (shard, from) in &next {
        let asked = tokio::time::timeout(PATIENCE, opened.source.fetch(shard, *from, 0)).await;
        promise(asked.is_ok(), || "a fetch while the broker was away never ended".to_owned())?;
    }
    published.extend(publish(subject, records(20)).await?);
    away.await;
    faults.mend();
    read_on(&*opened.source, &mut next, &published).await
}

pub(super) async fn commit_while_away(subject: &dyn Subject) -> Result<(), Broken> {
    let Some(faults) = subject.faults() else { return Ok(()) };
    let opened = opened(subject).await?;
    let (done, dead) = two(subject, &opened).await?;
    faults.cut();
    let commit = opened.journal.commit(full_round(&done, &dead));
    let mended = async {
        tokio::time::sleep(faults.away()).await;
        faults.mend();
    };
    let (committed, ()) = tokio::join!(tokio::time::timeout(PATIENCE, commit), mended);
    drop(opened);
    subject.crash().await?;
    let counts = found(subject).await?;
    promise(counts == (2, 2, 1) || counts == (0, 0, 0), || format!("a part of a round is there: {counts:?}"))?;
    let said = matches!(committed, Ok(Ok(())));
    promise(!said || counts == (2, 2, 1), || "a commit was acknowledged, and is not there".to_owned())
}

pub(super) async fn sink_while_away(subject: &dyn Subject) -> Result<(), Broken> {
    let (Some(faults), Some(sink)) = (subject.faults(), subject.sink().await?) else { return Ok(()) };
    faults.cut();
    let sent = tokio::time::timeout(PATIENCE, sink.publish(outgoing(0..5))).await;
    faults.mend();
    let sent = sent.map_err(|_| Broken("a publish while the broker was away never ended".to_owned()))?;
    promise(sent.len() == 5, || format!("5 events had {} answers", sent.len()))?;
    promise(sent.iter().all(Result::is_err), || "the sink confirmed what nobody could have taken".to_owned())?;
    let deadline = Instant::now() + PATIENCE;
    while sink.publish(outgoing(5..6)).await.iter().any(Result::is_err) {
        promise(Instant::now() < deadline, || "the sink did not come back with its broker".to_owned())?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
