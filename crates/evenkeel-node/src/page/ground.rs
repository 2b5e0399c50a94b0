//! What everything stands on, last and small: topics, log, node.

use maud::{Markup, html};

use super::log;
use super::marks::{self, Tone, segment};
use super::numbers;
use super::status::{Status, Topic, Usage};

pub(super) fn section(status: &Status) -> Markup {
    html! {
        section id="ground" {
            div { h2 { "Topics" } (topics(status)) }
            @if !status.intakes.is_empty() { div { h2 { "Intakes" } (intakes(status)) } }
            div { h2 { "Log" } (log::figures(status)) }
            div { h2 { "Node" } (node(status)) }
        }
    }
}

fn topics(status: &Status) -> Markup {
    let has_rates = status.topics.iter().any(|t| t.rate_in > 0.0);
    let has_bytes = status.topics.iter().any(|t| t.bytes.is_some());
    html! {
        @if status.topics.is_empty() {
            p class="quiet" { "None." }
        } @else {
            table {
                thead { tr {
                    th scope="col" { "Topic" } th scope="col" class="r" { "Partitions" }
                    th scope="col" class="r" { "Records" }
                    @if has_bytes { th scope="col" class="r" { "Bytes" } }
                    @if has_rates { th scope="col" class="r" { "In" } }
                } }
                tbody { @for topic in &status.topics { (topic_row(topic, has_bytes, has_rates)) } }
            }
            p class="small" { (marks::command(&status.node.url, &["topics"])) }
        }
    }
}

/// What comes in from brokers, and why nothing comes, if so.
fn intakes(status: &Status) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Topic" } th scope="col" { "From" }
                th scope="col" class="r" { "Placed" } th scope="col" class="r" { "Held" }
                th scope="col" class="r" { "Came again" }
            } }
            tbody { @for intake in &status.intakes { tr {
                th scope="row" { a href={ "/v1/topics/" (segment(&intake.topic)) } { (intake.topic) } }
                td {
                    code { (intake.broker) } " " (intake.from) " "
                    @if !intake.connected { (marks::state(Tone::Bad, "not connected")) }
                    @if let Some(problem) = &intake.problem { p class="small" { (problem) } }
                }
                td class="r" { (marks::count(intake.placed)) }
                td class="r" { (marks::count(intake.held)) }
                td class="r" { (marks::count(intake.again)) }
            } } }
        }
        p class="small" { (marks::command(&status.node.url, &["intakes"])) }
    }
}

fn topic_row(topic: &Topic, has_bytes: bool, has_rates: bool) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href={ "/v1/topics/" (segment(&topic.name)) } { (topic.name) }
                @if let Some(filled) = topic.filled { " " (marks::state(full(filled), &format!("{} of its limit", numbers::budget((filled * 100.0).floor() / 100.0)))) }
            }
            td class="r" { (topic.partitions) }
            td class="r" { (marks::count(topic.records)) }
            @if has_bytes { td class="r" { @if let Some(bytes) = topic.bytes { (log::size(bytes)) } } }
            @if has_rates {
                td class="r" { (marks::number(&numbers::rate(topic.rate_in), &format!("{:.3} per second", topic.rate_in))) }
            }
        }
    }
}

/// What the process uses, in words.
fn used(usage: &Usage) -> Vec<(&'static str, String)> {
    let of = |part: String, all: Option<String>| all.map_or(part.clone(), |all| format!("{part} of {all}"));
    let processors = usage.processors.map(|n| of(format!("{n:.2}"), usage.processors_max.map(|max| max.to_string())));
    let machine =
        usage.machine_bytes.map(|(all, free)| format!("{}, {} free", numbers::bytes(all), numbers::bytes(free)));
    let pair = |(a, b): (u64, u64)| format!("{} / {}", numbers::bytes(a), numbers::bytes(b));
    let all = [
        ("processors", processors),
        ("memory", usage.memory_bytes.map(|bytes| of(numbers::bytes(bytes), machine))),
        ("open files", usage.files.map(|(open, max)| of(numbers::grouped(open), Some(numbers::grouped(max))))),
        ("disk read / written", usage.disk_bytes.map(pair)),
        ("network in / out", usage.network_bytes.map(pair)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn full(filled: f64) -> Tone {
    if filled < 1.0 { Tone::Held } else { Tone::Bad }
}

fn node(status: &Status) -> Markup {
    let node = &status.node;
    html! {
        dl class="pairs" {
            (marks::figure("version", &html! { (node.version) }))
            (marks::figure("address", &html! { (node.url) }))
            (marks::figure("data", &html! { code { (node.data) } }))
            (marks::figure("up since", &marks::ago(node.started, status.now)))
            @for (name, value) in used(&node.usage) { (marks::figure(name, &html! { (value) })) }
            (marks::figure("metrics", &html! { a href="/metrics" { "/metrics" } }))
        }
        p class="small" { "One embedded node is a single point of failure: replication comes with a broker." }
    }
}
