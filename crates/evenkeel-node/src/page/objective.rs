//! One objective on a page of its own: what was promised, what is left of the budget and how fast it went, how long
//! events took and how old they got, and the alerts that it gave, with the numbers and the events behind them.

use maud::{Markup, html};

use super::chart::{self, Chart, Shape};
use super::marks::{self, Tone, segment};
use super::objectives::{budget, burn, now, standing, target};
use super::status::{Flow, Happening, Objective, Status};
use super::{curves, numbers, plot, timeline};

/// The page of the objective of this name; none if there is none.
pub(crate) fn page(status: &Status, name: &str) -> Option<Markup> {
    let objective = status.objectives.iter().find(|objective| objective.name == name)?;
    Some(super::frame(&format!("{name} · objective"), status, &contents(objective, status)))
}

/// No objective has this name.
pub(crate) fn nobody(status: &Status, name: &str) -> Markup {
    let body = html! {
        section class="headline empty" {
            p class="word" { span aria-hidden="true" { "○" } " not found" }
            h1 { "No objective has the name " code { (name) } }
        }
        section { p { a href="/#objectives" { "All objectives" } } }
    };
    super::frame("objective", status, &body)
}

/// Where the page of an objective is.
pub(super) fn path(name: &str) -> String {
    format!("/objectives/{}", segment(name))
}

fn contents(objective: &Objective, status: &Status) -> Markup {
    let flows: Vec<&Flow> = status.flows.iter().filter(|flow| objective.parts.contains(&flow.subscription)).collect();
    html! {
        (headline(objective))
        section id="standing" {
            h2 { "Where it stands" }
            dl class="promises" {
                (fact("target", &target(objective)))
                (fact("now", &now(objective)))
                (fact("budget left", &budget(objective)))
                (fact("burn", &burn(objective)))
            }
            (burns(objective))
        }
        section id="budget" {
            h2 { "Budget and burn" }
            (over_time(objective, status))
        }
        section id="times" {
            h2 { "Latency and lag over the last hour" }
            @if flows.iter().all(|flow| !curves::is_seen(flow)) {
                p class="quiet" { "Too little of it was seen since the node started." }
            }
            @for flow in flows {
                @if objective.parts.len() > 1 { h3 { (flow.subscription) } }
                (curves::section(flow))
            }
        }
        (alerts(objective, status))
        section { p { (marks::command(&status.node.url, &["slo", "show", &objective.name])) } }
    }
}

fn headline(objective: &Objective) -> Markup {
    let (tone, word) = standing(objective);
    let class = match tone {
        Tone::Good => "calm",
        Tone::Held => "held",
        Tone::Bad => "broken",
        Tone::Quiet => "empty",
    };
    let said = match (objective.budget_left, objective.exhausted_in) {
        (None, _) => "nothing of it was counted yet".to_owned(),
        (Some(left), _) if left <= 0.0 => format!("its budget is spent ({})", numbers::budget(left)),
        (Some(left), Some(time)) => {
            format!("{} of its budget is left, for {} at this pace", numbers::budget(left), numbers::duration(time))
        }
        (Some(left), None) => format!("{} of its budget is left", numbers::budget(left)),
    };
    html! {
        section class={ "headline " (class) } {
            p class="word" { span aria-hidden="true" { (tone.shape()) } " " (word) }
            h1 { code { (objective.name) } ": " (said) }
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// Over each window how many times as fast as it may.
fn burns(objective: &Objective) -> Markup {
    html! {
        @if !objective.burns.is_empty() {
            p class="small" {
                "Burn, 1× being what the budget just bears: "
                @for (nth, (window, burn)) in objective.burns.iter().enumerate() {
                    @if nth > 0 { " · " }
                    (numbers::duration(*window)) " "
                    @match burn { Some(burn) => (marks::number(&numbers::multiple(*burn), &format!("{burn:.3}"))), None => "–" }
                }
            }
        }
    }
}

fn over_time(objective: &Objective, status: &Status) -> Markup {
    if objective.history.iter().flatten().count() < 2 {
        return html! { p class="quiet" { "There is not enough of it for a plot yet." } };
    }
    let lowest = objective.history.iter().flatten().copied().fold(0.0_f64, f64::min);
    let lefts = if lowest < 0.0 {
        let floor = -chart::round_up(-lowest * 100.0) / 100.0;
        vec![floor, floor / 2.0, 0.0, 1.0]
    } else {
        vec![0.0, 0.25, 0.5, 0.75, 1.0]
    };
    let paces: Vec<Option<f64>> = (0..objective.counts.len()).map(|at| plot::burn(objective, at)).collect();
    let fastest = paces.iter().flatten().copied().fold(1.0_f64, f64::max);
    let quickest = chart::round_up(fastest);
    let burns = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| part * quickest);
    let one = |label: String, values, ticks, bound, shape, say| {
        chart::draw(&Chart { label, values, window: plot::span(objective), now: status.now, ticks, bound, shape, say })
    };
    let span = numbers::duration(plot::span(objective));
    html! {
        div class="plots" {
            div {
                h3 { "Budget left" }
                p class="small key" { span class="mark p99" { "left of the whole window's" } span class="mark bound" { "spent" } }
                (one(format!("budget left over {span}"), &objective.history, &lefts, 0.0, Shape::Line, numbers::budget))
            }
            div {
                h3 { "Burn" }
                p class="small key" { span class="mark bars" { "how fast it went" } span class="mark bound" { "what it just bears" } }
                (one(format!("burn over {span}, at most {}", numbers::multiple(fastest)), &paces, &burns, 1.0, Shape::Bars, numbers::multiple))
            }
        }
        (plot::numbers_behind(objective))
    }
}

/// Its alerts, those that fire first, with why.
fn alerts(objective: &Objective, status: &Status) -> Markup {
    let mut of: Vec<&Happening> =
        status.happenings.iter().filter(|happening| happening.objective == objective.name).collect();
    of.sort_by_key(|happening| std::cmp::Reverse((happening.ongoing, happening.at)));
    html! {
        section id="alerts" {
            h2 { "Alerts" }
            @if of.is_empty() { p class="quiet" { "It gave none that this node knows of." } }
            @else { ol class="timeline" { @for happening in of { (timeline::item(happening, status, true)) } } }
            p class="small" { (marks::command(&status.node.url, &["alerts"])) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{healthy, hostile, on_fire};
    use super::page;

    #[test]
    fn an_objective_on_fire_shows_its_plots_and_why_it_alerts_with_the_events() {
        let text = page(&on_fire(), "payment-latency").unwrap().into_string().replace('\u{a0}', " ");
        for said in [
            "▲</span> at risk",
            "12 % of its budget is left, for 2 h 14 min at this pace",
            "aria-label=\"budget left over 30 d\"",
            "aria-label=\"burn over 30 d, at most 22×\"",
            "aria-label=\"latency of payment over the last 1 h",
            "aria-label=\"lag of payment over the last 1 h",
            "It burned 21.3× over 1 h and 40.1× over 5 min; the alert fires above 14.4×.",
            "order-536365",
            "not complete in time",
            "slo show payment-latency",
        ] {
            assert!(text.contains(said), "no {said}");
        }
        assert!(!text.contains("inventory"), "what is not its own stands elsewhere");
        // What an alert says is not folded away here.
        assert!(text.contains("<details open id=\"events-"));
    }

    #[test]
    fn one_that_gave_no_alert_says_so_and_one_that_is_not_there_is_not_found() {
        let text = page(&healthy(), "shipping-success").unwrap().into_string();
        assert!(text.contains("It gave none") && text.contains("●</span> met"), "{text}");
        assert!(page(&healthy(), "nobody").is_none());
        assert!(super::nobody(&healthy(), "<b>").into_string().contains("&lt;b&gt;"));
    }

    #[test]
    fn names_from_outside_are_escaped() {
        let status = hostile();
        let text = page(&status, &status.objectives[0].name).unwrap().into_string();
        assert!(!text.contains("<script>alert"), "{text}");
    }
}
