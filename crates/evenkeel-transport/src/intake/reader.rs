//! What a subscription reads and journals through, so that the broker hears of its outcomes.
//!
//! The source takes the intake's own headers off again; the journal tells the intake what was
//! committed, when it is durable and not before.

use std::sync::Arc;

use evenkeel_delivery::ports::{BoxFuture, Commit, Delivered, Fetched, Journal, Letters, News, PortError, Source};
use evenkeel_delivery::{Bring, Fact, Mark, Remembered};
use evenkeel_model::{Position, Shard, Timestamp, names};

use super::Intake;

pub(super) fn pair(
    intake: Arc<Intake>,
    name: Arc<str>,
    source: Arc<dyn Source>,
    journal: Arc<dyn Journal>,
) -> (Arc<dyn Source>, Arc<dyn Journal>) {
    (Arc::new(Unsigned(source)), Arc::new(Telling { intake, name, journal }))
}

/// A source whose records are what the broker gave.
struct Unsigned(Arc<dyn Source>);

fn unsign(event: &mut Arc<Delivered>) {
    if event.record.headers.last().is_some_and(|header| header.name == names::INTAKE) {
        let headers = &mut Arc::make_mut(event).record.headers;
        headers.pop();
        // No more the message's own than the name is.
        headers.pop_if(|last| last.name == names::BROKER_DELIVERIES);
    }
}

impl Source for Unsigned {
    fn shards(&self) -> BoxFuture<'_, Result<Vec<(Shard, u64)>, PortError>> {
        self.0.shards()
    }

    fn fetch(&self, shard: &Shard, from: u64, max: usize) -> BoxFuture<'_, Result<Fetched, PortError>> {
        let shard = shard.clone();
        Box::pin(async move {
            let (mut events, next) = self.0.fetch(&shard, from, max).await?;
            events.iter_mut().for_each(unsign);
            Ok((events, next))
        })
    }

    fn get(&self, at: &Position) -> BoxFuture<'_, Result<Option<Arc<Delivered>>, PortError>> {
        let at = at.clone();
        Box::pin(async move {
            let mut found = self.0.get(&at).await?;
            found.iter_mut().for_each(unsign);
            Ok(found)
        })
    }

    fn changed(&self) -> BoxFuture<'_, News> {
        self.0.changed()
    }

    fn settle(&self, floors: &[(Shard, u64)]) {
        self.0.settle(floors);
    }
}

/// A journal that tells the intake.
struct Telling {
    intake: Arc<Intake>,
    name: Arc<str>,
    journal: Arc<dyn Journal>,
}

impl Journal for Telling {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>> {
        Box::pin(async move {
            let remembered = self.journal.load().await?;
            self.intake.book().remembered(&self.name, &self.intake.settings.topic, &remembered);
            self.intake.freed.notify_one();
            Ok(remembered)
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), PortError>> {
        let facts: Vec<Fact> = commit.round.facts.iter().filter(|fact| tells(fact)).cloned().collect();
        Box::pin(async move {
            self.journal.commit(commit).await?;
            if self.intake.book().committed(&self.name, &self.intake.settings.topic, &facts) {
                self.intake.freed.notify_one();
            }
            Ok(())
        })
    }

    fn letters(&self, wanted: Bring) -> BoxFuture<'_, Result<Letters, PortError>> {
        self.journal.letters(wanted)
    }

    fn seen<'a>(&'a self, marks: &'a [Mark]) -> BoxFuture<'a, Result<Vec<Option<Timestamp>>, PortError>> {
        self.journal.seen(marks)
    }

    fn sealed(&self) -> u64 {
        self.journal.sealed()
    }
}

/// Whether a fact says that the broker may let go of something.
fn tells(fact: &Fact) -> bool {
    matches!(fact, Fact::Ended { .. } | Fact::Pending(_) | Fact::Progress { .. })
}
