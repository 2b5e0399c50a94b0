//! The log: how it does, what is damaged, and what is not as it should be under it.

use std::time::Duration;

use maud::{Markup, html};

use super::marks::{self, Tone};
use super::numbers;
use super::status::{Damage, Log, Status};

/// What is damaged, place by place; nothing on a node that is whole.
pub(super) fn damaged(status: &Status) -> Markup {
    let log = &status.log;
    html! {
        @if !log.damage.is_empty() {
            section id="damage" {
                h2 { "Damage" }
                ul { @for damage in &log.damage { (place(damage)) } }
                p { "Nothing was changed. Copy the folder first; then see what a repair would do, and do it while the node is down:" }
                p { (marks::offline(&["log", "verify", &status.node.data])) }
                p { (marks::offline(&["log", "repair", &status.node.data])) }
            }
        }
    }
}

fn place(damage: &Damage) -> Markup {
    html! {
        li {
            p class="words" { (marks::state(Tone::Bad, "damaged")) " " code { (damage.place) } ": " (damage.what) }
            ul class="steps" {
                @for lost in &damage.lost { li { "lost: " (lost) } }
                @for cut in &damage.cut { li { "whole, and behind the damage: " (cut) } }
                @if !damage.exact { li { "perhaps more, which nothing on the disk tells" } }
            }
        }
    }
}

pub(super) fn figures(status: &Status) -> Markup {
    let log = &status.log;
    html! {
        dl class="pairs" {
            (marks::figure("state", &state(log)))
            (marks::figure("write-ahead log", &wal(log)))
            @if let Some(behind) = log.behind_bytes { (marks::figure("not in segments yet", &size(behind))) }
            (marks::figure("segments", &size(log.segment_bytes)))
            @if let Some(free) = log.free_bytes { (marks::figure("free on the disk", &size(free))) }
            @if let Some((p50, p99)) = log.write {
                (marks::figure("a write takes, p50", &took(p50)))
                (marks::figure("p99", &took(p99)))
            }
            (marks::figure("groups", &marks::count(log.groups)))
            (marks::figure("flushes per group", &per_group(log)))
            @if let Some(at) = log.checkpoint_at { (marks::figure("checkpoint", &marks::ago(at, status.now))) }
        }
        @for warning in &log.warnings {
            p class="small words" { (marks::state(Tone::Held, "note")) " " (marks::prose(warning)) }
        }
        p class="small" { (marks::offline(&["doctor", "--data", &status.node.data])) }
    }
}

/// Counted by bounds, so that it is said as one.
fn took(bound: Duration) -> Markup {
    let us = bound.as_micros();
    let said = if us < 1000 { format!("{us}\u{a0}µs") } else { numbers::duration(bound) };
    html! { "≤\u{a0}" (marks::number(&said, &format!("at most {us} µs"))) }
}

fn state(log: &Log) -> Markup {
    match (&log.stopped, log.damage.is_empty()) {
        (_, false) => marks::state(Tone::Bad, "damaged: reads only"),
        (Some(_), true) => marks::state(Tone::Bad, "stopped: reads only"),
        (None, true) => marks::state(Tone::Good, "taking"),
    }
}

fn wal(log: &Log) -> Markup {
    html! {
        (size(log.wal_bytes))
        @if let Some(max) = log.wal_bytes_max { " of " (size(max)) }
    }
}

fn per_group(log: &Log) -> Markup {
    match log.groups {
        0 => html! { "–" },
        groups => {
            let exact = format!("{} flushes, {} groups", numbers::grouped(log.flushes), numbers::grouped(groups));
            marks::number(&format!("{:.2}", log.flushes as f64 / groups as f64), &exact)
        }
    }
}

pub(super) fn size(n: u64) -> Markup {
    marks::number(&numbers::bytes(n), &format!("{} bytes", numbers::grouped(n)))
}
