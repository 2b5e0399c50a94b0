//! The small things that every part of the page uses: times, numbers with their exact value,
//! state by word and shape, ids that are copied by a click, commands.
//!
//! All text goes through maud, which escapes it; nothing here writes raw markup.

use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_model::Timestamp;
use maud::{Markup, html};

use super::numbers;

/// A state: its colour's name, its shape and its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Held,
    Bad,
    Quiet,
}

impl Tone {
    /// The class that colours it.
    pub(super) fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Held => "held",
            Tone::Bad => "bad",
            Tone::Quiet => "quiet",
        }
    }

    /// The shape that tells it without colour.
    pub(super) fn shape(self) -> &'static str {
        match self {
            Tone::Good => "●",
            Tone::Held => "▲",
            Tone::Bad => "■",
            Tone::Quiet => "○",
        }
    }
}

/// `● flowing`.
pub(super) fn state(tone: Tone, word: &str) -> Markup {
    html! {
        span class={ "state " (tone.class()) } { span aria-hidden="true" { (tone.shape()) } " " (word) }
    }
}

/// `12 s ago`, with the absolute time on hover.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(format_rfc3339(at)) title=(absolute(at)) { (numbers::relative(at, now)) } }
}

/// `2026-01-31 02:14:05 UTC`.
pub(super) fn absolute(at: Timestamp) -> String {
    let text = format_rfc3339(at);
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}

/// `02:14 UTC`.
pub(super) fn clock(at: Timestamp) -> String {
    format!("{} UTC", format_rfc3339(at).get(11..16).unwrap_or_default())
}

/// A number as people say it, the exact one on hover, marked when it changes.
pub(super) fn number(said: &str, exact: &str) -> Markup {
    html! { span class="n" data-n title=(exact) { (said) } }
}

/// A count, exact on hover.
pub(super) fn count(n: u64) -> Markup {
    number(&numbers::count(n), &numbers::grouped(n))
}

/// A count that leads to what it counts.
pub(super) fn linked_count(n: u64, href: &str) -> Markup {
    html! { a href=(href) { (count(n)) } }
}

/// Something to be copied by a click; selectable without scripts.
pub(super) fn id(text: &str) -> Markup {
    html! { code class="id" data-copy=(text) { (text) } }
}

/// A command line that does what the page speaks of.
pub(super) fn command(node_url: &str, arguments: &[impl AsRef<str>]) -> Markup {
    let line = command_line(node_url, arguments);
    html! { code class="cmd" data-copy=(line) { (line) } }
}

/// A command line that needs no node: it works on a folder.
pub(super) fn offline(arguments: &[impl AsRef<str>]) -> Markup {
    command("", arguments)
}

/// The command's text, quoted for a shell. The node is named when it isn't the default one.
pub(super) fn command_line(node_url: &str, arguments: &[impl AsRef<str>]) -> String {
    let mut line = String::from("evenkeel");
    for argument in arguments {
        line.push(' ');
        line.push_str(&quoted(argument.as_ref()));
    }
    if !node_url.is_empty() && node_url != "http://127.0.0.1:8080" {
        line.push_str(" --node ");
        line.push_str(&quoted(node_url));
    }
    line
}

fn quoted(argument: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@=+,".contains(&b);
    if !argument.is_empty() && argument.bytes().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

/// One segment of a path in a URL.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Text in which names stand in backticks: they become code. A backtick without its other stays.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() - usize::from(parts.len().is_multiple_of(2));
    html! {
        @for (at, part) in parts[..paired].iter().enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
        @for part in &parts[paired..] { "`" (part) }
    }
}

/// One labelled figure.
pub(super) fn figure(label: &str, value: &Markup) -> Markup {
    html! { div class="fig" { dt { (label) } dd { (value) } } }
}
