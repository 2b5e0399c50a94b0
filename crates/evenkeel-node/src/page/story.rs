//! The story of one event as a page: a lane for each subscription, time from left to right, and the table behind it.
//!
//! The axis of time is logarithmic: between a first call and a redrive lie milliseconds and days. Nothing is judged
//! here, and nothing left out but the other events of a chain beyond those that the story tells.

mod lanes;
mod moments;

use evenkeel_model::{EventId, Timestamp};
use evenkeel_transport::story::Story;
use maud::{DOCTYPE, Markup, html};

use super::marks::{self, Tone, segment};
use super::numbers;
use crate::wiring::Unseen;
use moments::moments;

/// Other events of its chain that are listed.
const RELATED_SHOWN: usize = 50;

/// The page; of an event that several sources have, or none, see [`which`] and [`nobody`].
pub(crate) fn page(story: &Story, unseen: &[Unseen], node_url: &str, now: Timestamp) -> Markup {
    let moments = moments(story, now);
    let began = moments.first().map_or(now, |moment| moment.at);
    let body = html! {
        (sentence(story, unseen))
        (not_looked_at(unseen))
        section id="picture" {
            h2 { "What became of it" }
            div class="wide" { (lanes::picture(lanes::WIDE, story, &moments, now)) }
            div class="narrow" { (lanes::picture(lanes::NARROW, story, &moments, now)) }
            p class="key small" {
                "◆ stored · ▮ a call, " span class="state bad" { "▮ a call that failed" } " · ┄ waits for the next · ● ended well · ■ ended badly · ↻ redriven · ◇ caused. Time is logarithmic."
            }
        }
        section id="moments" {
            h2 { "Each step" }
            table class="cards" {
                thead { tr { th scope="col" { "When" } th scope="col" class="r" { "After" } th scope="col" { "Where" } th scope="col" { "What" } } }
                tbody { @for moment in &moments { tr {
                    td data-label="When" { time datetime=(evenkeel_cloudevents::time::format_rfc3339(moment.at)) { (marks::absolute(moment.at)) } }
                    td data-label="After" class="r n" { (numbers::duration(moment.at.since(began))) }
                    td data-label="Where" class="place" { (moment.place) }
                    td data-label="What" { (marks::prose(&moment.what)) @if let Some(event) = &moment.event { " " (link(event)) } }
                } } }
            }
        }
        @if !story.related.is_empty() {
            section id="chain" {
                h2 { "Other events of the chain " (marks::id(&story.chain)) }
                ul { @for one in story.related.iter().take(RELATED_SHOWN) { li {
                    (marks::absolute(one.appended)) " " (one.kind) " " (link(&one.event)) " in " (one.at.shard.topic)
                } } }
                @if story.related.len() > RELATED_SHOWN { p class="small" { "and " (story.related.len() - RELATED_SHOWN) " more" } }
            }
        }
        section { p { (marks::command(node_url, &["story", &story.event.id, "--source", &story.event.source])) } }
    };
    frame(&format!("{} · story", story.event.id), node_url, now, &body)
}

/// Several sources have an event of this id.
pub(crate) fn which(stories: &[Story], node_url: &str, now: Timestamp) -> Markup {
    let body = html! {
        section class="headline held" {
            p class="word" { span aria-hidden="true" { "▲" } " which one?" }
            h1 { (stories.len()) " sources have an event of this id" }
        }
        section { ul { @for story in stories { li { (link(&story.event)) } } } }
    };
    frame("story", node_url, now, &body)
}

/// No event has this id.
pub(crate) fn nobody(id: &str, unseen: &[Unseen], node_url: &str, now: Timestamp) -> Markup {
    let body = html! {
        section class="headline empty" {
            p class="word" { span aria-hidden="true" { "○" } " not found" }
            h1 { @if unseen.is_empty() { "No event has the id " } @else { "No event was found with the id " } code { (id) } }
        }
        (not_looked_at(unseen))
        section { p { "Retention may have let it go. " a href="/" { "Back to the node" } } }
    };
    frame("story", node_url, now, &body)
}

/// What the page does not know of.
fn not_looked_at(unseen: &[Unseen]) -> Markup {
    html! {
        @if !unseen.is_empty() {
            section id="unseen" { h2 { "Not looked at" } ul { @for of in unseen { li { (of.says()) } } } }
        }
    }
}

fn sentence(story: &Story, unseen: &[Unseen]) -> Markup {
    let badly = |outcome| matches!(outcome, evenkeel_model::Outcome::Dead | evenkeel_model::Outcome::Expired);
    let names = |open: bool| -> Vec<&str> {
        let of = story
            .subscriptions
            .iter()
            .filter(|s| if open { s.outcome.is_none() } else { s.outcome.is_some_and(badly) });
        of.map(|s| &*s.name).collect()
    };
    let (failed, open) = (names(false), names(true));
    let (class, tone, word, said) = match (failed.as_slice(), open.as_slice()) {
        ([], _) if unseen.iter().any(|of| of.outcomes_of.is_some()) => {
            ("empty", Tone::Quiet, "not known", "Not all outcomes were looked at.".to_owned())
        }
        ([], []) if story.subscriptions.is_empty() => {
            ("empty", Tone::Quiet, "stored", "No subscription has it.".to_owned())
        }
        ([], []) => ("calm", Tone::Good, "done", format!("Ended in {}.", count(story.subscriptions.len()))),
        ([], open) => ("held", Tone::Held, "under way", format!("Not ended in {}.", open.join(", "))),
        (failed, _) => ("broken", Tone::Bad, "failed", format!("Ended badly in {}.", failed.join(", "))),
    };
    html! {
        section class={ "headline " (class) } {
            p class="word" { span aria-hidden="true" { (tone.shape()) } " " (word) }
            h1 { (said) }
            p { "Event " (marks::id(&story.event.id)) " of " (marks::id(&story.event.source)) }
        }
    }
}

fn count(subscriptions: usize) -> String {
    if subscriptions == 1 { "its subscription".to_owned() } else { format!("all {subscriptions} subscriptions") }
}

/// Where the story of another event is.
pub(super) fn path(event: &EventId) -> String {
    format!("/events/{}?source={}", segment(&event.id), segment(&event.source))
}

fn link(event: &EventId) -> Markup {
    html! { a href=(path(event)) { (event.id) } " of " (event.source) }
}

fn frame(title: &str, node_url: &str, now: Timestamp, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (super::head(&format!("{title} · evenkeel")))
            }
            body {
                header {
                    b { a href="/" { "evenkeel" } }
                    span { (node_url) }
                    span class="asof" { "as of " time { (marks::absolute(now)) } }
                }
                main { (body) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
