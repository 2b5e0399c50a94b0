//! The promises as numbers, from the audit, with when they were last proven and over how much.

use maud::{Markup, html};

use super::marks::{self, Tone};
use super::numbers;
use super::status::{Proof, Status};

pub(super) fn section(status: &Status) -> Markup {
    html! {
        section id="promises" {
            h2 { "Promises" }
            @match &status.proof {
                _ if !status.log.damage.is_empty() => p class="quiet" {
                    "Nothing can be proven while the log is damaged: books that are cut off add up."
                },
                None => p class="quiet" { "Not proven yet. " (marks::command(&status.node.url, &["audit"])) },
                Some(proof) => (proven(status, proof)),
            }
        }
    }
}

fn proven(status: &Status, proof: &Proof) -> Markup {
    html! {
        dl class="promises" {
            (promise("lost", proof.lost))
            (promise("completed twice", proof.twice))
            (promise("out of order", proof.out_of_order))
            div class="fig aside" {
                dt { "sent again after an unknown result" }
                dd { (marks::linked_count(proof.sent_again, "/v1/audit")) }
            }
        }
        p class="small" {
            "Proven " (marks::ago(proof.at, status.now)) " over "
            (marks::number(&format!("{} events", numbers::count(proof.events)), &numbers::grouped(proof.events)))
            ". " (marks::command(&status.node.url, &["audit"]))
        }
        @if !proof.problems.is_empty() {
            ul class="problems" {
                @for problem in proof.problems.iter().take(5) { li { (marks::prose(problem)) } }
                @if proof.problems.len() > 5 {
                    li { a href="/v1/audit" { "and " (proof.problems.len() - 5) " more" } }
                }
            }
        }
    }
}

fn promise(name: &str, broken: u64) -> Markup {
    let (tone, word) = if broken == 0 { (Tone::Good, "kept") } else { (Tone::Bad, "broken") };
    html! {
        div class="fig" {
            dt { (name) }
            dd { (marks::linked_count(broken, "/v1/audit")) " " (marks::state(tone, word)) }
        }
    }
}
