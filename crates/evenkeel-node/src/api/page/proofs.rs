//! The newest proof, and what lies at brokers beside it: made one at a time, whoever asks.
//!
//! What lies at a broker may take long to read, so the page does not wait for it to the end: it shows what there was
//! before, and the next one who asks finds what came of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evenkeel_model::Timestamp;
use evenkeel_transport::audit::Audit;
use evenkeel_transport::dead::DeadLetter;

use crate::api::redrives::{is_closed, seen};
use crate::happenings::AuditFailed;
use crate::wiring::{Wired, letters};

/// A proof this young is shown again; an older one is made anew.
const FRESH: Duration = Duration::from_secs(5);
/// A page waits so long for a new one.
const PATIENCE: Duration = Duration::from_secs(3);
/// At most so many dead letters are grouped for the page.
pub(super) const DEAD_READ_MAX: usize = 1_000;

/// The newest one, and who makes the next.
#[derive(Default)]
pub(crate) struct Proofs {
    newest: Mutex<Option<Arc<Proof>>>,
    making: Arc<tokio::sync::Mutex<()>>,
}

/// What was found.
pub(crate) struct Proof {
    pub(super) at: Timestamp,
    pub(super) audit: Audit,
    /// Dead letters at brokers that nobody has dealt with, by subscription.
    pub(super) letters: HashMap<Arc<str>, Letters>,
}

/// How many there are, and the first of them.
#[derive(Default)]
pub(super) struct Letters {
    pub(super) count: u64,
    pub(super) first: Vec<DeadLetter>,
}

impl Proofs {
    fn newest(&self) -> Option<Arc<Proof>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The newest proof there is within a while.
pub(super) async fn proof(node: &Arc<Wired>) -> Option<Arc<Proof>> {
    let fresh = |node: &Wired| {
        let now = node.clock.now();
        node.proofs.newest().filter(|proof| now.since(proof.at) <= FRESH)
    };
    if let Some(proof) = fresh(node) {
        return Some(proof);
    }
    let made = {
        let node = node.clone();
        tokio::spawn(async move {
            // Whoever made one meanwhile made it for all.
            let _turn = node.proofs.making.lock().await;
            if fresh(&node).is_none() {
                make(&node).await;
            }
        })
    };
    let _ = tokio::time::timeout(PATIENCE, made).await;
    node.proofs.newest()
}

async fn make(node: &Wired) {
    let at = node.clock.now();
    let audit = match node.audit().await {
        Ok(audit) => audit,
        Err(e) => return AuditFailed { error: e.to_string() }.tell(),
    };
    let mut all = HashMap::new();
    for wire in node.wires.all().iter().filter(|wire| wire.plan.home.is_some()) {
        let closed = seen(wire).await.closed;
        let open = letters(node, wire, 0, Letters::default(), move |found: &mut Letters, letter| {
            if !is_closed(&closed, letter.at.offset) {
                found.count += 1;
                if found.first.len() < DEAD_READ_MAX {
                    found.first.push(letter);
                }
            }
            true
        });
        match open.await {
            Ok(found) => drop(all.insert(wire.plan.name.clone(), found)),
            Err(e) => AuditFailed { error: e.to_string() }.tell(),
        }
    }
    let made = Some(Arc::new(Proof { at, audit, letters: all }));
    *node.proofs.newest.lock().unwrap_or_else(PoisonError::into_inner) = made;
}
