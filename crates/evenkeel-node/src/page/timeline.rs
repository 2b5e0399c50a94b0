//! What happened: incidents, alerts, gates, playbooks and experiments on one line, newest first.

use evenkeel_model::Position;
use maud::{Markup, html};

use super::marks::{self, Tone, segment};
use super::numbers;
use super::status::{Happening, HappeningKind, Status};

/// More than this is for the API.
const SHOWN_MAX: usize = 50;

pub(super) fn section(status: &Status) -> Markup {
    let mut happenings: Vec<&Happening> = status.happenings.iter().collect();
    happenings.sort_by_key(|h| std::cmp::Reverse((h.ongoing, h.at)));
    html! {
        section id="happened" {
            h2 { "What happened" }
            @if happenings.is_empty() {
                p class="quiet" { "Nothing out of the ordinary." }
            } @else {
                ol class="timeline" {
                    @for happening in happenings.iter().take(SHOWN_MAX) { (item(happening, status, false)) }
                }
                @if happenings.len() > SHOWN_MAX {
                    p class="small" { a href="/v1/incidents" { (happenings.len() - SHOWN_MAX) " older ones" } }
                }
                p class="small" {
                    (marks::command(&status.node.url, &["incidents"])) " "
                    (marks::command(&status.node.url, &["alerts"]))
                }
            }
        }
    }
}

/// One thing that happened; what there is to say of it is folded away, unless it is opened.
pub(super) fn item(happening: &Happening, status: &Status, open: bool) -> Markup {
    let (tone, word) = standing(happening);
    html! {
        li {
            span class="when" { (marks::ago(happening.at, status.now)) }
            span class="what" {
                (marks::state(tone, word)) " "
                span class="kind" { (kind(happening.kind)) } " "
                @if !happening.id.is_empty() { (marks::id(&happening.id)) " " }
                span class="words" { (marks::prose(&happening.text)) }
                @if let Some(until) = happening.until.filter(|u| *u > happening.at) {
                    span class="small" title=(marks::absolute(until)) { " took " (numbers::duration(until.since(happening.at))) }
                }
                @if !happening.details.is_empty() {
                    details open[open] id={ "happened-" (happening.at.micros()) "-" (segment(&happening.id)) } {
                        summary { (happening.details.len()) @if happening.details.len() == 1 { " step" } @else { " steps" } }
                        ol class="steps" { @for step in &happening.details { li class="words" { (marks::prose(step)) } } }
                    }
                }
                @if !happening.events.is_empty() { (behind(happening, status, open)) }
            }
        }
    }
}

/// `orders 3/1202`, leading to the record.
fn place(at: &Position) -> Markup {
    let Position { shard, offset } = at;
    let (topic, partition) = (&*shard.topic, shard.partition);
    html! {
        a href={ "/v1/topics/" (segment(topic)) "/events?partition=" (partition) "&from=" (offset) "&limit=1" } { (topic) " " (partition) "/" (offset) }
    }
}

/// The events that it came of, each leading to its story.
fn behind(happening: &Happening, status: &Status, open: bool) -> Markup {
    html! {
        details open[open] id={ "events-" (happening.at.micros()) "-" (segment(&happening.text)) } {
            summary { @if happening.events.len() == 1 { "the last bad event" } @else { "the last " (happening.events.len()) " bad events" } }
            table class="cards" {
                thead { tr { th scope="col" { "Event" } th scope="col" { "Of" } th scope="col" { "When" } th scope="col" { "What became of it" } } }
                tbody { @for event in &happening.events { tr {
                    th scope="row" {
                        @if event.id.is_empty() { span class="quiet" { "not kept any more" } }
                        @else { a href={ "/events/" (segment(&event.id)) "?source=" (segment(&event.source)) } { (event.id) } }
                    }
                    td data-label="Of" { (place(&event.place)) }
                    td data-label="When" { (marks::ago(event.at, status.now)) }
                    td data-label="What became of it" { (event.what) }
                } } }
            }
        }
    }
}

fn standing(happening: &Happening) -> (Tone, &'static str) {
    match (happening.ongoing, happening.kind) {
        (true, HappeningKind::Incident | HappeningKind::Alert) => (Tone::Bad, "open"),
        (true, _) => (Tone::Held, "going on"),
        (false, _) if happening.until.is_none() => (Tone::Quiet, "noted"),
        (false, _) => (Tone::Quiet, "over"),
    }
}

fn kind(kind: HappeningKind) -> &'static str {
    match kind {
        HappeningKind::Incident => "incident",
        HappeningKind::Alert => "alert",
        HappeningKind::Gate => "gate",
        HappeningKind::Producer => "producer",
        HappeningKind::Playbook => "playbook",
        HappeningKind::Experiment => "experiment",
        HappeningKind::Node => "node",
    }
}
