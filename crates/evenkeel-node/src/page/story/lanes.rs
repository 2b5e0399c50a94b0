//! The picture: where each step lies on a logarithmic axis of time.

use std::time::Duration;

use evenkeel_model::{Outcome, Timestamp};
use evenkeel_transport::story::{Story, StorySubscription};
use maud::{Markup, html};

use super::moments::Moment;
use crate::page::numbers;

const LANE: f64 = 32.0;
/// Two labels of the axis are at least so far apart.
const APART: f64 = 56.0;
/// From the end of an event to its mark, and from there to its word.
const BESIDE: f64 = 12.0;

/// How much room there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// For names.
    left: f64,
    /// For time.
    width: f64,
    /// For the mark and the word of an outcome.
    right: f64,
    /// A name that is longer is cut; the whole of it is on hover.
    name_max: usize,
}

/// On a desk.
pub(super) const WIDE: Room = Room { left: 168.0, width: 720.0, right: 112.0, name_max: 22 };
/// In a hand.
pub(super) const NARROW: Room = Room { left: 80.0, width: 176.0, right: 96.0, name_max: 10 };

/// Time on the axis: linear below a millisecond, logarithmic above.
pub(super) struct Axis {
    room: Room,
    began: Timestamp,
    decades: f64,
}

impl Axis {
    pub(super) fn new(room: Room, began: Timestamp, ended: Timestamp) -> Axis {
        Axis { room, began, decades: decades(ended.since(began)).max(1.0) }
    }

    /// Where a moment lies.
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        self.room.left + self.room.width * (decades(at.since(self.began)) / self.decades).min(1.0)
    }

    /// The stretches that are labelled.
    fn ticks(&self) -> Vec<(f64, String)> {
        const TICKS_MS: [u64; 11] =
            [1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000, 86_400_000, 864_000_000];
        let mut ticks: Vec<(f64, String)> = vec![(self.room.left, "0".to_owned())];
        for ms in TICKS_MS {
            let after = Duration::from_millis(ms);
            let x = self.x(self.began + after);
            if decades(after) <= self.decades && ticks.last().is_none_or(|(last, _)| x - last >= APART) {
                ticks.push((x, numbers::duration(after)));
            }
        }
        ticks
    }
}

fn decades(after: Duration) -> f64 {
    (1.0 + after.as_secs_f64() * 1e3).log10()
}

/// All lanes under one axis.
pub(super) fn picture(room: Room, story: &Story, moments: &[Moment], now: Timestamp) -> Markup {
    let starts = story.subscriptions.iter().flat_map(|of| of.attempts.iter().map(|attempt| attempt.at - attempt.took));
    let began = moments.iter().map(|moment| moment.at).chain(starts).min().unwrap_or(now);
    let ended = moments.iter().map(|moment| moment.at).max().unwrap_or(now);
    let axis = Axis::new(room, began, ended);
    let all = room.left + room.width + room.right;
    let lanes = 1 + story.subscriptions.len() + usize::from(!story.caused.is_empty());
    let bottom = LANE * lanes as f64;
    let y = |lane: usize| LANE * lane as f64 + LANE / 2.0;
    html! {
        svg class="line story" viewBox=(format!("0 0 {all} {}", bottom + 24.0)) width=(all) height=(bottom + 24.0)
            role="img" aria-label={ "the event's way over " (numbers::duration(ended.since(began))) ", told step by step in the table below" } {
            @for (x, label) in axis.ticks() {
                line class="grid" x1=(n(x)) x2=(n(x)) y1="0" y2=(n(bottom)) {}
                text x=(n(x)) y=(n(bottom + 16.0)) text-anchor="middle" { (label) }
            }
            (name(room, "stored", y(0)))
            @for record in &story.records { (mark(axis.x(record.appended), y(0), "◆", &format!("stored in {}", record.at.shard.topic), false)) }
            @for (lane, of) in story.subscriptions.iter().enumerate() { (subscription(of, &axis, y(lane + 1), now)) }
            @if !story.caused.is_empty() {
                (name(room, "caused", y(lanes - 1)))
                @for caused in &story.caused {
                    a href=(super::path(&caused.event)) { (mark(axis.x(caused.appended), y(lanes - 1), "◇", &format!("{} {}", caused.kind, caused.event.id), false)) }
                }
            }
        }
    }
}

fn subscription(of: &StorySubscription, axis: &Axis, y: f64, now: Timestamp) -> Markup {
    let ended_badly = of.outcome.is_some_and(|outcome| matches!(outcome, Outcome::Dead | Outcome::Expired));
    let end = of.ended_at.unwrap_or(now);
    let word = of.outcome.map_or("under way", Outcome::name);
    html! {
        (name(axis.room, &of.name, y))
        @for pair in of.attempts.windows(2) {
            line class="waits" x1=(n(axis.x(pair[0].at))) x2=(n(axis.x(pair[1].at - pair[1].took))) y1=(n(y)) y2=(n(y)) {}
        }
        @for attempt in &of.attempts {
            @let (from, to) = (axis.x(attempt.at - attempt.took), axis.x(attempt.at));
            rect class=(if attempt.class.is_some() { "low" } else { "fill" }) x=(n(from)) y=(n(y - 8.0)) width=(n((to - from).max(3.0))) height="16" {
                title { "delivery " (attempt.delivery) ": " (attempt.class.map_or("answered", |class| class.name())) " in " (numbers::duration(attempt.took)) }
            }
        }
        @for redriven in &of.redriven { (mark(axis.x(redriven.at), y, "↻", &format!("redriven by {}", redriven.job), false)) }
        @if let Some(at) = of.overdue_at { (mark(axis.x(at), y - 10.0, "!", "overdue", true)) }
        @if of.outcome.is_some() { (mark(axis.x(end) + BESIDE, y, if ended_badly { "■" } else { "●" }, word, ended_badly)) }
        text class=(if ended_badly { "bad" } else { "" }) x=(n(axis.x(end) + 2.0 * BESIDE)) y=(n(y)) dy="4" { (word) }
    }
}

fn name(room: Room, text: &str, y: f64) -> Markup {
    let Room { left, width, name_max, .. } = room;
    let cut: String = text.chars().take(name_max).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    html! {
        line class="grid" x1=(left) x2=(left + width) y1=(n(y)) y2=(n(y)) {}
        text x=(left - 8.0) y=(n(y)) dy="4" text-anchor="end" { (cut) (more) title { (text) } }
    }
}

fn mark(x: f64, y: f64, shape: &str, told: &str, bad: bool) -> Markup {
    html! { text class=(if bad { "mark bad" } else { "mark" }) x=(n(x)) y=(n(y)) dy="5" text-anchor="middle" { (shape) title { (told) } } }
}

fn n(number: f64) -> String {
    format!("{number:.1}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_model::Timestamp;

    use super::{Axis, WIDE};

    #[test]
    fn milliseconds_and_days_both_have_room_on_the_axis_and_labels_do_not_touch() {
        let began = Timestamp::from_millis(1_795_000_000_000);
        let axis = Axis::new(WIDE, began, began + Duration::from_secs(2 * 86_400));
        let (left, right) = (WIDE.left, WIDE.left + WIDE.width);
        let x = |ms: u64| axis.x(began + Duration::from_millis(ms));
        assert!((x(0) - left).abs() < 0.01 && (x(2 * 86_400_000) - right).abs() < 0.01);
        assert!(x(5) - x(0) > 40.0 && x(86_400_000) - x(3_600_000) > 40.0, "a call is seen beside a day's wait");
        let ticks = axis.ticks();
        assert!(ticks.len() > 5 && ticks.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 56.0), "{ticks:?}");
        assert!(x(90 * 86_400_000) <= right, "nothing lies beyond the picture");
    }
}
