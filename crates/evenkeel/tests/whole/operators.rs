//! What operators do while everything else goes wrong: redrives, forced breakers, dropped letters,
//! orderly restarts under another policy, more partitions, a subscription that comes, changes and goes
//! at run time.
//!
//! It plays and notes; what must be true in the end is asserted in `world`.

use std::sync::Arc;
use std::time::Duration;

use evenkeel::{Command, Evenkeel, StartError};
use evenkeel_delivery::{Force, Redrive, RedriveCommand, RedrivePlan, RedriveState};
use evenkeel_transport::dead::{self, Filter};

use super::chance::Chance;
use super::clock::pass;
use super::world::{BANK, GUEST, SUBSCRIPTIONS, World, is_over};

/// Few enough that every one is still shown in the end.
const REDRIVES_MAX: u64 = 8;
const PARTITIONS_MAX: u32 = 6;

impl World {
    /// One deed of an operator, whatever the moment.
    pub(super) async fn operate(&mut self, chance: &mut Chance) {
        let n = usize::try_from(chance.below(SUBSCRIPTIONS.len() as u64)).unwrap();
        match chance.below(11) {
            0..=2 => self.redrive_some(n, chance).await,
            3 => self.say_to_redrive(n, chance),
            4 => self.drop_some(n, chance),
            5 => self.force_some(n, chance).await,
            6 => self.grow().await,
            7..=9 => self.bring_or_dismiss_the_guest(chance).await,
            _ => self.restart_under_another_policy(chance).await,
        }
    }

    /// A redrive of some of what is dead, if none is under way.
    async fn redrive_some(&mut self, n: usize, chance: &mut Chance) {
        if self.redrives >= REDRIVES_MAX {
            return;
        }
        let mut filter = Filter::default();
        match chance.below(4) {
            0 => filter.set("reason", chance.one_of(&["attempts_exhausted", "operator", "rejected"])).unwrap(),
            1 => filter.set("type", chance.one_of(&["order", "poison"])).unwrap(),
            _ => {}
        }
        let rate = Duration::from_millis(chance.one_of(&[0, 0, 20, 400]));
        let plan = |plan: &mut RedrivePlan| {
            plan.canary = u32::try_from(chance.one_of(&[0, 1, 5])).unwrap();
            plan.every = rate;
            plan.at_once = u32::try_from(chance.one_of(&[1, 3, 64])).unwrap();
            plan.stop_permille = u32::try_from(chance.one_of(&[200, 1_000])).unwrap();
        };
        self.redrive(n, &filter, plan).await;
    }

    /// Starts a redrive; false when there is one already, or the subscription is gone.
    pub(super) async fn redrive(&mut self, n: usize, filter: &Filter, with: impl FnOnce(&mut RedrivePlan)) -> bool {
        let (log, name) = (self.evenkeel().log().clone(), SUBSCRIPTIONS[n]);
        let letters = dead::shard_of(name);
        let until = log.ends(&letters).map_or(0, |ends| ends.high_watermark);
        let Ok(chosen) = dead::list(&log, name, filter, 0, 100_000) else { return false };
        self.shops[n].notes.lock().unwrap().redriven.extend(chosen.items.iter().map(|letter| letter.id.clone()));
        self.redrives += 1;
        let mut plan = RedrivePlan {
            id: Arc::from(format!("r{}", self.redrives)),
            selection: Arc::from(filter.to_text()),
            letters,
            until,
            selected: chosen.items.len() as u64,
            reason: "mended".to_owned(),
            canary: 0,
            every: Duration::ZERO,
            at_once: 64,
            stop_permille: 1_000,
            stop_min: 5,
            new_key: false,
            started_at: self.now(),
        };
        with(&mut plan);
        let Some(handle) = self.evenkeel().subscription(name) else { return false };
        handle.redrive(plan).await.is_some_and(|started| started.is_ok())
    }

    fn say_to_redrive(&self, n: usize, chance: &mut Chance) {
        let command = match chance.below(4) {
            0 => RedriveCommand::Pause,
            1 => RedriveCommand::Cancel { reason: "enough".to_owned() },
            _ => RedriveCommand::Resume,
        };
        self.command(SUBSCRIPTIONS[n], Command::Redrive(command));
    }

    fn drop_some(&self, n: usize, chance: &mut Chance) {
        let letters = dead::shard_of(SUBSCRIPTIONS[n]);
        let end = self.evenkeel().log().ends(&letters).map_or(0, |ends| ends.high_watermark);
        let offsets = (0..end).filter(|_| chance.percent(10)).collect();
        self.command(SUBSCRIPTIONS[n], Command::DropLetters { letters, offsets, reason: "not worth it".to_owned() });
    }

    /// A breaker is forced for a while, or for good: then whoever heals the world takes it back.
    async fn force_some(&mut self, n: usize, chance: &mut Chance) {
        let reason = "why not".to_owned();
        let force = match chance.below(3) {
            0 => Force::Closed { reason },
            _ => Force::Open { reason },
        };
        let shared = chance.percent(50);
        self.force(n, shared, force);
        if chance.percent(70) {
            pass(Duration::from_millis(chance.below(8_000))).await;
            self.survive(true).await;
            self.force(n, shared, Force::Automatic);
        }
    }

    fn force(&self, n: usize, shared: bool, force: Force) {
        match shared {
            true => drop(self.evenkeel().dependencies().force(self.now(), BANK, &force)),
            false => self.command(SUBSCRIPTIONS[n], Command::Breaker { dependency: "handler".to_owned(), force }),
        }
    }

    /// A subscription is made, given another policy, or removed.
    async fn bring_or_dismiss_the_guest(&mut self, chance: &mut Chance) {
        if self.guest && chance.percent(40) {
            let grace = Duration::from_millis(chance.one_of(&[0, 500, 10_000]));
            self.guest = false;
            self.evenkeel.as_mut().unwrap().unsubscribe(SUBSCRIPTIONS[GUEST], grace).await;
            return;
        }
        self.change_policy(GUEST, chance);
        if self.invite().await.is_err() {
            let is_gone = self.evenkeel().log().status().stopped.is_some() || self.disk.is_off();
            assert!(is_gone, "seed {}: the guest is refused", self.seed);
            // Whoever asked asks again when the machine is back.
            self.guest = true;
        }
    }

    /// The guest comes, or goes on under its new policy.
    pub(super) async fn invite(&mut self) -> Result<(), StartError> {
        self.shops[GUEST].reborn();
        let guest = self.subscribe(GUEST);
        self.evenkeel.as_mut().unwrap().subscribe(guest).await?;
        self.guest = true;
        self.guest_since.get_or_insert(self.next);
        Ok(())
    }

    async fn grow(&mut self) {
        let more = self.partitions + 1;
        if more > PARTITIONS_MAX {
            return;
        }
        // Should the power go now, nobody knows which it is.
        self.maybe_partitions = Some(more);
        let growing = self.evenkeel().log().add_partitions("orders", more);
        let grown = match growing {
            Ok(growing) => growing.await.is_ok(),
            Err(_) => false,
        };
        if grown {
            (self.partitions, self.maybe_partitions) = (more, None);
        }
    }

    /// Drained, or as much of it as the grace allows, and begun again.
    async fn restart_under_another_policy(&mut self, chance: &mut Chance) {
        let grace = Duration::from_millis(chance.one_of(&[0, 500, 10_000]));
        if let Some(evenkeel) = self.evenkeel.take() {
            evenkeel.shutdown(grace).await;
        }
        self.shops.iter().for_each(|shop| shop.reborn());
        if self.disk.is_off() {
            self.disk.cut_power();
        } else if chance.percent(50) {
            self.change_policies(chance);
        }
        self.start().await;
    }

    /// Nothing is forced, no redrive waits for somebody. True when none is under way.
    pub(super) async fn take_back(&self) -> bool {
        let mut over = true;
        for (n, name) in SUBSCRIPTIONS.into_iter().enumerate() {
            [true, false].into_iter().for_each(|shared| self.force(n, shared, Force::Automatic));
            let Some(job) = last_redrive(self.evenkeel(), name).await else { continue };
            over &= job.state.is_over();
            match job.state {
                RedriveState::Paused => self.command(name, Command::Redrive(RedriveCommand::Resume)),
                RedriveState::Stopped => {
                    let reason = "it stopped".to_owned();
                    self.command(name, Command::Redrive(RedriveCommand::Cancel { reason }));
                }
                _ => {}
            }
        }
        over
    }

    /// All that died healthy is taken up once more, now that everything is well: it completes.
    pub(super) async fn redrive_the_healthy(&mut self) {
        let mut healthy = Filter::default();
        healthy.set("type", "order").unwrap();
        for n in 0..SUBSCRIPTIONS.len() {
            assert!(self.redrive(n, &healthy, |_| {}).await, "seed {}: nothing else is under way", self.seed);
        }
        for _ in 0..200 {
            pass(Duration::from_secs(5)).await;
            let over = self.take_back().await;
            // The witnesses of the last time may still be under way.
            if over && is_over(&self.evenkeel().audit().await.unwrap()) {
                return;
            }
            if !over {
                self.bear_witness().await;
            }
        }
        let job = last_redrive(self.evenkeel(), SUBSCRIPTIONS[0]).await;
        panic!("seed {}: a redrive never ends: {job:#?}, {:#?}", self.seed, self.evenkeel().audit().await);
    }

    /// Letters whose events are not dead any more: those that redrives took up.
    pub(super) async fn taken_up(&self, name: &str) -> (u64, Vec<Redrive>, Vec<(u64, u64)>) {
        let view = self.evenkeel().subscription(name).unwrap().redrives().await.unwrap();
        (view.jobs.iter().map(|job| job.taken).sum(), view.jobs, view.closed)
    }
}

async fn last_redrive(evenkeel: &Evenkeel, name: &str) -> Option<Redrive> {
    evenkeel.subscription(name)?.redrives().await.unwrap_or_default().jobs.pop()
}
