//! One subscription at rest: drained, and begun again where it was.

use std::time::Duration;

use evenkeel::runtime::Drained;
use evenkeel_delivery::Command;

use super::begin;
use crate::error::{Error, codes};
use crate::wiring::{Wire, Wired};

/// Stops reading, lets what is at the handler finish within `grace`, commits what came of it, and
/// puts the rest off: it loses nothing and no attempt. It rests until it is resumed, or until the
/// node starts again.
pub(crate) async fn drain(node: &Wired, name: &str, grace: Duration) -> Result<Drained, Error> {
    let running = node.wires.find(name).ok_or_else(|| unknown(name))?;
    Ok(running.handle.drain(grace).await)
}

/// Dispatches again: one that was paused goes on, one that was drained begins where it was.
pub(crate) async fn resume(node: &Wired, name: &str) -> Result<(), Error> {
    let _turn = node.changing.lock().await;
    let Wire { plan, handle, .. } = node.wires.find(name).ok_or_else(|| unknown(name))?;
    if handle.is_ended() {
        begin(node, plan).await?;
    } else {
        handle.command(Command::Resume);
    }
    Ok(())
}

fn unknown(name: &str) -> Error {
    Error::new(codes::UNKNOWN_SUBSCRIPTION, format!("there is no subscription `{name}`"))
}
