//! Delivery's ports for the embedded log and for HTTP push, and what is read back out of a log.
//!
//! In the order of an event's story: [`Ingress`] takes it in once, [`Intake`] from a broker's
//! [`Queue`]; [`EmbeddedSource`] reads it;
//! [`HttpHandler`] hands it over; [`EmbeddedJournal`] commits what became of it as one atomic
//! set; [`audit`], [`story`] and [`dead`] answer questions from the log alone. [`contract`] is
//! the suite that every source and journal must pass, this one included.
//!
//! What it does not do: it decides nothing about retries, order or breakers (that is
//! `evenkeel-delivery`), serves nothing, and starts no long-lived task.

pub mod happening;
pub mod happenings;
mod ingress;
mod intake;
mod refusal;
mod source;
mod held;
pub mod http;
mod journal;
mod outgoing;
mod sink;
pub mod mirror;
pub mod audit;
pub mod story;
pub mod trace;
pub mod dead;
pub mod contract;
mod pages;
#[cfg(test)]
mod bench;

use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{Capabilities, NativeLimits};
use evenkeel_model::EventId;

pub use evenkeel_cloudevents::{Parcel, Style};
pub use held::{Held, HeldSize, Tended};
pub use http::{Accepted, Batch, Callbacks, HttpHandler, HttpSettings, Reach, Settling};
pub use ingress::{Ingress, PublishError, Published};
pub use intake::{Intake, IntakeSettings, IntakeView, LateQueue, Limit, Queue, Taken, Terms, Ticket, note_given};
pub use journal::{EmbeddedJournal, JOURNAL_PARTITIONS, JournalSettings, Recall, dead_record};
pub use outgoing::{parcel, record};
pub use refusal::{NoConnection, Refusal};
pub use sink::{IngressSink, SinkHandler, batches_by_key, by_key};
pub use source::{Doubts, EmbeddedSource, From, Names, Pick, SourceSettings, deliver, senseless, taken};

/// What the embedded log can do. One process has it at a time, and the log itself keeps others out;
/// an event is no larger than one atomic set may be, by default.
pub const EMBEDDED: Capabilities = Capabilities {
    limits: NativeLimits { payload_bytes_max: Some(8 << 20), deliveries_max: None, unsettled_max: None },
    ..Capabilities::LOG
};

/// The identity of an event's effect in the subscription with this uid.
pub fn mark(subscription_uid: &str, id: &EventId) -> Mark {
    Mark::of(subscription_uid, &id.source, &id.id)
}
