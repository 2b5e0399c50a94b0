//! Plots over time, in SVG: latency and lag of a subscription, with the numbers in a table behind them.
//!
//! Axes have units; the scale ends at a round number; what was not seen is a gap; nothing is smoothed. Sizes are
//! attributes, since the policy of the page forbids inline style.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};

use super::marks::segment;
use super::numbers;
use super::status::{Flow, Moment};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 96.0;
const TOP: f64 = 8.0;
/// Room for the labels of the axes.
const LEFT: f64 = 100.0;
const BELOW: f64 = 24.0;

/// One line of a plot: its name, its class, and what it shows of each moment.
type Curve = (&'static str, &'static str, fn(&Moment) -> Option<Duration>);

/// Whether there is enough of it for a plot.
pub(super) fn is_seen(flow: &Flow) -> bool {
    flow.moments.iter().flatten().count() > 1
}

/// Latency and lag over the time that was seen.
pub(super) fn section(flow: &Flow) -> Markup {
    if !is_seen(flow) {
        return html! {};
    }
    let latency: [Curve; 2] = [("p50", "p50", |m| m.p50), ("p99", "p99", |m| m.p99)];
    let lag: [Curve; 1] = [("age of the oldest event that is not complete", "p99", |m| Some(m.lag))];
    html! {
        div class="plots" {
            div { h3 { "Created to completed" } (plot("latency", flow, &latency, &flow.thresholds)) }
            div { h3 { "Lag" } (plot("lag", flow, &lag, &[])) }
        }
        (behind(flow))
    }
}

fn plot(what: &str, flow: &Flow, curves: &[Curve], thresholds: &[Duration]) -> Markup {
    let seen = flow.moments.iter().flatten();
    let values =
        seen.flat_map(|moment| curves.iter().filter_map(|(_, _, of)| of(moment))).chain(thresholds.iter().copied());
    let most = round_up(values.max().unwrap_or_default());
    let span = flow.moment * u32::try_from(flow.moments.len()).unwrap_or(u32::MAX);
    let y = |value: Duration| TOP + HEIGHT * (1.0 - value.as_secs_f64() / most.as_secs_f64());
    let at = |value: f64| format!("{value:.1}");
    let (right, base) = (at(LEFT + WIDTH), at(TOP + HEIGHT + BELOW - 8.0));
    html! {
        p class="small key" {
            @for (name, class, _) in curves { span class={ "mark " (class) } { (name) } " " }
            @if !thresholds.is_empty() { span class="mark bound" { "objective" } }
        }
        svg class="curves" viewBox=(format!("0 0 {} {}", LEFT + WIDTH + 8.0, TOP + HEIGHT + BELOW)) role="img"
            aria-label={ (what) " of " (flow.subscription) " over the last " (numbers::duration(span)) ", at most " (numbers::duration(most)) } {
            @for part in [0.0, 0.5, 1.0] {
                @let value = most.mul_f64(part);
                line class="grid" x1=(LEFT) x2=(right) y1=(at(y(value))) y2=(at(y(value))) {}
                text x=(LEFT - 6.0) y=(at(y(value))) dy="4" text-anchor="end" { @if part > 0.0 { (numbers::duration(value)) } @else { "0" } }
            }
            @for threshold in thresholds { line class="objective" x1=(LEFT) x2=(right) y1=(at(y(*threshold))) y2=(at(y(*threshold))) {} }
            @for (_, class, of) in curves { path class={ "curve " (class) } d=(path(&flow.moments, y, *of)) {} }
            text x=(LEFT) y=(base) text-anchor="start" { "−" (numbers::duration(span)) }
            text x=(right) y=(base) text-anchor="end" { "now" }
        }
    }
}

/// The numbers of both plots, newest first.
fn behind(flow: &Flow) -> Markup {
    let time = |value: Option<Duration>| value.map_or_else(|| "–".to_owned(), numbers::duration);
    let ago = |back: usize| numbers::duration(flow.moment * u32::try_from(back).unwrap_or(u32::MAX));
    html! {
        details class="plot" id={ "numbers-" (segment(&flow.subscription)) } {
            summary class="small" { "the numbers" }
            div class="behind" { table {
                thead { tr {
                    th scope="col" { "Before now" } th scope="col" { "p50" } th scope="col" { "p99" } th scope="col" { "Lag" }
                    th scope="col" { "Ended" }
                } }
                tbody { @for (back, moment) in flow.moments.iter().rev().enumerate() { @if let Some(moment) = moment {
                    tr {
                        td { @if back == 0 { "now" } @else { (ago(back)) } }
                        td { (time(moment.p50)) } td { (time(moment.p99)) } td { (numbers::duration(moment.lag)) }
                        td { (numbers::count(moment.ended)) }
                    }
                } } }
            } }
        }
    }
}

/// A new stroke after each gap; a point alone is a dot.
fn path(moments: &[Option<Moment>], y: impl Fn(Duration) -> f64, of: fn(&Moment) -> Option<Duration>) -> String {
    let step = WIDTH / (moments.len().max(2) - 1) as f64;
    let mut out = String::new();
    let mut pen_is_down = false;
    for (at, moment) in moments.iter().enumerate() {
        let Some(value) = moment.as_ref().and_then(of) else {
            pen_is_down = false;
            continue;
        };
        let (x, y) = (LEFT + step * at as f64, y(value));
        let letter = if pen_is_down { 'L' } else { 'M' };
        let _ = write!(out, "{letter}{x:.1} {y:.1}");
        if !pen_is_down {
            let _ = write!(out, "h0.1");
        }
        pen_is_down = true;
    }
    out
}

/// The next of 1, 2, 5 times a power of ten, at least a millisecond; minutes and hours beyond.
fn round_up(value: Duration) -> Duration {
    let us = u64::try_from(value.as_micros()).unwrap_or(u64::MAX).max(1);
    let mut step = 1_000_u64;
    for factor in [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000] {
        if us <= step {
            break;
        }
        step = 1_000 * factor;
    }
    while us > step {
        step = step.saturating_mul(2);
    }
    Duration::from_micros(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number_that_holds_all() {
        let up = |ms: u64| round_up(Duration::from_millis(ms)).as_millis();
        assert_eq!(
            [0, 1, 3, 11, 480, 501, 4_210, 61_000, 754_000].map(up),
            [1, 1, 5, 20, 500, 1_000, 5_000, 120_000, 1_200_000]
        );
    }

    #[test]
    fn a_gap_lifts_the_pen() {
        let moment = |ms| {
            let time = Some(Duration::from_millis(ms));
            Some(Moment { p50: time, p99: time, lag: Duration::ZERO, ended: 1 })
        };
        let moments = [moment(1), moment(1), None, moment(2)];
        let drawn = path(&moments, |value| value.as_secs_f64() * 1e3, |m| m.p50);
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
        assert_eq!(drawn.matches('L').count(), 1, "{drawn}");
    }
}
