//! When what happens: the timeline of a run, scaled to `--for`, and the orders of its seed.
//!
//! The load takes two thirds of the time. The last mishap begins ten seconds before the load
//! ends and has no end of its own; the fast pair of alert windows (10 s and 2 s) does not scale,
//! so that those ten seconds do not either. Pure, but for reading the file of orders.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::args::DemoArgs;
use super::generator::Generator;
use super::order::{CREATED, Order};
use super::orders_file;

/// How much the spike multiplies the load by.
pub(crate) const SPIKE: f64 = 10.0;
/// How many of a hundred orders are sent again while duplicates are on.
pub(crate) const AGAIN_PERCENT: u32 = 5;
/// What the last mishap needs of the load, whatever the run's length.
const LAST: Duration = Duration::from_secs(10);

/// What the order desk must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeskPlan {
    pub(crate) seed: u64,
    pub(crate) total: usize,
    pub(crate) per_second: f64,
    pub(crate) events: Option<PathBuf>,
}

impl DeskPlan {
    pub(crate) fn orders(&self) -> Result<Box<dyn Iterator<Item = Order> + Send>, String> {
        Ok(match &self.events {
            Some(path) => Box::new(orders_file::read(path)?.into_iter()),
            None => Box::new(Generator::seeded(self.seed, self.total)),
        })
    }
}

/// A mishap's moment and its length, counted from the beginning of the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) at: Duration,
    pub(crate) lasts: Duration,
}

/// The whole run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) desk: DeskPlan,
    pub(crate) load: Duration,
    pub(crate) poison: Order,
    pub(crate) duplicates: Moment,
    pub(crate) provider_down: Moment,
    pub(crate) spike: Moment,
    pub(crate) slow: Moment,
    pub(crate) death: Moment,
    pub(crate) node_killed: Moment,
    pub(crate) wedged_at: Duration,
    /// How long nothing may move before it counts as stuck: more than a remedy's check and cool-down.
    pub(crate) patience: Duration,
    /// The same when every event has its outcome and only an incident is open.
    pub(crate) incident_patience: Duration,
}

/// An alert of the standard pair, which a slow machine may earn, holds while its window of 5 min remembers.
const ALERTS_HOLD: Duration = Duration::from_secs(330);

impl Plan {
    pub(crate) fn draft(args: &DemoArgs) -> Result<Plan, String> {
        let load = args.run_for * 2 / 3;
        let early = load.saturating_sub(LAST);
        let moment = |at: f64, lasts: f64| Moment { at: early.mul_f64(at), lasts: early.mul_f64(lasts) };
        let spike = moment(0.40, 0.05);
        let stretched = load + spike.lasts.mul_f64(SPIKE - 1.0);
        let patience = args.patience.unwrap_or((args.run_for / 3).max(Duration::from_secs(30)));
        // What ends badly in any case is not waited for.
        let must_fail = args.no_healing || args.sabotage.is_some();
        let desk = desk_plan(args, stretched)?;
        let poison = poison_of(&desk, moment(0.06, 0.0).at)?;
        Ok(Plan {
            desk,
            load,
            poison,
            duplicates: moment(0.06, 0.92),
            provider_down: moment(0.13, 0.17),
            spike,
            slow: moment(0.53, 0.11),
            death: moment(0.68, 0.10),
            node_killed: moment(0.84, 0.05),
            wedged_at: early,
            patience,
            incident_patience: if args.patience.is_some() || must_fail { patience } else { ALERTS_HOLD },
        })
    }
}

/// How many orders, how fast: `stretched` is the load's length if the spike's orders came at the
/// ordinary rate.
#[expect(clippy::cast_precision_loss, reason = "orders are far fewer than 2^53")]
fn desk_plan(args: &DemoArgs, stretched: Duration) -> Result<DeskPlan, String> {
    let seconds = stretched.as_secs_f64();
    match &args.events {
        Some(path) => {
            let path = std::path::absolute(path).map_err(|e| format!("{}: {e}", path.display()))?;
            let total = orders_file::read(&path)?.len();
            Ok(DeskPlan { seed: args.seed, total, per_second: total as f64 / seconds, events: Some(path) })
        }
        None => {
            let per_second = f64::from(args.rate);
            Ok(DeskPlan { seed: args.seed, total: whole(per_second * seconds), per_second, events: None })
        }
    }
}

/// The first order of a known customer that is placed after `at`: its payment never succeeds.
fn poison_of(desk: &DeskPlan, at: Duration) -> Result<Order, String> {
    let from = whole(desk.per_second * at.as_secs_f64());
    let mut candidates = desk.orders()?.skip(from);
    candidates
        .find(|order| order.kind == CREATED && order.customer.is_some())
        .ok_or_else(|| "the orders hold no order of a known customer that could be the poison".to_owned())
}

#[expect(clippy::cast_possible_truncation, reason = "rates and durations have upper limits")]
#[expect(clippy::cast_sign_loss, reason = "neither is negative")]
fn whole(count: f64) -> usize {
    count.round() as usize
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Moment, Plan};
    use crate::demo::DemoArgs;

    fn plan(seconds: u64) -> Plan {
        Plan::draft(&DemoArgs {
            run_for: Duration::from_secs(seconds),
            rate: 200,
            events: None,
            seed: 5,
            data: None,
            patience: None,
            keep: false,
            no_healing: false,
            sabotage: None,
        })
        .unwrap()
    }

    #[test]
    fn mishaps_follow_each_other_and_leave_the_last_its_ten_seconds() {
        for seconds in [20, 30, 60, 300] {
            let plan = plan(seconds);
            let order = [plan.provider_down, plan.spike, plan.slow, plan.death, plan.node_killed];
            let end = |m: &Moment| m.at + m.lasts;
            assert!(plan.duplicates.at < plan.provider_down.at && end(&plan.duplicates) < plan.wedged_at);
            assert!(order.windows(2).all(|w| end(&w[0]) <= w[1].at), "{order:?}");
            assert!(end(&plan.node_killed) < plan.wedged_at);
            assert!(plan.load - plan.wedged_at <= Duration::from_secs(10));
        }
    }

    #[test]
    fn the_poison_belongs_to_a_known_customer_and_to_the_seed() {
        assert!(plan(60).poison.customer.is_some());
        assert_eq!(plan(60).poison, plan(60).poison);
    }
}
