//! A queue whose broker may not be there yet: it is connected to when something is asked of it.

use std::sync::{Arc, PoisonError, RwLock};

use evenkeel_delivery::ports::{BoxFuture, PortError};

use super::queue::{Queue, Taken, Terms, Ticket};

/// How a queue is connected to.
type Connect = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Queue>, PortError>> + Send + Sync>;

/// Connects when it is asked to receive, and again until that succeeds. From then on the adapter
/// keeps the connection.
pub struct LateQueue {
    connect: Connect,
    queue: RwLock<Option<Arc<dyn Queue>>>,
}

impl LateQueue {
    /// One that connects by `connect`.
    pub fn new(connect: Connect) -> LateQueue {
        LateQueue { connect, queue: RwLock::new(None) }
    }

    /// Connects, unless it is connected. The error says why it could not.
    pub async fn connect(&self) -> Result<(), PortError> {
        if self.queue().is_none() {
            let queue = (self.connect)().await?;
            *self.queue.write().unwrap_or_else(PoisonError::into_inner) = Some(queue);
        }
        Ok(())
    }

    fn queue(&self) -> Option<Arc<dyn Queue>> {
        self.queue.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Queue for LateQueue {
    fn terms(&self) -> Terms {
        self.queue().map_or_else(Terms::default, |queue| queue.terms())
    }

    fn receive(&self, max: usize) -> BoxFuture<'_, Result<Vec<Taken>, PortError>> {
        Box::pin(async move {
            self.connect().await?;
            match self.queue() {
                Some(queue) => queue.receive(max).await,
                None => Ok(Vec::new()),
            }
        })
    }

    fn settle(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, Vec<Ticket>> {
        Box::pin(async move {
            match self.queue() {
                Some(queue) => queue.settle(tickets).await,
                None => tickets,
            }
        })
    }

    fn renew(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(queue) = self.queue() {
                queue.renew(tickets).await;
            }
        })
    }

    fn give_back(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(queue) = self.queue() {
                queue.give_back(tickets).await;
            }
        })
    }
}
