//! A circuit breaker around any call of your own: the one that guards subscriptions.
//!
//! It opens by the ratio of failures, by failures in a row and by slow calls, probes with one call,
//! then more, and closes. Where a subscription's events wait behind it, a call can't: it is refused
//! at once, or answered by a fallback. Invariant: whatever becomes of a call (an answer, an error, a panic, a future that is
//! dropped), a probe's leave comes back.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evenkeel_delivery::{BreakerPolicy, BreakerView, Dependency, DependencyReport, Force, Member};
use evenkeel_model::{Clock, SystemClock, Timestamp};

/// The one member of a breaker of one's own.
const CALLER: Member = Member(0);

/// A circuit breaker; clones share its state.
///
/// ```
/// use evenkeel::{Breaker, BreakerPolicy, Refused};
///
/// # #[derive(Debug)] struct Declined;
/// async fn charge(cents: u64) -> Result<u64, Declined> { Ok(cents) }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let bank = Breaker::new("bank", BreakerPolicy::default());
/// match bank.call(|| charge(4200)).await {
///     Ok(cents) => println!("charged {cents}"),
///     Err(Refused::Open { next_probe }) => println!("the bank is down; next probe: {next_probe:?}"),
///     Err(Refused::Failed(why)) => println!("the bank said no: {why:?}"),
/// }
/// // Or with a fallback, which is told why:
/// let cents = bank.call_or(|| charge(4200), |_why| async { 0 }).await;
/// # assert_eq!(cents, 4200);
/// # }
/// ```
#[derive(Clone)]
pub struct Breaker(Arc<Guarded>);

struct Guarded {
    state: Mutex<Dependency>,
    clock: Arc<dyn Clock>,
    calls: AtomicU64,
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused<E> {
    /// It was not made: the breaker is open.
    Open {
        /// When a call may find out whether it works again; `None`: when an operator says so, or
        /// when the probes that are out come back.
        next_probe: Option<Timestamp>,
    },
    /// It was made, and failed.
    Failed(E),
}

impl<E: std::fmt::Display> std::fmt::Display for Refused<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Open { .. } => f.write_str("the breaker is open: the call was not made"),
            Refused::Failed(why) => why.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Refused<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Refused::Open { .. } => None,
            Refused::Failed(why) => Some(why),
        }
    }
}

impl Breaker {
    /// A closed breaker.
    pub fn new(name: &str, policy: BreakerPolicy) -> Breaker {
        Breaker::with_clock(name, policy, Arc::new(SystemClock::new()))
    }

    /// With another clock than the machine's: for tests.
    pub fn with_clock(name: &str, policy: BreakerPolicy, clock: Arc<dyn Clock>) -> Breaker {
        let mut state = Dependency::new(name.into(), policy, clock.now().micros().unsigned_abs());
        state.join(CALLER, None, &mut Vec::new());
        Breaker(Arc::new(Guarded { state: Mutex::new(state), clock, calls: AtomicU64::new(0) }))
    }

    /// Makes the call, if the breaker lets it pass. An `Err` counts against the dependency; what is
    /// no fault of the dependency belongs into the `Ok`.
    pub async fn call<T, E, Doing>(&self, call: impl FnOnce() -> Doing) -> Result<T, Refused<E>>
    where
        Doing: Future<Output = Result<T, E>>,
    {
        let mut leave = self.admit().map_err(|next_probe| Refused::Open { next_probe })?;
        let done = call().await;
        leave.came(done.is_ok());
        done.map_err(Refused::Failed)
    }

    /// As [`Breaker::call`], with an answer for when there is none.
    pub async fn call_or<T, E, Doing, Instead>(
        &self,
        call: impl FnOnce() -> Doing,
        fallback: impl FnOnce(Refused<E>) -> Instead,
    ) -> T
    where
        Doing: Future<Output = Result<T, E>>,
        Instead: Future<Output = T>,
    {
        match self.call(call).await {
            Ok(answer) => answer,
            Err(why) => fallback(why).await,
        }
    }

    /// Holds it open or closed, or lets it decide itself again.
    pub fn force(&self, force: &Force) {
        self.0.lock().force(self.0.clock.now(), force, &mut Vec::new());
    }

    /// How it stands.
    pub fn view(&self) -> BreakerView {
        self.0.lock().view(self.0.clock.now()).0
    }

    fn admit(&self) -> Result<Leave, Option<Timestamp>> {
        let since = self.0.clock.now();
        let mut state = self.0.lock();
        match state.admit(since, CALLER) {
            Some(generation) => {
                let number = self.0.calls.fetch_add(1, Ordering::Relaxed);
                Ok(Leave { of: self.0.clone(), generation, since, number, told: false })
            }
            None => Err(state.view(since).0.next_probe),
        }
    }
}

impl Guarded {
    fn lock(&self) -> MutexGuard<'_, Dependency> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is under way.
struct Leave {
    of: Arc<Guarded>,
    generation: u64,
    since: Timestamp,
    number: u64,
    told: bool,
}

impl Leave {
    fn came(&mut self, well: bool) {
        let now = self.of.clock.now();
        let (generation, took) = (self.generation, now.since(self.since));
        let mut state = self.of.lock();
        let report = match well {
            true => {
                let slow = state.is_slow(took).then_some(self.number);
                DependencyReport::Succeeded { generation, slow }
            }
            false => DependencyReport::Failed { generation, event: self.number },
        };
        state.report(now, CALLER, report, &mut Vec::new());
        drop(state);
        self.told = true;
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        // A panic is a failure; a future that was dropped says nothing.
        let (generation, event) = (self.generation, self.number);
        let report = match std::thread::panicking() {
            true => DependencyReport::Failed { generation, event },
            false => DependencyReport::Neither { generation },
        };
        let now = self.of.clock.now();
        self.of.lock().report(now, CALLER, report, &mut Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_delivery::BreakerState;

    use super::*;

    /// Time that stands until it is moved.
    struct Standing(AtomicU64);

    impl Clock for Standing {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_790_000_000_000 + self.0.load(Ordering::SeqCst).cast_signed())
        }
    }

    fn bank() -> (Breaker, Arc<Standing>) {
        let clock = Arc::new(Standing(AtomicU64::new(0)));
        (Breaker::with_clock("bank", BreakerPolicy::default(), clock.clone()), clock)
    }

    async fn fails() -> Result<u32, &'static str> {
        Err("down")
    }

    async fn works() -> Result<u32, &'static str> {
        Ok(7)
    }

    #[tokio::test]
    async fn failures_open_it_probes_close_it_and_the_fallback_answers_meanwhile() {
        let (bank, clock) = bank();
        for _ in 0..10 {
            assert_eq!(bank.call(fails).await, Err(Refused::Failed("down")));
        }
        assert!(matches!(bank.call(works).await, Err(Refused::Open { next_probe: Some(_) })), "nobody is called");
        assert_eq!(bank.call_or(works, |_| async { 0 }).await, 0);
        clock.0.store(60_000, Ordering::SeqCst);
        for _ in 0..7 {
            assert_eq!(bank.call(works).await, Ok(7));
        }
        assert_eq!(bank.view().state, BreakerState::Closed);
    }

    #[tokio::test]
    async fn one_call_probes_and_one_that_is_dropped_gives_its_leave_back() {
        let (bank, clock) = bank();
        for _ in 0..10 {
            let _ = bank.call(fails).await;
        }
        clock.0.store(60_000, Ordering::SeqCst);
        let never = bank.call(std::future::pending::<Result<u32, &str>>);
        let timed = tokio::time::timeout(Duration::from_millis(1), async {
            tokio::join!(never, async {
                assert_eq!(bank.call(works).await, Err(Refused::Open { next_probe: None }), "one at a time");
            })
        });
        assert!(timed.await.is_err());
        assert_eq!(bank.call(works).await, Ok(7), "the leave came back");
    }

    #[tokio::test]
    async fn an_operators_word_stands() {
        let (bank, _) = bank();
        bank.force(&Force::Open { reason: "maintenance".into() });
        assert_eq!(bank.call(works).await, Err(Refused::Open { next_probe: None }));
        bank.force(&Force::Automatic);
        assert_eq!(bank.call(works).await, Ok(7));
    }
}
