use std::sync::Arc;
use std::time::Duration;

use super::{BurnAlert, Indicator, Objective, Severity};
use crate::testing::{DAY, HOUR, success};

/// The demo's own tier: 0.1 % of the budget within 10 s.
fn demo_tier() -> BurnAlert {
    BurnAlert {
        name: Arc::from("demo"),
        severity: Severity::Page,
        budget_share: 0.001,
        long: Duration::from_secs(10),
        short: Duration::from_secs(2),
    }
}

fn refused(change: impl FnOnce(&mut Objective)) -> String {
    let mut objective = success();
    change(&mut objective);
    let problems = objective.check().expect_err("it was accepted");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn factors_follow_from_the_share_of_the_budget_and_the_period() {
    let factors = |period: Duration| -> Vec<f64> {
        BurnAlert::defaults().iter().map(|alert| (alert.factor(period) * 1000.0).round() / 1000.0).collect()
    };
    assert_eq!(factors(30 * DAY), [14.4, 6.0, 3.0, 1.0]);
    assert_eq!(factors(28 * DAY), [13.44, 5.6, 2.8, 0.933]);
    assert!((demo_tier().factor(30 * DAY) - 259.2).abs() < 1e-9);
}

#[test]
fn the_workbooks_and_the_demos_alerts_are_sound_at_three_nines() {
    let mut objective = success();
    objective.alerts.push(demo_tier());
    assert_eq!(objective.check(), Ok(()));
}

#[test]
fn a_factor_that_a_total_outage_cannot_reach_is_refused() {
    let told = refused(|o| o.target = 0.9);
    assert!(told.contains("alerts[0].factor is 14.4000"), "{told}");
    assert!(told.contains("below 1/(1 - target) = 10.0000"), "{told}");
    let told = refused(|o| {
        o.target = 0.99;
        o.alerts = vec![demo_tier()];
    });
    assert!(told.contains("alerts[0].factor is 259.2000"), "{told}");
}

#[test]
fn each_rule_names_field_value_and_rule() {
    assert!(refused(|o| o.target = 1.0).contains("target is 1: a target is at least 0 and below 1"));
    assert!(refused(|o| o.target = 99.9).contains("target is 99.9: "));
    assert!(refused(|o| o.target = f64::NAN).contains("target is NaN: "));
    assert!(refused(|o| o.name = Arc::from("Payment_SLO")).contains("name is `Payment_SLO`: a name is 1 to 63"));
    assert!(refused(|o| o.subscription = Arc::from("")).contains("subscription is empty"));
    assert!(refused(|o| o.window = Duration::ZERO).contains("window is 0ns: a window is at least 1 s"));
    assert!(refused(|o| o.alpha = 0.0).contains("alpha is 0: "));
    let threshold = |threshold| Indicator::Latency { threshold };
    assert!(refused(|o| o.indicator = threshold(Duration::ZERO)).contains("indicator.threshold is 0ns: "));
    assert!(refused(|o| o.indicator = threshold(31 * DAY)).contains("shorter than the window"));
    assert!(refused(|o| o.alerts[1].budget_share = 0.0).contains("alerts[1].budget_share is 0: "));
    assert!(refused(|o| o.alerts[1].short = 7 * HOUR).contains("alerts[1].short is 25200s: "));
    assert!(refused(|o| o.alerts[3].long = 31 * DAY).contains("alerts[3].long is 2678400s: "));
    assert!(refused(|o| o.alerts[1].name = Arc::from("page-quick")).contains("alerts[1].name is `page-quick`: "));
}
