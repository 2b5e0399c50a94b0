//! The promises of a subscription, each as a trace on virtual time, and a seeded simulation.

mod world;
mod order;
mod outages;
mod sharing;
mod overload;
mod shedding;
mod fallback;
mod blockers;
mod traffic;
mod poison;
mod duplicates;
mod parking;
mod commands;
mod deaths;
mod restarts;
mod crashes;
mod stale;
mod redrives;
mod why;
mod overdue;
mod rounds;
mod simulation;
