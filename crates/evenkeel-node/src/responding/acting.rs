//! Carries out one step of a playbook.

use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::Command;
use evenkeel_model::names;
use evenkeel_respond::{Input, Part, RunId, StepAction};

use crate::client::Client;
use crate::wiring::Wires;

/// What is to be done.
pub(super) struct Order {
    pub(super) run: RunId,
    pub(super) step: usize,
    pub(super) part: Part,
    pub(super) action: StepAction,
    pub(super) key: String,
    pub(super) timeout: Duration,
}

/// Does it, and says what came of it.
pub(super) async fn act(client: &Client, wires: &Wires, order: Order) -> Input {
    let Order { run, step, part, action, key, timeout } = order;
    let (ok, detail) = match action {
        StepAction::Call { method, url, body } => call(client, &method, &url, body, &key, timeout).await,
        StepAction::Pause { subscription } => {
            command(wires, &subscription, Command::Pause { reason: format!("playbook ({run})") })
        }
        StepAction::Resume { subscription } => command(wires, &subscription, Command::Resume),
        // The engine waits by itself and never asks for it.
        StepAction::Wait(_) => (true, String::new()),
        StepAction::Signal { process, .. } => (false, format!("this node knows no process `{process}`")),
        StepAction::Custom { name, .. } => (false, format!("this node knows no action `{name}`")),
    };
    Input::Done { run, step, part, ok, detail }
}

async fn call(
    client: &Client,
    method: &str,
    url: &str,
    body: Option<String>,
    key: &str,
    timeout: Duration,
) -> (bool, String) {
    let mut headers = vec![(names::IDEMPOTENCY_KEY.to_owned(), format!("\"{key}\""))];
    if body.is_some() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    match client.send(method, url, &headers, body.map(Bytes::from).unwrap_or_default(), timeout).await {
        Ok(reply) => ((200..300).contains(&reply.status), format!("answered {}", reply.status)),
        Err(e) => (false, e.message),
    }
}

fn command(wires: &Wires, subscription: &str, command: Command) -> (bool, String) {
    match wires.find(subscription) {
        Some(wire) => {
            wire.handle.command(command);
            (true, String::new())
        }
        None => (false, format!("there is no subscription `{subscription}`")),
    }
}
