//! What each book must hold, derived from what the producer was acknowledged and the poison.

use std::collections::BTreeSet;

use super::books::{Account, Ack, Books};
use crate::demo::order::{CANCELLED, CREATED};

/// What was done to which order.
pub(super) type Deed<'a> = (&'a str, &'a str);

impl Books {
    /// The acknowledgments of orders that were sent for the first time.
    pub(super) fn firsts(&self) -> impl Iterator<Item = &Ack> {
        self.acks.iter().filter(|ack| !ack.again)
    }

    pub(super) fn created(&self) -> impl Iterator<Item = &Ack> {
        self.firsts().filter(|ack| ack.kind == CREATED)
    }

    pub(super) fn cancelled(&self) -> impl Iterator<Item = &Ack> {
        self.firsts().filter(|ack| ack.kind == CANCELLED)
    }

    pub(super) fn is_poison(&self, order: &str) -> bool {
        self.poison.iter().any(|poison| poison == order)
    }

    /// Created orders whose payment succeeds.
    pub(super) fn paid(&self) -> impl Iterator<Item = &Ack> {
        self.created().filter(|ack| !self.is_poison(&ack.id))
    }

    pub(super) fn inventory_deeds(&self) -> BTreeSet<Deed<'_>> {
        let reserved = self.created().map(|ack| ("reserve", ack.id.as_str()));
        let released = self.cancelled().map(|ack| ("release", ack.id.as_str()));
        let compensated = self.poison.iter().map(|order| ("release", order.as_str()));
        reserved.chain(released).chain(compensated).collect()
    }

    /// The audit's row of each subscription, as the producer's book has it.
    pub(super) fn accounts(&self) -> Vec<Account> {
        let count = |n: usize| n as u64;
        let (first, poison) = (count(self.firsts().count()), count(self.poison.len()));
        let (paid, cancelled) = (count(self.paid().count()), count(self.cancelled().count()));
        let row = |name: &str, appended, completed, filtered, dead| Account {
            name: name.to_owned(),
            appended,
            completed,
            filtered,
            dead,
            ..Account::default()
        };
        vec![
            row("inventory", first + poison, first + poison, 0, 0),
            row("payment", first + poison, paid, cancelled + poison, poison),
            row("shipping", paid, paid, 0, 0),
            row("compensation", poison, poison, 0, 0),
        ]
    }
}
