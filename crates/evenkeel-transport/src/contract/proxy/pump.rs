//! One direction of one connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::{Line, Replacement};

/// What could be the beginning of bytes to be replaced waits this long for the rest.
const REST: Duration = Duration::from_millis(20);

/// Passes bytes on, as the line lets it, until either end closes or the line is cut.
pub(super) async fn run(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
    replacement: Option<Replacement>,
    to_client: bool,
) {
    let mut replacing = replacement.map(|replacement| replacement.begin());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let waiting = replacing.as_ref().is_some_and(|replacing| replacing.is_waiting());
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = tokio::time::sleep(REST), if waiting => {
                let rest = replacing.as_mut().map(|replacing| replacing.rest()).unwrap_or_default();
                if to.write_all(&rest).await.is_err() { return }
                continue;
            }
            halved = ended(&mut line, to_client) => if halved { break } else { return },
        };
        if read == 0 || !pass(&mut line, to_client).await {
            return;
        }
        let bytes = match &mut replacing {
            Some(replacing) => replacing.take(&buffer[..read]),
            None => buffer[..read].to_vec(),
        };
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
    swallow(to, from, line).await;
}

/// Waits until this direction ends; true when the client alone is to hear so.
async fn ended(line: &mut watch::Receiver<Line>, to_client: bool) -> bool {
    let over = line.wait_for(|line| *line == Line::Cut || (to_client && *line == Line::HalfClosed)).await;
    over.is_ok_and(|line| *line == Line::HalfClosed)
}

/// Waits as long as the line wants; false when the connection is to be closed.
async fn pass(line: &mut watch::Receiver<Line>, to_client: bool) -> bool {
    let now = *line.borrow_and_update();
    match now {
        Line::Open => true,
        Line::Slow(by) => {
            tokio::time::sleep(by).await;
            true
        }
        Line::Stalled => {
            let on = line.wait_for(|line| *line != Line::Stalled).await.map(|line| *line);
            matches!(on, Ok(Line::Open | Line::Slow(_)))
        }
        Line::Cut => false,
        Line::HalfClosed => !to_client,
    }
}

/// The client hears that nothing more comes; what the broker still says goes nowhere.
async fn swallow(mut to: OwnedWriteHalf, mut from: OwnedReadHalf, mut line: watch::Receiver<Line>) {
    let _ = to.shutdown().await;
    let mut nothing = [0; 4096];
    loop {
        tokio::select! {
            read = from.read(&mut nothing) => if read.unwrap_or(0) == 0 { return },
            _ = line.wait_for(|line| *line != Line::HalfClosed) => return,
        }
    }
}
