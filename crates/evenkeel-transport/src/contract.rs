//! The contract of a source and a journal, as a suite that every transport runs.
//!
//! A transport shows itself to the suite as a [`Subject`]: something that can be published to,
//! opened, crashed and looked into. Each [`Check`] is one promise, named after it, and runs on a
//! subject of its own. The suite is tried on transports that break one promise each, and refuses
//! them: a check that nothing can fail proves nothing.
//! What lies between an adapter and its broker is put there by [`proxy`].
//!
//! It checks what the ports promise, not how fast, and knows neither brokers nor disks. It needs
//! a tokio runtime with timers.

pub mod doubles;
pub mod intaken;
pub mod proxy;
pub mod real;
pub mod table;
mod faults;
mod reading;
mod remembering;
pub(crate) mod rounds;
mod settling;
mod sinking;
mod state;

use std::sync::Arc;

use evenkeel_delivery::ports::{BoxFuture, Journal, PortError, Redelivery, Sink, Source};
use evenkeel_model::{Position, Record};

pub use evenkeel_delivery::ports::Capabilities;
pub use faults::{Faults, Mistake};

/// What a transport shows to the suite: one subscription without a filter, reading one topic
/// from its beginning, its returned events going to another topic.
pub trait Subject: Send + Sync {
    /// Which promises it makes.
    fn capabilities(&self) -> Capabilities;
    /// Appends records to the topic that is read; they are durable when it returns. A record
    /// with a key goes to the partition of its key.
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Vec<Position>, PortError>>;
    /// Opens the subscription, as after a start.
    fn open(&self) -> BoxFuture<'_, Result<Opened, PortError>>;
    /// The process dies, the power goes: what was not durable may be gone. Ports that were
    /// opened before are not used again.
    fn crash(&self) -> BoxFuture<'_, Result<(), PortError>>;
    /// All dead letters of the subscription.
    fn dead(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>>;
    /// All events that were returned and committed.
    fn effects(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>>;
    /// A sink that publishes to the topic that is read, where the transport has one.
    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
    /// What can go wrong between it and its broker; `None` where there is nothing between.
    fn faults(&self) -> Option<&dyn Faults> {
        None
    }
    /// How many events were given to whoever opened it last and are not settled, where the broker
    /// tells. A log hands out nothing.
    fn unsettled(&self) -> BoxFuture<'_, Result<Option<u64>, PortError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// The ports of a subscription.
#[derive(Clone)]
pub struct Opened {
    /// Where its events come from.
    pub source: Arc<dyn Source>,
    /// What it remembers.
    pub journal: Arc<dyn Journal>,
}

/// One promise.
#[derive(Clone, Copy)]
pub struct Check {
    /// What is promised.
    pub name: &'static str,
    needs: fn(&Capabilities) -> bool,
    run: Run,
}

/// A check as a function.
type Run = for<'a> fn(&'a dyn Subject) -> BoxFuture<'a, Result<(), Broken>>;

/// A promise that was not kept, and how that showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

impl From<PortError> for Broken {
    fn from(error: PortError) -> Broken {
        Broken(format!("a port failed: {error}"))
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Check {
    /// Runs it on a subject that nothing was published to, if that promises it at all.
    pub async fn run(&self, subject: &dyn Subject) -> Result<(), Broken> {
        if !(self.needs)(&subject.capabilities()) {
            return Ok(());
        }
        (self.run)(subject).await
    }
}

/// Of every transport.
const ALL: fn(&Capabilities) -> bool = |_| true;

/// All promises.
pub const CHECKS: [Check; 27] = [
    Check {
        name: "everything_is_given_once_and_in_order",
        needs: ALL,
        run: |s| Box::pin(reading::once_and_in_order(s)),
    },
    Check { name: "reading_goes_on_from_any_offset", needs: ALL, run: |s| Box::pin(reading::goes_on(s)) },
    Check {
        name: "key_headers_and_payload_come_back_as_they_were",
        needs: ALL,
        run: |s| Box::pin(reading::round_trip(s)),
    },
    Check { name: "a_payload_of_1_mb_comes_back_as_it_was", needs: ALL, run: |s| Box::pin(reading::large(s)) },
    Check { name: "one_event_can_be_had_again", needs: ALL, run: |s| Box::pin(reading::again(s)) },
    Check { name: "news_wake_a_waiting_reader", needs: ALL, run: |s| Box::pin(reading::news(s)) },
    Check {
        name: "what_has_no_outcome_is_given_again_after_a_crash",
        needs: ALL,
        run: |s| Box::pin(reading::at_least_once(s)),
    },
    Check { name: "settling_takes_nothing_that_is_still_owed", needs: ALL, run: |s| Box::pin(reading::settled(s)) },
    Check { name: "a_new_journal_remembers_nothing", needs: ALL, run: |s| Box::pin(remembering::nothing(s)) },
    Check {
        name: "what_was_committed_is_remembered_after_a_crash",
        needs: ALL,
        run: |s| Box::pin(remembering::all(s)),
    },
    Check { name: "progress_is_restored_exactly", needs: ALL, run: |s| Box::pin(remembering::exact_progress(s)) },
    Check { name: "a_later_fact_replaces_an_earlier_one", needs: ALL, run: |s| Box::pin(remembering::replaced(s)) },
    Check {
        name: "a_round_is_committed_with_its_dead_letters_and_events",
        needs: ALL,
        run: |s| Box::pin(remembering::whole(s)),
    },
    Check {
        name: "a_commit_that_was_cut_off_is_whole_or_nothing",
        needs: ALL,
        run: |s| Box::pin(remembering::cut_off(s)),
    },
    Check {
        name: "what_is_settled_is_not_given_again",
        needs: |c| !c.keeps_settled,
        run: |s| Box::pin(settling::once(s)),
    },
    Check {
        name: "nothing_is_settled_before_its_outcome_is_journaled",
        needs: ALL,
        run: |s| Box::pin(settling::late(s)),
    },
    Check { name: "who_lost_his_right_writes_no_more", needs: |c| c.fences, run: |s| Box::pin(settling::fenced(s)) },
    Check {
        name: "what_was_left_without_an_outcome_is_given_to_the_next_one_at_once",
        needs: ALL,
        run: |s| Box::pin(settling::left(s)),
    },
    Check {
        name: "a_lease_is_renewed_while_a_handler_works",
        needs: |c| matches!(c.redelivery, Redelivery::Lease(_)),
        run: |s| Box::pin(settling::renewed(s)),
    },
    Check {
        name: "no_more_is_handed_out_than_the_reader_has_room_for",
        needs: ALL,
        run: |s| Box::pin(settling::backpressure(s)),
    },
    Check {
        name: "what_a_sink_confirms_is_there_once_and_in_order",
        needs: ALL,
        run: |s| Box::pin(sinking::confirmed(s)),
    },
    Check { name: "a_sink_answers_each_event_by_itself", needs: ALL, run: |s| Box::pin(sinking::one_by_one(s)) },
    Check { name: "wrong_credentials_are_told", needs: ALL, run: |s| Box::pin(faults::credentials(s)) },
    Check { name: "a_topic_that_does_not_exist_is_told", needs: ALL, run: |s| Box::pin(faults::no_topic(s)) },
    Check {
        name: "reading_goes_on_when_the_broker_returns",
        needs: ALL,
        run: |s| Box::pin(faults::reading_goes_on(s)),
    },
    Check {
        name: "a_commit_while_the_broker_is_away_is_whole_or_nothing",
        needs: ALL,
        run: |s| Box::pin(faults::commit_while_away(s)),
    },
    Check {
        name: "a_sink_confirms_nothing_while_the_broker_is_away",
        needs: ALL,
        run: |s| Box::pin(faults::sink_while_away(s)),
    },
];

/// Runs all checks, each on a subject of its own; those that were broken, by name.
pub async fn run<S: Subject>(fresh: impl Fn() -> S) -> Vec<(&'static str, Broken)> {
    let mut broken = Vec::new();
    for check in CHECKS {
        let subject = fresh();
        if let Err(why) = check.run(&subject).await {
            broken.push((check.name, why));
        }
    }
    broken
}

/// Says why a promise is broken, unless it is kept.
fn promise(kept: bool, why: impl FnOnce() -> String) -> Result<(), Broken> {
    if kept { Ok(()) } else { Err(Broken(why())) }
}

#[cfg(test)]
mod tests;
