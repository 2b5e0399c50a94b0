//! Objectives: name, target, the indicator now, what is left of the budget, how fast it burns.

use maud::{Markup, html};

use super::marks::{self, Tone};
use super::status::{Objective, Status};
use super::{numbers, plot};

pub(super) fn section(status: &Status) -> Markup {
    html! {
        section id="objectives" {
            h2 { "Objectives" }
            @if !status.log.damage.is_empty() {
                p class="quiet" { "Not watched while the log is damaged." }
            } @else if status.objectives.is_empty() {
                p class="quiet" {
                    "None is declared. An OpenSLO file says what good means: "
                    code class="cmd file" data-copy="objectives: ./objectives/*.yaml" { "objectives: ./objectives/*.yaml" }
                }
            } @else {
                table class="cards" {
                    thead {
                        tr {
                            th scope="col" { "Objective" }
                            th scope="col" { "Target" }
                            th scope="col" { "Now" }
                            th scope="col" { "Budget left" }
                            th scope="col" { "Burn" }
                            th scope="col" { "Budget over the window" }
                        }
                    }
                    tbody { @for objective in &status.objectives { (row(objective)) } }
                }
                p class="small" { (marks::command(&status.node.url, &["slo"])) }
            }
        }
    }
}

fn row(objective: &Objective) -> Markup {
    let (tone, word) = standing(objective);
    html! {
        tr {
            th scope="row" {
                a href=(super::objective::path(&objective.name)) { (objective.name) }
                " " (marks::state(tone, word))
                div class="small" { "of " code { (objective.subscription) } }
            }
            td data-label="Target" { (target(objective)) }
            td data-label="Now" { (now(objective)) }
            td data-label="Budget left" { (budget(objective)) }
            td data-label="Burn" { (burn(objective)) }
            td data-label="Over the window" { (plot::history(objective)) }
        }
    }
}

/// A budget that is gone means missed; an alert that fires means at risk.
pub(super) fn standing(objective: &Objective) -> (Tone, &'static str) {
    match (objective.good, objective.budget_left) {
        (None, _) => (Tone::Quiet, "no events"),
        (_, Some(left)) if left <= 0.0 => (Tone::Bad, "missed"),
        _ if objective.firing.is_some() => (Tone::Held, "at risk"),
        _ => (Tone::Good, "met"),
    }
}

pub(super) fn target(objective: &Objective) -> Markup {
    html! {
        (numbers::share(objective.target))
        @if let Some(threshold) = objective.threshold { " within " (numbers::duration(threshold)) } @else { " completed" }
        div class="small" { "over " (numbers::duration(objective.window)) }
    }
}

pub(super) fn now(objective: &Objective) -> Markup {
    let Some(good) = objective.good else { return html! { span class="quiet" { "–" } } };
    html! {
        (marks::number(&numbers::share(good), &format!("{:.6} %", good * 100.0)))
        div class="small" { "of " (marks::count(objective.events)) }
    }
}

pub(super) fn budget(objective: &Objective) -> Markup {
    let Some(left) = objective.budget_left else { return html! { span class="quiet" { "–" } } };
    html! {
        (plot::bar(left))
        (marks::number(&numbers::budget(left), &format!("{:.4} %", left * 100.0)))
    }
}

pub(super) fn burn(objective: &Objective) -> Markup {
    let Some(burn) = objective.burn else { return html! { span class="quiet" { "–" } } };
    html! {
        (marks::number(&numbers::multiple(burn), &format!("{burn:.3}")))
        @if !objective.burn_window.is_zero() {
            span class="small" { " over " (numbers::duration(objective.burn_window)) }
        }
        div class="small" {
            @match (objective.budget_left, objective.exhausted_in) {
                (Some(left), _) if left <= 0.0 => "exhausted",
                (_, Some(time)) => { "exhausted in " (numbers::duration(time)) },
                _ => "lasts",
            }
        }
        @if let Some(alert) = &objective.firing {
            div { (marks::state(Tone::Held, "firing")) " " a href="/v1/alerts" { (alert) } }
        }
    }
}
