//! How a node cheats on purpose, so that the proof can be proven: wrappers around the ports.
//!
//! Only `evenkeel up --sabotage …` (hidden) asks for it, and nothing else in the node knows how
//! it is done. Invariant: without it none of these wrappers exists.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Handler};
use evenkeel_delivery::{Mark, Order, Policy};
use evenkeel_model::Verdict;
use evenkeel_transport::audit::Audit;

/// One event in so many is cheated on.
const ONE_IN: u8 = 16;
/// By how much an event is held back, so that later ones of its key overtake it.
const HELD_BACK: Duration = Duration::from_millis(1500);

/// Ways to cheat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// Some events are never handed out, and reported as completed.
    Lose,
    /// Some events are handed out a second time under another key.
    Twice,
    /// Some events are held back while later ones of their key go first.
    Reorder,
    /// The audit's numbers are not the log's.
    Misreport,
}

/// The handler, made to cheat.
pub(crate) fn handler(how: Option<Sabotage>, honest: Arc<dyn Handler>) -> Arc<dyn Handler> {
    match how {
        None | Some(Sabotage::Misreport) => honest,
        Some(how) => Arc::new(Cheating { how, honest }),
    }
}

/// The policy, made to cheat: the lanes that would keep the order are gone.
pub(crate) fn policy(how: Option<Sabotage>, honest: Policy) -> Policy {
    match how {
        Some(Sabotage::Reorder) => Policy { order: Order::None, ..honest },
        _ => honest,
    }
}

/// The audit, made to cheat: a dead letter is reported as completed; without one, an event is
/// invented.
pub(crate) fn audit(how: Option<Sabotage>, honest: Audit) -> Audit {
    if how != Some(Sabotage::Misreport) {
        return honest;
    }
    let mut cooked = honest;
    for subscription in &mut cooked.subscriptions {
        if subscription.dead > 0 {
            subscription.dead -= 1;
        } else {
            subscription.appended += 1;
        }
        subscription.completed += 1;
    }
    cooked
}

struct Cheating {
    how: Sabotage,
    honest: Arc<dyn Handler>,
}

impl Handler for Cheating {
    fn is_elsewhere(&self) -> bool {
        self.honest.is_elsewhere()
    }

    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        if !call.key.0[0].is_multiple_of(ONE_IN) {
            return self.honest.handle(call);
        }
        let (how, honest) = (self.how, self.honest.clone());
        Box::pin(async move {
            match how {
                Sabotage::Lose => Answer { verdict: Verdict::Ack, emitted: Vec::new(), handler_version: None },
                Sabotage::Twice => {
                    let mut key = call.key.0;
                    key[15] ^= 0xff;
                    let again = Call { key: Mark(key), ..call.clone() };
                    let answer = honest.handle(call).await;
                    if answer.verdict == Verdict::Ack {
                        let _ = honest.handle(again).await;
                    }
                    answer
                }
                Sabotage::Reorder => {
                    tokio::time::sleep(HELD_BACK).await;
                    honest.handle(call).await
                }
                Sabotage::Misreport => honest.handle(call).await,
            }
        })
    }
}
