//! Several events in one call of the handler; each has its attempt, and its own end.
//!
//! Invariants: as of one attempt (`attempt`); a handler that gives fewer or more answers than it
//! was given events has failed all of them, since nobody knows which is whose.

use std::sync::Arc;

use evenkeel_delivery::Dispatch;
use evenkeel_delivery::ports::Delivered;

use super::attempt::{Came, Ground, caught, failed, panicked};
use super::happening::Finished;

/// An event to be handed over, with its bytes where they are at hand.
pub(super) type Part = (Dispatch, Option<Arc<Delivered>>);

pub(super) async fn run(ground: Arc<Ground>, parts: Vec<Part>) -> Vec<Finished> {
    let started = ground.clock.now();
    let mut finished = Vec::with_capacity(parts.len());
    let (mut calls, mut called) = (Vec::with_capacity(parts.len()), Vec::with_capacity(parts.len()));
    for (dispatch, payload) in parts {
        let read = match payload {
            Some(delivered) => Ok(delivered),
            None => ground.read(&dispatch.at, dispatch.letter.as_ref()).await,
        };
        match read {
            Ok(delivered) => {
                calls.push(ground.call(&dispatch, delivered));
                called.push(dispatch.attempt);
            }
            Err((came, alarm)) => {
                let took = ground.clock.now().since(started);
                finished.push(Finished { attempt: dispatch.attempt, came, took, alarm: Some(alarm) });
            }
        }
    }
    if calls.is_empty() {
        return finished;
    }
    let handler = ground.handler.clone();
    let answers = caught(async move { handler.handle_batch(calls).await }).await;
    let took = ground.clock.now().since(started);
    let count = called.len();
    let answers = match answers {
        Ok(answers) if answers.len() == count => answers,
        Ok(answers) => vec![failed(format!("the handler gave {} answers for {count} events", answers.len())); count],
        Err(message) => vec![panicked(&message); count],
    };
    let each = called.into_iter().zip(answers);
    finished.extend(each.map(|(attempt, answer)| Finished {
        attempt,
        came: Came::Answered(answer),
        took,
        alarm: None,
    }));
    finished
}
