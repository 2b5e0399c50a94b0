//! The flow: topic → subscription → handler, a row each, that opens into its lanes, its dead
//! letters by fingerprint, and its policy in words.

use maud::{Markup, html};

use super::marks::{self, Tone, segment};
use super::status::{DeadGroup, Endpoint, Flow, Forced, Gate, Lane, Status};
use super::{curves, numbers};

pub(super) fn section(status: &Status) -> Markup {
    let most = status.flows.iter().map(|f| f.rate_in.max(f.rate_out)).fold(0.0_f64, f64::max);
    html! {
        section id="flow" {
            h2 { "Flow" }
            @if !status.log.damage.is_empty() {
                p class="quiet" { "No subscription runs while the log is damaged: what is owed stays owed." }
            } @else if status.flows.is_empty() {
                p class="quiet" { "No subscription is declared: events are kept, and nobody is given them." }
            }
            @for flow in &status.flows { (row(flow, most, status)) }
        }
    }
}

fn row(flow: &Flow, most: f64, status: &Status) -> Markup {
    let (tone, word) = gate_word(&flow.gate);
    html! {
        details class="flow" id={ "flow-" (segment(&flow.subscription)) } {
            summary {
                span class="way" {
                    code class="topic" { (flow.topic) } (arrow(flow.rate_in, most))
                    b class="subscription" { (flow.subscription) } (arrow(flow.rate_out, most))
                    code class="handler" title=(flow.handler) { (flow.handler) }
                    (marks::state(tone, word))
                }
                (figures(flow))
            }
            div class="inside" {
                @if let Some(text) = gate_text(&flow.gate) { p { (gate_sentence(&text, &flow.gate, status)) } }
                @if let Some(trouble) = &flow.trouble { p { (marks::state(Tone::Bad, "broker")) " " (marks::prose(trouble)) } }
                @for forced in &flow.forced { (held_by_operator(forced, status)) }
                (curves::section(flow))
                (endpoints(flow, status))
                (lanes(flow, status))
                (dead(flow, status))
                (policy(flow, status))
            }
        }
    }
}

fn figures(flow: &Flow) -> Markup {
    let name = segment(&flow.subscription);
    let time = |d: Option<std::time::Duration>| match d {
        Some(d) => marks::number(&numbers::duration(d), &format!("{:.3} ms", d.as_secs_f64() * 1e3)),
        None => html! { span class="quiet" { "–" } },
    };
    let rate = |r: f64| marks::number(&numbers::rate(r), &format!("{r:.3} per second"));
    html! {
        dl class="figures" {
            (marks::figure("in", &rate(flow.rate_in)))
            (marks::figure("out", &rate(flow.rate_out)))
            (marks::figure("p50", &time(flow.p50)))
            (marks::figure("p99", &time(flow.p99)))
            (marks::figure("lag", &time(flow.lag)))
            (marks::figure("unread", &marks::count(flow.unread)))
            (marks::figure("in flight", &marks::count(flow.in_flight)))
            (marks::figure("parked", &marks::linked_count(flow.parked, &format!("/v1/subscriptions/{name}/parked"))))
            (marks::figure("dead", &marks::linked_count(flow.dead, &format!("/v1/subscriptions/{name}/dead"))))
        }
    }
}

/// An arrow whose line is as thick as its share of the busiest rate.
fn arrow(rate: f64, most: f64) -> Markup {
    let share = if most > 0.0 { (rate / most).clamp(0.0, 1.0) } else { 0.0 };
    let width = if rate > 0.0 { format!("{:.1}", 1.0 + 5.0 * share) } else { "1".to_owned() };
    let class = if rate > 0.0 { "arrow" } else { "arrow still" };
    html! {
        svg class=(class) viewBox="0 0 48 12" width="48" height="12" aria-hidden="true" {
            line x1="2" y1="6" x2="38" y2="6" stroke-width=(width) {}
            path d="M38 1L46 6L38 11Z" {}
        }
        span class="sr" { " to " }
    }
}

fn gate_word(gate: &Gate) -> (Tone, &'static str) {
    match gate {
        Gate::Flowing => (Tone::Good, "flowing"),
        Gate::Holding { .. } => (Tone::Held, "holding back"),
        Gate::Probing { .. } => (Tone::Held, "probing"),
        Gate::Paused { .. } => (Tone::Held, "paused"),
        Gate::Stopped { .. } => (Tone::Bad, "stopped"),
    }
}

fn gate_text(gate: &Gate) -> Option<String> {
    match gate {
        Gate::Flowing => None,
        Gate::Holding { dependency, .. } => Some(format!("`{dependency}` is down since ")),
        Gate::Probing { dependency, .. } => Some(format!("`{dependency}` is being probed; it was down since ")),
        Gate::Paused { why } => Some(format!("Paused: {why}.")),
        Gate::Stopped { why } => Some(format!("Stopped: {why}.")),
    }
}

fn gate_sentence(text: &str, gate: &Gate, status: &Status) -> Markup {
    html! {
        (marks::prose(text))
        @match gate {
            Gate::Holding { since, next_probe, .. } => {
                (marks::ago(*since, status.now))
                @if let Some(at) = next_probe { "; next probe " (marks::ago(*at, status.now)) }
                ". Waiting costs no attempt."
            },
            Gate::Probing { since, .. } => { (marks::ago(*since, status.now)) ". A probe costs no attempt." },
            _ => {},
        }
    }
}

fn held_by_operator(forced: &Forced, status: &Status) -> Markup {
    let how = if forced.open { "open" } else { "closed" };
    html! {
        p {
            (marks::prose(&format!("An operator holds the breaker of `{}` {how} since ", forced.dependency)))
            (marks::ago(forced.at, status.now)) ": " (forced.reason) ". "
            (marks::command(&status.node.url, &["dependencies", "auto", &forced.dependency]))
        }
    }
}

fn endpoints(flow: &Flow, status: &Status) -> Markup {
    html! {
        @if !flow.endpoints.is_empty() {
            h3 { "Endpoints" }
            table class="cards" {
                thead { tr { th scope="col" { "URL" } th scope="col" { "State" } th scope="col" { "In flight" } } }
                tbody { @for endpoint in &flow.endpoints { (endpoint_row(endpoint, status)) } }
            }
        }
    }
}

fn endpoint_row(endpoint: &Endpoint, status: &Status) -> Markup {
    let tone = if endpoint.state == "in" { Tone::Good } else { Tone::Held };
    html! {
        tr {
            th scope="row" { code { (endpoint.url) } }
            td data-label="State" {
                (marks::state(tone, &endpoint.state))
                @if let Some(at) = endpoint.until { div class="small" { "called again " (marks::ago(at, status.now)) } }
            }
            td data-label="In flight" { (marks::count(endpoint.in_flight)) }
        }
    }
}

fn lanes(flow: &Flow, status: &Status) -> Markup {
    html! {
        h3 { "Parked lanes" }
        @if flow.lanes.is_empty() {
            p class="quiet" { "None." }
        } @else {
            table class="cards" {
                thead { tr {
                    th scope="col" { "Key" } th scope="col" { "Held up by" } th scope="col" { "Behind it" }
                    th scope="col" { "Next try" } th scope="col" { "Last failure" }
                } }
                tbody { @for lane in &flow.lanes { (lane_row(lane, flow, status)) } }
            }
            p class="small" {
                @if flow.parked_keys > flow.lanes.len() as u64 {
                    (marks::count(flow.parked_keys)) " keys are parked in all. "
                }
                (marks::command(&status.node.url, &["parked", "list", &flow.subscription]))
            }
        }
    }
}

fn lane_row(lane: &Lane, flow: &Flow, status: &Status) -> Markup {
    let at =
        format!("/v1/topics/{}/events?partition={}&from={}&limit=1", segment(&flow.topic), lane.partition, lane.offset);
    html! {
        tr {
            th scope="row" {
                @match &lane.key { Some(key) => (marks::id(key)), None => span class="quiet" { "no key" } }
            }
            td data-label="Held up by" { a href=(at) { (lane.partition) "/" (lane.offset) } }
            td data-label="Behind it" { (marks::count(lane.behind)) }
            td data-label="Next try" {
                @match lane.next_at {
                    Some(at) => (marks::ago(at, status.now)),
                    None => (marks::state(Tone::Held, "waits for you")),
                }
                div class="small" { (lane.attempts) @if lane.attempts == 1 { " attempt" } @else { " attempts" } }
            }
            td data-label="Last failure" class="words" {
                (lane.message)
                @if let (None, Some(key)) = (lane.next_at, &lane.key) {
                    div { (marks::command(&status.node.url, &["parked", "release", &flow.subscription, "--key", key])) }
                }
            }
        }
    }
}

fn dead(flow: &Flow, status: &Status) -> Markup {
    html! {
        h3 { "Dead letters" }
        @if flow.dead_groups.is_empty() {
            p class="quiet" { "None." }
        } @else {
            table class="cards" {
                thead { tr {
                    th scope="col" { "Fingerprint" } th scope="col" { "Events" } th scope="col" { "Why" }
                    th scope="col" { "Newest" } th scope="col" { "Its message" }
                } }
                tbody { @for group in &flow.dead_groups { (dead_row(group, status)) } }
            }
            p class="small" { (marks::command(&status.node.url, &["dead", "list", &flow.subscription])) }
        }
    }
}

fn dead_row(group: &DeadGroup, status: &Status) -> Markup {
    html! {
        tr {
            th scope="row" { (marks::id(&group.fingerprint)) }
            td data-label="Events" { (marks::count(group.count)) }
            td data-label="Why" { (group.reason.replace('_', " ")) @if group.class != group.reason { div class="small" { (group.class) } } }
            td data-label="Newest" {
                (marks::ago(group.last_at, status.now))
                div class="small" { a href={ "/v1/events/" (segment(&group.example)) } { (group.example) } }
            }
            td data-label="Its message" class="words" { (group.message) }
        }
    }
}

fn policy(flow: &Flow, status: &Status) -> Markup {
    let verb = if matches!(flow.gate, Gate::Paused { .. }) { "resume" } else { "pause" };
    html! {
        h3 { "Policy" }
        ul class="policy" { @for line in &flow.policy { li { (marks::prose(line)) } } }
        p class="small" {
            (marks::command(&status.node.url, &["subscriptions", "show", &flow.subscription])) " "
            (marks::command(&status.node.url, &["subscriptions", verb, &flow.subscription]))
        }
    }
}
