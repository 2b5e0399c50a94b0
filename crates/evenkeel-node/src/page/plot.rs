//! Pictures in SVG: the budget as a bar that empties, as a line over its window, and its burn as bars. Sizes are
//! attributes, since the policy of the page forbids inline style. Gaps are shown as gaps.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};

use super::marks::segment;
use super::numbers;
use super::status::Objective;

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 40.0;
/// Of the bars below it.
const BURN_HEIGHT: f64 = 24.0;
/// Room above for half a line of text.
const TOP: f64 = 8.0;
/// Room for the labels of the axes.
const LEFT: f64 = 40.0;
const BELOW: f64 = 24.0;

/// What is left, as a bar; empty when overspent.
pub(super) fn bar(left: f64) -> Markup {
    let width = format!("{:.1}", left.clamp(0.0, 1.0) * 96.0);
    let class = if left <= 0.25 { "low" } else { "fill" };
    html! {
        svg class="bar" viewBox="0 0 96 8" width="96" height="8" aria-hidden="true" {
            rect class="track" width="96" height="8" {}
            rect class=(class) width=(width) height="8" {}
        }
    }
}

/// The budget left over the window and how fast it burned, oldest first, with a table behind both.
pub(super) fn history(objective: &Objective) -> Markup {
    let (points, window) = (&objective.history, span(objective));
    if points.iter().flatten().count() < 2 {
        return html! { span class="quiet small" { "not enough of it yet" } };
    }
    html! {
        details class="plot" id={ "plot-" (segment(&objective.name)) } {
            summary { (line(points, window)) (bars(objective)) }
            (table(objective))
        }
    }
}

/// How much of the window the line shows: what is known of it.
pub(super) fn span(objective: &Objective) -> Duration {
    objective.step * u32::try_from(objective.history.len()).unwrap_or(u32::MAX)
}

/// The numbers of a plot that stands elsewhere.
pub(super) fn numbers_behind(objective: &Objective) -> Markup {
    html! {
        details class="plot" id={ "numbers-" (segment(&objective.name)) } {
            summary class="small" { "the numbers" }
            (table(objective))
        }
    }
}

/// Of each stretch, newest first.
fn table(objective: &Objective) -> Markup {
    let (points, step) = (&objective.history, objective.step);
    let counts = |at: usize| objective.counts.get(at).copied().unwrap_or_default();
    html! {
        div class="behind" { table {
            thead { tr {
                th scope="col" { "Before now" } th scope="col" { "Budget left" } th scope="col" { "Burn" }
                th scope="col" { "Good" } th scope="col" { "Bad" }
            } }
            tbody {
                @for (back, (at, point)) in points.iter().enumerate().rev().enumerate() {
                    @let (good, bad) = counts(at);
                    tr {
                        td { @if back == 0 { "now" } @else { (numbers::duration(step * u32::try_from(back).unwrap_or(u32::MAX))) } }
                        td { @match point { Some(left) => (numbers::budget(*left)), None => "–" } }
                        td { @match burn(objective, at) { Some(burn) => (numbers::multiple(burn)), None => "–" } }
                        td { (numbers::count(good)) } td { (numbers::count(bad)) }
                    }
                }
            }
        } }
    }
}

/// How fast the budget went in a stretch; none without events.
pub(super) fn burn(objective: &Objective, at: usize) -> Option<f64> {
    let (good, bad) = objective.counts.get(at).copied()?;
    let allowed = 1.0 - objective.target;
    (good + bad > 0 && allowed > 0.0).then(|| bad as f64 / (good + bad) as f64 / allowed)
}

/// A bar for each stretch: how fast the budget went in it. The line is the pace that it just bears.
fn bars(objective: &Objective) -> Markup {
    let burns: Vec<Option<f64>> = (0..objective.counts.len()).map(|at| burn(objective, at)).collect();
    let most = burns.iter().flatten().copied().fold(2.0_f64, f64::max);
    let y = |burn: f64| TOP + (1.0 - burn / most) * BURN_HEIGHT;
    let step = WIDTH / burns.len().max(1) as f64;
    let (even, bottom) = (format!("{:.1}", y(1.0)), format!("{:.1}", y(0.0)));
    html! {
        svg class="line" viewBox=(format!("0 0 {} {}", LEFT + WIDTH + 8.0, TOP + BURN_HEIGHT + 8.0)) width="288" height="40"
            role="img" aria-label={ "burn over the same time, at most " (numbers::multiple(most)) } {
            text x=(LEFT - 4.0) y=(format!("{:.1}", y(most))) dy="4" text-anchor="end" { (numbers::multiple(most)) }
            @for (at, burn) in burns.iter().enumerate() { @if let Some(burn) = burn.filter(|burn| *burn > 0.0) {
                rect class=(if burn > 1.0 { "low" } else { "fill" }) x=(format!("{:.1}", LEFT + step * at as f64)) y=(format!("{:.1}", y(burn)))
                    width=(format!("{:.1}", (step - 1.0).max(1.0))) height=(format!("{:.1}", y(0.0) - y(burn))) {}
            } }
            line class="grid" x1=(LEFT) x2=(LEFT + WIDTH) y1=(bottom) y2=(bottom) {}
            line class="objective" x1=(LEFT) x2=(LEFT + WIDTH) y1=(even) y2=(even) {}
        }
    }
}

fn line(points: &[Option<f64>], window: Duration) -> Markup {
    let lowest = points.iter().flatten().copied().fold(0.0_f64, f64::min).max(-1.0);
    let y = |left: f64| TOP + (1.0 - left.clamp(lowest, 1.0)) / (1.0 - lowest) * HEIGHT;
    let zero = format!("{:.1}", y(0.0));
    let full = format!("{:.1}", y(1.0));
    let right = format!("{:.1}", LEFT + WIDTH);
    let base = format!("{:.1}", TOP + HEIGHT + BELOW - 6.0);
    let label = format!(
        "budget left over {}, now {}",
        numbers::duration(window),
        points.iter().rev().flatten().next().map_or_else(String::new, |left| numbers::budget(*left))
    );
    html! {
        svg class="line" viewBox=(format!("0 0 {} {}", LEFT + WIDTH + 8.0, TOP + HEIGHT + BELOW)) width="288" height="72"
            role="img" aria-label=(label) {
            line class="grid" x1=(LEFT) x2=(right) y1=(full) y2=(full) {}
            line class="objective" x1=(LEFT) x2=(right) y1=(zero) y2=(zero) {}
            text x=(LEFT - 4.0) y=(full) dy="4" text-anchor="end" { "100 %" }
            text x=(LEFT - 4.0) y=(zero) dy="4" text-anchor="end" { "0 %" }
            text x=(LEFT) y=(base) text-anchor="start" { "−" (numbers::duration(window)) }
            text x=(right) y=(base) text-anchor="end" { "now" }
            path class="series" d=(path(points, y)) {}
        }
    }
}

/// A new stroke after each gap.
fn path(points: &[Option<f64>], y: impl Fn(f64) -> f64) -> String {
    let step = WIDTH / (points.len().max(2) - 1) as f64;
    let mut out = String::new();
    let mut pen_is_down = false;
    for (at, point) in points.iter().enumerate() {
        let Some(left) = point else {
            pen_is_down = false;
            continue;
        };
        let letter = if pen_is_down { 'L' } else { 'M' };
        let _ = write!(out, "{letter}{:.1} {:.1}", LEFT + step * at as f64, y(*left));
        pen_is_down = true;
    }
    out
}
