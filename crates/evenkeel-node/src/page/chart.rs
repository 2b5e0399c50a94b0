//! A plot of one measure of an objective over its window: axes with units, what it is held against as a line, gaps as
//! gaps. Sizes are attributes, since the policy of the page forbids inline style.

use std::fmt::Write as _;
use std::time::Duration;

use evenkeel_model::Timestamp;
use maud::{Markup, html};

use super::numbers;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 128.0;
const TOP: f64 = 8.0;
/// Room for the labels of the axes.
const LEFT: f64 = 100.0;
const BELOW: f64 = 24.0;
/// A label that is nearer to the one below it is left out.
const APART: f64 = 20.0;

/// How values are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A line, lifted at gaps.
    Line,
    /// A bar for each; what is beyond the bound is marked.
    Bars,
}

/// What is drawn.
pub(super) struct Chart<'a> {
    /// In words, for who cannot see it.
    pub(super) label: String,
    /// Evenly spaced, oldest first; `None` is a gap.
    pub(super) values: &'a [Option<f64>],
    /// From the first to now.
    pub(super) window: Duration,
    pub(super) now: Timestamp,
    /// The lines across, from the lowest.
    pub(super) ticks: &'a [f64],
    /// What the values are held against.
    pub(super) bound: f64,
    pub(super) shape: Shape,
    /// How a value is said.
    pub(super) say: fn(f64) -> String,
}

/// The picture.
pub(super) fn draw(chart: &Chart) -> Markup {
    let (low, high) = chart.ends();
    let y = |value: f64| TOP + HEIGHT * (1.0 - (value.clamp(low, high) - low) / (high - low));
    let (right, base) = (at(LEFT + WIDTH), at(TOP + HEIGHT + BELOW - 8.0));
    html! {
        svg class="curves" viewBox=(format!("0 0 {} {}", LEFT + WIDTH + 8.0, TOP + HEIGHT + BELOW)) role="img" aria-label=(chart.label) {
            @for (nth, value) in chart.ticks.iter().enumerate() {
                line class="grid" x1=(LEFT) x2=(right) y1=(at(y(*value))) y2=(at(y(*value))) {}
                @if nth == 0 || y(chart.ticks[nth - 1]) - y(*value) >= APART {
                    text x=(LEFT - 6.0) y=(at(y(*value))) dy="4" text-anchor="end" { ((chart.say)(*value)) }
                }
            }
            @match chart.shape {
                Shape::Line => path class="curve p99" d=(line(chart.values, y)) {},
                Shape::Bars => (bars(chart, y)),
            }
            line class="objective" x1=(LEFT) x2=(right) y1=(at(y(chart.bound))) y2=(at(y(chart.bound))) {}
            @for part in 0..=2_u32 {
                @let back = chart.window * (2 - part) / 2;
                text x=(at(LEFT + WIDTH * f64::from(part) / 2.0)) y=(base) text-anchor=(["start", "middle", "end"][part as usize]) {
                    @if part == 2 { "now" } @else { "−" (numbers::duration(back)) }
                    title { (super::marks::absolute(chart.now - back)) }
                }
            }
        }
    }
}

impl Chart<'_> {
    /// The ends of the scale.
    fn ends(&self) -> (f64, f64) {
        let low = self.ticks.first().copied().unwrap_or(0.0);
        (low, self.ticks.last().copied().filter(|high| *high > low).unwrap_or(low + 1.0))
    }
}

fn bars(chart: &Chart, y: impl Fn(f64) -> f64) -> Markup {
    let (low, _) = chart.ends();
    let step = WIDTH / chart.values.len().max(1) as f64;
    let back = |at: usize| chart.window.mul_f64(1.0 - (at + 1) as f64 / chart.values.len().max(1) as f64);
    html! {
        @for (nth, value) in chart.values.iter().enumerate() { @if let Some(value) = value.filter(|value| *value > low) {
            rect class=(if value > chart.bound { "low" } else { "fill" }) x=(at(LEFT + step * nth as f64)) y=(at(y(value)))
                width=(at((step - 1.0).max(1.0))) height=(at(y(low) - y(value))) {
                title { ((chart.say)(value)) ", until " (super::marks::absolute(chart.now - back(nth))) }
            }
        } }
    }
}

/// A new stroke after each gap; a point alone is a dot.
fn line(values: &[Option<f64>], y: impl Fn(f64) -> f64) -> String {
    let step = WIDTH / (values.len().max(2) - 1) as f64;
    let mut out = String::new();
    let mut pen_is_down = false;
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else {
            pen_is_down = false;
            continue;
        };
        let letter = if pen_is_down { 'L' } else { 'M' };
        let _ = write!(out, "{letter}{:.1} {:.1}", LEFT + step * at as f64, y(*value));
        if !pen_is_down {
            out.push_str("h0.1");
        }
        pen_is_down = true;
    }
    out
}

fn at(value: f64) -> String {
    format!("{value:.1}")
}

/// The next of 2, 4, 8, 12, 20, 40, 80, 120 … so that a quarter of it is a round number too.
pub(super) fn round_up(value: f64) -> f64 {
    let mut ten = 1.0;
    while ten < 1e12 {
        for step in [2.0, 4.0, 8.0, 12.0] {
            if value <= step * ten {
                return step * ten;
            }
        }
        ten *= 10.0;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{line, round_up};

    #[test]
    fn a_scale_ends_at_a_number_whose_quarters_are_round() {
        assert_eq!(
            [0.0, 2.0, 2.1, 9.0, 13.0, 119.0, 1_000.0].map(round_up),
            [2.0, 2.0, 4.0, 12.0, 20.0, 120.0, 1_200.0]
        );
    }

    #[test]
    fn a_gap_lifts_the_pen_and_a_point_alone_is_seen() {
        let drawn = line(&[Some(1.0), Some(1.0), None, Some(0.5)], |value| value);
        assert_eq!(
            (drawn.matches('M').count(), drawn.matches('L').count(), drawn.matches('h').count()),
            (2, 1, 2),
            "{drawn}"
        );
    }
}
