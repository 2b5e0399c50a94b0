//! Objectives of chains: good is one that ended in time, bad one that did not.
//!
//! A chain has no subscription; it is counted under a name that none can have ([`Scope::of_chain`]). It counts
//! where its first event is: that is what a bad one leads to. It is bad when it becomes late, and is not counted
//! again when it ends.

use evenkeel_model::ledger::{Ended, Overdue};
use evenkeel_model::{Outcome, Timestamp};

use crate::chains::{ChainEnd, ChainRule};
use crate::objective::Scope;
use crate::tracked::Fact;
use crate::watch::Watch;

impl Watch {
    /// Counts that a chain ended, or became late, for the objectives of its rule.
    pub fn chain_ended(&mut self, rule: &ChainRule, end: &ChainEnd) {
        let Some(watched) = self.subscriptions.get(&Scope::of_chain(&rule.name).subscription) else { return };
        let within_us = u64::try_from(rule.within.as_micros()).unwrap_or(u64::MAX);
        let late = Overdue { offset: end.first.offset, at: end.at, threshold_us: within_us };
        let ended = end.took.map(|took| ended(rule, end.at, took.as_micros()));
        let fact = match &ended {
            Some(ended) => Fact::Ended(ended, if end.was_late { within_us } else { 0 }),
            None => Fact::Overdue(&late, 0),
        };
        for &(index, part) in &watched.objectives {
            self.objectives[index].count_all(part, &end.first.shard, &[fact]);
        }
        self.first_at = Some(self.first_at.map_or(end.at, |first| first.min(end.at)));
    }
}

fn ended(rule: &ChainRule, at: Timestamp, took_us: u128) -> Ended {
    Ended {
        kind: rule.steps.last().cloned().unwrap_or_default(),
        created_to_ended_us: u64::try_from(took_us).unwrap_or(u64::MAX),
        created_believed: true,
        ..Ended::unhandled(0, Outcome::Completed, at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_model::{Position, Shard};

    use crate::chains::{ChainRule, Chains};
    use crate::objective::{Indicator, Objective, Part, Scope};
    use crate::testing::START;
    use crate::{Counts, Watch};

    const MINUTE: Duration = Duration::from_secs(60);

    /// A watch with two objectives of one chain, and the chain.
    fn watched() -> (Watch, Chains) {
        let objective = |name: &str, minutes: u32| Objective {
            name: name.into(),
            service: "shop".into(),
            parts: vec![Part {
                scope: Scope::of_chain("orders"),
                indicator: Indicator::Latency { threshold: minutes * MINUTE },
                target: 0.9,
                ..Part::default()
            }],
            ..Objective::default()
        };
        let watch = Watch::new(vec![objective("in-ten", 10), objective("in-five", 5)]).unwrap();
        let steps = ["Placed", "Shipped"].map(Into::into).to_vec();
        (watch, Chains::new(ChainRule { name: "orders".into(), steps, within: 10 * MINUTE, open_max: 100 }))
    }

    fn feed(watch: &mut Watch, chains: &mut Chains) {
        let rule = chains.rule().clone();
        chains.take_ends().iter().for_each(|end| watch.chain_ended(&rule, end));
    }

    fn counts(watch: &Watch, name: &str) -> Counts {
        let budget = watch.budget(name, START + 60 * MINUTE).unwrap();
        Counts { good: budget.good, bad: budget.bad }
    }

    #[test]
    fn a_chain_is_good_when_it_ends_in_time_and_bad_once_when_it_does_not() {
        let (mut watch, mut chains) = watched();
        let place = |offset| Position { shard: Shard::new("orders", 3), offset };
        for (offset, name) in ["quick", "slow", "late", "never"].into_iter().enumerate() {
            chains.see("Placed", name, START, &place(offset as u64));
        }
        chains.see("Shipped", "quick", START + MINUTE, &place(90));
        chains.see("Shipped", "slow", START + 7 * MINUTE, &place(91));
        feed(&mut watch, &mut chains);
        assert_eq!(counts(&watch, "in-ten"), Counts { good: 2, bad: 0 });
        assert_eq!(counts(&watch, "in-five"), Counts { good: 1, bad: 1 });
        chains.tick(START + 11 * MINUTE);
        chains.see("Shipped", "late", START + 12 * MINUTE, &place(92));
        chains.tick(START + 13 * MINUTE);
        feed(&mut watch, &mut chains);
        for (name, good) in [("in-ten", 2), ("in-five", 1)] {
            let expected = Counts { good, bad: 4 - good };
            assert_eq!(counts(&watch, name), expected, "{name}: the late one is counted once");
        }
        let bad: Vec<u64> = watch.bad_events("in-ten").iter().map(|bad| bad.at.offset).collect();
        assert_eq!(bad, [2, 3], "a bad chain leads to its first event");
        assert_eq!(watch.subscriptions().count(), 0, "a chain is no subscription");
    }
}
