//! What everything stands on, last and small: topics, disk, node.

use maud::{Markup, html};

use super::marks::{self, segment};
use super::numbers;
use super::status::{Status, Topic};

pub(super) fn section(status: &Status) -> Markup {
    html! {
        section id="ground" {
            div { h2 { "Topics" } (topics(status)) }
            div { h2 { "Disk" } (disk(status)) }
            div { h2 { "Node" } (node(status)) }
        }
    }
}

fn topics(status: &Status) -> Markup {
    let has_rates = status.topics.iter().any(|t| t.rate_in > 0.0);
    html! {
        @if status.topics.is_empty() {
            p class="quiet" { "None." }
        } @else {
            table {
                thead { tr {
                    th scope="col" { "Topic" } th scope="col" class="r" { "Partitions" }
                    th scope="col" class="r" { "Records" } @if has_rates { th scope="col" class="r" { "In" } }
                } }
                tbody { @for topic in &status.topics { (topic_row(topic, has_rates)) } }
            }
            p class="small" { (marks::command(&status.node.url, &["topics"])) }
        }
    }
}

fn topic_row(topic: &Topic, has_rates: bool) -> Markup {
    html! {
        tr {
            th scope="row" { a href={ "/v1/topics/" (segment(&topic.name)) } { (topic.name) } }
            td class="r" { (topic.partitions) }
            td class="r" { (marks::count(topic.records)) }
            @if has_rates {
                td class="r" { (marks::number(&numbers::rate(topic.rate_in), &format!("{:.3} per second", topic.rate_in))) }
            }
        }
    }
}

fn disk(status: &Status) -> Markup {
    let size = |n: u64| marks::number(&numbers::bytes(n), &format!("{} bytes", numbers::grouped(n)));
    let disk = &status.disk;
    html! {
        dl class="pairs" {
            (marks::figure("write-ahead log", &size(disk.wal_bytes)))
            (marks::figure("segments", &size(disk.segment_bytes)))
            @if let Some(free) = disk.free_bytes { (marks::figure("free", &size(free))) }
            (marks::figure("groups", &marks::count(disk.groups)))
            (marks::figure("flushes", &marks::count(disk.flushes)))
        }
    }
}

fn node(status: &Status) -> Markup {
    let node = &status.node;
    html! {
        dl class="pairs" {
            (marks::figure("version", &html! { (node.version) }))
            (marks::figure("address", &html! { (node.url) }))
            (marks::figure("data", &html! { code { (node.data) } }))
            (marks::figure("up since", &marks::ago(node.started, status.now)))
            (marks::figure("metrics", &html! { a href="/metrics" { "/metrics" } }))
        }
        p class="small" { "One embedded node is a single point of failure: replication comes with a broker." }
    }
}
