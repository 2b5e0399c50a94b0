//! CloudEvents 1.0 in the forms in which they travel: HTTP (binary, structured, batched), JSON,
//! Kafka, NATS and AMQP; and the questions that are asked of an event wherever it came from.
//!
//! Every form is read into the same [`evenkeel_model::Event`], and everything that is read is
//! checked: what breaks a rule of the specification comes back as a [`Problem`] that names the
//! field, its value and the rule. Reading never panics, whatever the bytes are, and never
//! allocates more than a small multiple of them.
//!
//! This crate opens no socket, knows no topic, and sets no policy. Invariants: a batch is read
//! whole or not at all; extension attributes keep their order and their JSON type; `time` is
//! kept as it was written; JSON data keeps its numbers and the order of its members to the
//! letter, and loses only the white space between its tokens.
//!
//! Decisions where the specification leaves room, or is often misread: a JSON attribute that is
//! `null` is absent; `"data": null` is the payload `null` where data is JSON; JSON data without
//! a content type becomes `application/json`; a name that is not made of `a-z0-9` is refused,
//! not folded; an empty body in HTTP binary mode is no data.

pub mod http;
pub mod json;
pub mod kafka;
pub mod time;
pub mod trace;
pub mod filter;
mod created;
mod content;
mod draft;
mod limits;
mod media_type;
mod parcel;
mod problem;
mod uri;

pub use content::{content_hash, data_pointer};
pub use created::created;
pub use limits::Limits;
pub use parcel::{Parcel, Style};
pub use problem::Problem;

#[cfg(test)]
mod tests;
