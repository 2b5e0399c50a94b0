//! A clock that follows tokio's virtual time, and jumps when it is told to.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use evenkeel::testing::TokioClock;
use evenkeel::{Clock, Timestamp};

pub const START: Timestamp = Timestamp::from_millis(1_795_219_200_000);

pub struct JumpingClock {
    even: TokioClock,
    ahead_ms: AtomicI64,
}

impl JumpingClock {
    pub fn start() -> JumpingClock {
        JumpingClock { even: TokioClock::at(START), ahead_ms: AtomicI64::new(0) }
    }

    pub fn jump(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_ms.load(Ordering::SeqCst);
        let now = self.even.now().millis() + ahead;
        Timestamp::from_millis(now.max(0)) + Duration::ZERO
    }
}

/// Lets virtual time go on.
pub async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}
