//! The node: configuration, CLI, HTTP API, status page, wiring, the demo.
//!
//! In the order of an event's story: [`config`] says what there is; [`node`] opens the log and
//! wires the parts; `api` takes events in and answers questions; `watching` turns the ledger into
//! alerts, `responding` alerts into actions. It decides nothing about delivery, objectives or
//! playbooks: those are the crates' below it.

pub mod error;
pub mod config;
mod happenings;
mod logs;
pub mod doctor;
mod wiring;
mod changing;
mod replaying;
pub mod node;
mod forms;
mod watching;
mod receivers;
mod telemetry;
mod responding;
mod api;
pub mod page;
pub mod metrics;
pub mod sabotage;
mod json_lines;
pub mod client;
pub mod cli;
pub mod demo;
