//! The shop of every talk on event-driven systems, made honest: the whole chain under mishaps,
//! and the proof.
//!
//! The supervisor (this process) starts a node, an order desk and the services as processes of
//! their own, runs the mishaps as one experiment, says what it sees each second, waits until
//! everything has settled, and then compares three books that share no code: what the producer
//! was acknowledged, what each service wrote and flushed, and the node's audit of its log.
//!
//! It speaks to the node only by HTTP and by starting `evenkeel up --config …`. Invariants:
//! every child ends with the supervisor, on every exit path; the exit code is 0 only when all
//! books agree.

mod args;
mod draw;
mod order;
mod catalogue;
mod generator;
mod orders_file;
mod plan;
mod web;
mod tether;
mod children;
mod shop;
mod house;
mod mishaps;
mod faults;
mod asking;
mod screen;
mod settling;
mod gathering;
mod proof;
mod keeping;
mod stage;

pub use args::{DemoArgs, Sabotage, ServiceArgs};
pub use shop::service;
pub use stage::run;
