//! A handler that several cores share has no more events at once than one core would give it.

use std::sync::Arc;

use evenkeel_delivery::ports::{Answer, Batching, BoxFuture, Call, Handler};
use tokio::sync::Semaphore;

/// A handler with room for so many events.
pub(super) struct Bounded {
    handler: Arc<dyn Handler>,
    room: Arc<Semaphore>,
    max: u32,
}

impl Bounded {
    pub(super) fn new(handler: Arc<dyn Handler>, max: u32) -> Bounded {
        let max = max.max(1);
        Bounded { handler, room: Arc::new(Semaphore::new(max as usize)), max }
    }
}

impl Handler for Bounded {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let (handler, room) = (self.handler.clone(), self.room.clone());
        Box::pin(async move {
            // Never closed: without a permit it would only be less bounded.
            let _room = room.acquire().await.ok();
            handler.handle(call).await
        })
    }

    fn is_elsewhere(&self) -> bool {
        self.handler.is_elsewhere()
    }

    fn batching(&self) -> Batching {
        self.handler.batching()
    }

    fn handle_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Vec<Answer>> {
        let (handler, room) = (self.handler.clone(), self.room.clone());
        let wanted = u32::try_from(calls.len()).unwrap_or(u32::MAX).min(self.max);
        Box::pin(async move {
            let _room = room.acquire_many(wanted).await.ok();
            handler.handle_batch(calls).await
        })
    }
}
