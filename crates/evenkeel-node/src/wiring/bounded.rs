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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Delivered, Handler};
    use evenkeel_delivery::{Arrival, Mark, Screen, Version};
    use evenkeel_model::{Created, Event, Position, Record, Shard, Timestamp, Verdict};

    use super::Bounded;

    /// Counts how many events are with it at once.
    #[derive(Default)]
    struct Crowd {
        now: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    impl Handler for Crowd {
        fn handle(&self, _: Call) -> BoxFuture<'static, Answer> {
            let (now, most) = (self.now.clone(), self.most.clone());
            Box::pin(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Answer { verdict: Verdict::Ack, emitted: Vec::new(), handler_version: None }
            })
        }
    }

    fn call() -> Call {
        let at = Position { shard: Shard::new("orders", 0), offset: 0 };
        let arrival = Arrival {
            key: None,
            mark: Mark([0; 16]),
            created: Created { at: Timestamp::EPOCH, believed: true },
            expires: None,
            bytes: 0,
            priority: 4,
            kind: "".into(),
            source: "".into(),
            version: Version::None,
            given_before: 0,
            screen: Screen::Wanted,
            at,
        };
        let event = Event::new("/s", "1", "t");
        let delivered = Arc::new(Delivered { arrival, appended: Timestamp::EPOCH, event, record: Record::default() });
        Call {
            delivered,
            key: Mark([0; 16]),
            attempt: 1,
            attempts_max: 1,
            delivery: 1,
            timeout: Duration::ZERO,
            fence: 1,
        }
    }

    #[tokio::test]
    async fn however_many_cores_call_no_more_events_are_at_the_handler_than_there_is_room_for() {
        let crowd = Crowd::default();
        let most = crowd.most.clone();
        let bounded = Arc::new(Bounded::new(Arc::new(crowd), 3));
        let calls: Vec<_> = (0..20).map(|_| tokio::spawn(bounded.handle(call()))).collect();
        for one in calls {
            assert_eq!(one.await.unwrap().verdict, Verdict::Ack);
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }
}
