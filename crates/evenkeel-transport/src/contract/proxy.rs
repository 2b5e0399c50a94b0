//! A TCP proxy between an adapter and its broker, which delays, cuts, half-closes and stalls on
//! demand: what the network does, in a test's hands.
//!
//! It knows no protocol. A broker that tells its clients where it lives would send them past the
//! proxy: [`Proxy::replacing`] puts other bytes of the same length in what the broker says.
//! Dropping it closes everything. It is for tests; nothing in production uses it.

mod pump;
mod replace;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use replace::Replacement;

/// What happens to bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// They pass.
    Open,
    /// They pass this much later.
    Slow(Duration),
    /// Connections stay, and nothing passes; later it all does.
    Stalled,
    /// Connections are closed, and new ones at once.
    Cut,
    /// The broker's side says no more, and the client may still write, to nobody.
    HalfClosed,
}

/// A running proxy.
pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// In front of `target`, at an address of its own.
    pub async fn start(target: SocketAddr) -> io::Result<Proxy> {
        Proxy::replacing(target, |_| None).await
    }

    /// As [`Proxy::start`]; `replacement` is told the proxy's address, and says what of the broker's
    /// bytes is to be other bytes.
    pub async fn replacing(
        target: SocketAddr,
        replacement: impl FnOnce(SocketAddr) -> Option<Replacement>,
    ) -> io::Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (line, seen) = watch::channel(Line::Open);
        let accepting = tokio::spawn(accept(listener, target, seen, replacement(address)));
        Ok(Proxy { address, line, accepting })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, for the connections that are there as well.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    line: watch::Receiver<Line>,
    replacement: Option<Replacement>,
) {
    while let Ok((client, _)) = listener.accept().await {
        if *line.borrow() == Line::Cut {
            continue;
        }
        tokio::spawn(connect(client, target, line.clone(), replacement.clone()));
    }
}

async fn connect(client: TcpStream, target: SocketAddr, line: watch::Receiver<Line>, replacement: Option<Replacement>) {
    let Ok(broker) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), broker.set_nodelay(true));
    let ((from_client, to_client), (from_broker, to_broker)) = (client.into_split(), broker.into_split());
    let out = pump::run(from_client, to_broker, line.clone(), None, false);
    let back = pump::run(from_broker, to_client, line, replacement, true);
    // One side that ends ends the other: a half-open connection is a fault, not the rule.
    tokio::select! { () = out => {}, () = back => {} }
}

#[cfg(test)]
mod tests;
