//! A really started node on a free port: what it takes, what it refuses, what it survives.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;
#[path = "node/binary.rs"]
mod binary;
#[path = "node/publishing.rs"]
mod publishing;
#[path = "node/bad_events.rs"]
mod bad_events;
#[path = "node/letters.rs"]
mod letters;
#[path = "node/redrives.rs"]
mod redrives;
#[path = "node/queries.rs"]
mod queries;
#[path = "node/bad_handlers.rs"]
mod bad_handlers;
#[path = "node/handlers.rs"]
mod handlers;
#[path = "node/restart.rs"]
mod restart;
#[path = "node/disk.rs"]
mod disk;
#[path = "node/healing.rs"]
mod healing;
#[path = "node/objectives.rs"]
mod objectives;
#[path = "node/pace.rs"]
mod pace;
#[path = "node/prometheus.rs"]
mod prometheus;
#[path = "node/receivers.rs"]
mod receivers;
#[path = "node/chains.rs"]
mod chains;
#[path = "node/story_page.rs"]
mod story_page;
#[path = "node/secrets.rs"]
mod secrets;
#[path = "node/telemetry.rs"]
mod telemetry;
#[path = "node/producers.rs"]
mod producers;
#[path = "node/slas.rs"]
mod slas;
#[path = "node/sabotage.rs"]
mod sabotage;
#[path = "node/tampered.rs"]
mod tampered;
#[path = "node/command.rs"]
mod command;
#[path = "node/topics.rs"]
mod topics;
#[path = "node/changing.rs"]
mod changing;
#[path = "node/dependencies.rs"]
mod dependencies;
#[path = "node/replaying.rs"]
mod replaying;
#[path = "node/outliving.rs"]
mod outliving;
#[path = "node/damaged.rs"]
mod damaged;
#[path = "node/rotten.rs"]
mod rotten;
#[path = "node/verbs.rs"]
mod verbs;
#[path = "node/described.rs"]
mod described;
