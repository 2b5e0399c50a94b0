//! The status page: `GET /`, for an engineer at three in the morning.
//!
//! [`render`] turns a [`Status`] into markup, complete without scripts; [`asset`] hands out the
//! two files that go with it. The page is pure: it reads no log, no clock and no request. What it
//! shows and in which order is decided in `PAGES.md`'s terms: one sentence, the promises, the
//! objectives, the flow, what happened, then topics, log and node.
//!
//! Invariants: everything from outside is escaped; no inline script or style, so that
//! [`CONTENT_SECURITY_POLICY`] holds; no request leaves the node; state is told by a word and a
//! shape before colour.

pub mod status;
pub(crate) mod numbers;
mod marks;
mod sentence;
mod promises;
mod objectives;
mod plot;
mod chart;
mod curves;
pub(crate) mod objective;
mod flow;
mod timeline;
mod log;
mod ground;
mod sla;
pub(crate) mod story;
mod assets;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, html};

pub use assets::asset;
pub(crate) use sla::page as sla;
pub use status::Status;

use evenkeel_cloudevents::time::format_rfc3339;
use sentence::{Level, sentence};

/// The header that goes with the page.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Seconds between two refreshes, where there are no scripts.
const REFRESH_S: &str = "5";

/// What the head of each page says.
fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) }
        link rel="icon" href=(assets::ICON) type="image/svg+xml";
        link rel="stylesheet" href=(assets::style_path());
    }
}

/// The whole page.
pub fn render(status: &Status) -> Markup {
    frame(&title(status), status, &contents(status))
}

/// What is around the contents of a page that shows the node as it is, and refreshes itself.
fn frame(title: &str, status: &Status, contents: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head(title))
                script src=(assets::script_path()) defer {}
                noscript { meta http-equiv="refresh" content=(REFRESH_S); }
            }
            body {
                a class="skip" href="#main" { "Skip to the contents" }
                header {
                    b { a href="/" { "evenkeel" } }
                    span { (status.node.url) }
                    span class="asof" {
                        "as of "
                        time id="asof" datetime=(format_rfc3339(status.now)) { (marks::absolute(status.now)) }
                    }
                }
                p id="connection" role="alert" hidden {}
                p id="said" class="sr" role="status" {}
                main id="main" { (contents) }
            }
        }
    }
}

fn contents(status: &Status) -> Markup {
    html! {
        (headline(status))
        (log::damaged(status))
        @if is_empty(status) { (first_steps(status)) }
        (promises::section(status))
        (objectives::section(status))
        (flow::section(status))
        (timeline::section(status))
        (ground::section(status))
    }
}

fn headline(status: &Status) -> Markup {
    let said = sentence(status);
    let (class, shape, word) = match said.level {
        Level::Empty => ("empty", "○", "ready"),
        Level::Calm => ("calm", "●", "kept"),
        Level::Held => ("held", "▲", "needs attention"),
        Level::Broken => ("broken", "■", "broken"),
    };
    html! {
        section class={ "headline " (class) } {
            p class="word" { span aria-hidden="true" { (shape) } " " (word) }
            h1 { (marks::prose(&said.text)) }
            @if !said.command.is_empty() {
                p class="do" {
                    @if said.offline { (marks::offline(&said.command)) }
                    @else { (marks::command(&status.node.url, &said.command)) }
                }
            }
        }
    }
}

/// Nothing was ever published.
fn is_empty(status: &Status) -> bool {
    sentence(status).level == Level::Empty
}

fn first_steps(status: &Status) -> Markup {
    let user_topic = status.topics.iter().find(|t| !t.name.starts_with(evenkeel_model::names::OWN_PREFIX));
    let topic = user_topic.map_or("orders", |t| t.name.as_str());
    let publish = ["publish", topic, "--type", "OrderCreated", "--source", "/shop", "--key", "customer-1"];
    let line = format!("echo '{{\"order\":1}}' | {}", marks::command_line(&status.node.url, &publish));
    html! {
        section id="first" {
            h2 { "Publish the first event" }
            @if user_topic.is_none() {
                p { "There is no topic yet. Name one in the configuration, then start the node again:" }
                p { code class="cmd file" data-copy="topics: { orders: { partitions: 4 } }" { "topics: { orders: { partitions: 4 } }" } }
            }
            p { code class="cmd" data-copy=(line) { (line) } }
            p { "Then watch it arrive, and read its story:" }
            p { (marks::command(&status.node.url, &["tail", topic, "--from", "earliest"])) }
        }
    }
}

fn title(status: &Status) -> String {
    let word = match sentence(status).level {
        Level::Empty => "ready",
        Level::Calm => "kept",
        Level::Held => "▲ needs attention",
        Level::Broken => "■ broken",
    };
    format!("{word} · evenkeel")
}
