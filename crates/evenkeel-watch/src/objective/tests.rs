use std::sync::Arc;
use std::time::Duration;

use super::{Indicator, Method, Objective, Window};
use crate::rule::{AlertRule, Severity, Trigger};
use crate::testing::{DAY, HOUR, success};

/// The demo's own tier: 0.1 % of the budget within 10 s.
fn demo_tier() -> AlertRule {
    AlertRule::burn("demo", Severity::Page, 0.001, Duration::from_secs(10), Duration::from_secs(2))
}

fn burn_of(objective: &mut Objective, alert: usize) -> (&mut f64, &mut Duration, &mut Duration) {
    match &mut objective.alerts[alert].trigger {
        Trigger::Burn { budget_share, long, short } => (budget_share, long, short),
        other => panic!("{other:?}"),
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
        AlertRule::workbook().iter().map(|alert| (alert.factor(period).unwrap() * 1000.0).round() / 1000.0).collect()
    };
    assert_eq!(factors(30 * DAY), [14.4, 6.0, 3.0, 1.0]);
    assert_eq!(factors(28 * DAY), [13.44, 5.6, 2.8, 0.933]);
    assert!((demo_tier().factor(30 * DAY).unwrap() - 259.2).abs() < 1e-9);
}

#[test]
fn a_short_windows_usual_alerts_burn_as_fast_as_in_four_weeks() {
    let said = |window: Duration| -> Vec<(u64, u64, f64)> {
        let tiers = AlertRule::usual(window);
        let factor = |tier: &AlertRule| (tier.factor(window).unwrap() * 10.0).round() / 10.0;
        tiers.iter().map(|tier| (tier.windows()[1].as_secs(), tier.windows()[0].as_secs(), factor(tier))).collect()
    };
    let month = [(3_600, 300, 14.4), (21_600, 1_800, 6.0), (86_400, 7_200, 3.0), (259_200, 21_600, 1.0)];
    assert_eq!(said(30 * DAY), month);
    assert_eq!(said(7 * DAY), [(900, 75, 13.4), (5_400, 450, 5.6), (21_600, 1_800, 2.8), (64_800, 5_400, 0.9)]);
    assert_eq!(said(HOUR), [(6, 1, 12.0), (33, 3, 5.5), (129, 11, 2.8), (386, 33, 0.9)]);
}

#[test]
fn the_workbooks_and_the_demos_alerts_are_sound_at_three_nines() {
    let mut objective = success();
    objective.alerts.push(demo_tier());
    assert_eq!(objective.check(), Ok(()));
}

#[test]
fn a_factor_that_a_total_outage_cannot_reach_is_refused() {
    let told = refused(|o| o.parts[0].target = 0.9);
    assert!(told.contains("alerts[0].factor is 14.4000"), "{told}");
    assert!(told.contains("below 1/(1 - target) = 10.0000"), "{told}");
    let told = refused(|o| {
        o.parts[0].target = 0.99;
        o.alerts = vec![demo_tier()];
    });
    assert!(told.contains("alerts[0].factor is 259.2000"), "{told}");
}

#[test]
fn each_rule_names_field_value_and_rule() {
    assert!(refused(|o| o.parts[0].target = 1.0).contains("target is 1: a target is at least 0 and below 1"));
    assert!(refused(|o| o.parts[0].target = 99.9).contains("target is 99.9: "));
    assert!(refused(|o| o.parts[0].target = f64::NAN).contains("target is NaN: "));
    assert!(refused(|o| o.name = Arc::from("Payment_SLO")).contains("name is `Payment_SLO`: a name is 1 to 63"));
    assert!(refused(|o| o.parts[0].scope.subscription = Arc::from("")).contains("subscription is empty"));
    assert!(
        refused(|o| o.window = Window::Rolling(Duration::ZERO)).contains("window is 0ns: a window is at least 1 s")
    );
    assert!(refused(|o| o.alpha = 0.0).contains("alpha is 0: "));
    let threshold = |threshold| Indicator::Latency { threshold };
    assert!(refused(|o| o.parts[0].indicator = threshold(Duration::ZERO)).contains("indicator.threshold is 0ns: "));
    assert!(refused(|o| o.parts[0].indicator = threshold(31 * DAY)).contains("shorter than the window"));
    assert!(refused(|o| *burn_of(o, 1).0 = 0.0).contains("alerts[1].budget_share is 0: "));
    assert!(refused(|o| *burn_of(o, 1).2 = 7 * HOUR).contains("alerts[1].short is 25200s: "));
    assert!(refused(|o| *burn_of(o, 3).1 = 31 * DAY).contains("alerts[3].long is 2678400s: "));
    assert!(refused(|o| o.alerts[1].name = Arc::from("page-quick")).contains("alerts[1].name is `page-quick`: "));
    assert!(refused(|o| o.parts[0].weight = 0.0).contains("weight is 0: a weight is above 0"));
    assert!(refused(|o| o.parts.clear()).contains("parts is empty"));
    let slices = |slice, target| Method::Timeslices { slice, target, empty: super::Empty::Good };
    let half_a_minute = slices(Duration::from_secs(30), 0.9);
    assert!(refused(|o| o.parts[0].method = half_a_minute).contains("slice is 30s: a slice is a whole number"));
    assert!(refused(|o| o.parts[0].method = slices(HOUR, 1.5)).contains("slice_target is 1.5: "));
    assert!(
        refused(|o| o.parts[0].method = slices(HOUR, 0.9)).contains("alerts[0].short is 300s: "),
        "shorter than a slice"
    );
    let alert = |trigger| AlertRule::of("x", Severity::Ticket, trigger);
    let below = Trigger::Remaining { below: 1.0 };
    assert!(refused(|o| o.alerts = vec![alert(below)]).contains("alerts[0].below is 1: "));
    let within = Trigger::Exhaustion { within: 31 * DAY };
    assert!(refused(|o| o.alerts = vec![alert(within)]).contains("alerts[0].within is 2678400s: "));
    let over = Trigger::Silence { over: Duration::ZERO };
    assert!(refused(|o| o.alerts = vec![alert(over)]).contains("alerts[0].over is 0ns: "));
}
