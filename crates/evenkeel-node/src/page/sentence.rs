//! The one sentence at the top: is a promise broken, for whom, since when, what is being done.
//!
//! Derived from the status alone, worst first. It says one thing, and how many others there are.

use evenkeel_model::Timestamp;

use super::numbers;
use super::status::{Flow, Gate, HappeningKind, Objective, Proof, Status, Topic};

/// How bad it is: a word, a shape and a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Nothing has happened yet.
    Empty,
    /// All promises are kept.
    Calm,
    /// Something is held back and kept safe, or an objective is in danger.
    Held,
    /// A promise is broken, or the work has stopped.
    Broken,
}

/// The sentence, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    /// How bad it is.
    pub(super) level: Level,
    /// What is the case; names stand in backticks.
    pub(super) text: String,
    /// The arguments of the command that looks into it, or ends it.
    pub(super) command: Vec<String>,
    /// It works on the folder, without the node.
    pub(super) offline: bool,
}

impl Sentence {
    fn offline(self) -> Sentence {
        Sentence { offline: true, ..self }
    }
}

/// The worst that there is to say.
pub(super) fn sentence(status: &Status) -> Sentence {
    let mut said: Vec<Sentence> = Vec::new();
    said.extend(damaged(status));
    said.extend(log_stopped(status));
    said.extend(status.proof.as_ref().and_then(broken_promise));
    said.extend(status.flows.iter().filter_map(stopped));
    said.extend(status.flows.iter().filter_map(|flow| held(flow, status.now)));
    said.extend(status.objectives.iter().filter_map(in_danger));
    said.extend(status.topics.iter().filter_map(nearly_full));
    said.extend(status.flows.iter().filter_map(paused));
    said.extend(status.flows.iter().filter_map(shedding));
    said.extend(status.flows.iter().filter_map(waiting_for_you));
    said.extend(incident(status));
    said.extend(draining(status));
    said.sort_by_key(|s| std::cmp::Reverse(s.level));
    let others = said.len().saturating_sub(1);
    let Some(mut worst) = said.into_iter().next() else { return nothing_wrong(status) };
    match others {
        0 => {}
        1 => worst.text.push_str(" One more thing needs attention, below."),
        n => worst.text.push_str(&format!(" {n} more things need attention, below.")),
    }
    worst
}

fn say(level: Level, text: String, command: &[&str]) -> Sentence {
    Sentence { level, text, command: command.iter().map(|part| (*part).to_owned()).collect(), offline: false }
}

fn nothing_wrong(status: &Status) -> Sentence {
    let is_empty = status.flows.iter().all(|f| f.rate_in == 0.0)
        && status
            .topics
            .iter()
            .filter(|t| !t.name.starts_with(evenkeel_model::names::OWN_PREFIX))
            .all(|t| t.records == 0);
    match &status.proof {
        _ if is_empty => say(Level::Empty, "The node is ready, and nothing has been published yet.".to_owned(), &[]),
        None => say(Level::Calm, "Everything flows. The first proof is still to come.".to_owned(), &["audit"]),
        Some(_) => say(Level::Calm, "All promises are kept.".to_owned(), &["audit"]),
    }
}

fn log_stopped(status: &Status) -> Option<Sentence> {
    let why = status.log.stopped.as_ref().filter(|_| status.log.damage.is_empty())?;
    let text = format!("The log has stopped: {why}. Nothing new is acknowledged; what was acknowledged is kept.");
    Some(say(Level::Broken, text, &["doctor", "--data", &status.node.data]).offline())
}

fn damaged(status: &Status) -> Option<Sentence> {
    let damage = status.log.damage.first()?;
    let more = match status.log.damage.len() - 1 {
        0 => String::new(),
        n => format!(" and {n} more places"),
    };
    let text = format!(
        "The log is damaged at `{}`{more}. What is whole is served; nothing is taken in until somebody repairs it.",
        damage.place
    );
    Some(say(Level::Broken, text, &["log", "verify", &status.node.data]).offline())
}

fn nearly_full(topic: &Topic) -> Option<Sentence> {
    let filled = topic.filled?;
    let text = match filled {
        f if f < 1.0 => {
            format!("`{}` has filled {} of its limit.", topic.name, numbers::budget((filled * 100.0).floor() / 100.0))
        }
        _ => format!("`{}` has reached its limit: producers are refused, or its oldest events go.", topic.name),
    };
    Some(say(Level::Held, text, &["topics", "show", &topic.name]))
}

fn broken_promise(proof: &Proof) -> Option<Sentence> {
    let events = |n: u64, one: &str, many: &str| match n {
        1 => format!("one event {one}"),
        n => format!("{} events {many}", numbers::count(n)),
    };
    let mut broken = Vec::new();
    if proof.lost > 0 {
        broken.push(events(proof.lost, "is lost", "are lost"));
    }
    if proof.twice > 0 {
        broken.push(events(proof.twice, "was completed twice", "were completed twice"));
    }
    if proof.out_of_order > 0 {
        broken.push(events(proof.out_of_order, "ended out of order", "ended out of order"));
    }
    if broken.is_empty() {
        broken.push(format!("the books do not add up: {}", proof.problems.first()?));
    }
    let text = format!("A promise is broken: {}.", broken.join(", "));
    Some(say(Level::Broken, text, &["audit"]))
}

fn stopped(flow: &Flow) -> Option<Sentence> {
    let Gate::Stopped { why } = &flow.gate else { return None };
    let text = format!("`{}` has stopped: {why}. Its events are kept.", flow.subscription);
    Some(say(Level::Broken, text, &["subscriptions", "show", &flow.subscription]))
}

fn held(flow: &Flow, now: Timestamp) -> Option<Sentence> {
    let (Gate::Holding { dependency, since, .. } | Gate::Probing { dependency, since }) = &flow.gate else {
        return None;
    };
    let next = match &flow.gate {
        Gate::Holding { next_probe: Some(at), .. } => format!("next probe {}", numbers::relative(*at, now)),
        Gate::Holding { .. } => "a probe follows".to_owned(),
        _ => "it is being probed now".to_owned(),
    };
    let waiting = flow.unread + flow.parked + flow.in_flight;
    let held = match (flow.parked_keys, waiting) {
        _ if flow.falls_back => "hands its events to the fallback".to_owned(),
        (0, 0) => "holds its events back".to_owned(),
        (0, 1) | (1, _) => "holds back one event or key".to_owned(),
        (0, n) => format!("holds back {} events", numbers::count(n)),
        (keys, _) => format!("holds back {} keys", numbers::count(keys)),
    };
    let down = match dependency.as_str() {
        "handler" => "its handler is down",
        other => &format!("`{other}` is down"),
    };
    let text = format!(
        "`{}` {held}: {down} since {}; {next}. Nothing is lost.",
        flow.subscription,
        super::marks::clock(*since)
    );
    Some(say(Level::Held, text, &["subscriptions", "show", &flow.subscription]))
}

fn in_danger(objective: &Objective) -> Option<Sentence> {
    let name = &objective.name;
    let burn = objective.burn.map(|b| format!(" {} too fast", numbers::multiple(b))).unwrap_or_default();
    let alert = objective.firing.as_ref();
    if objective.budget_left.is_some_and(|left| left <= 0.0) {
        let good = objective.good.map(|g| format!(": {} were good", numbers::share(g))).unwrap_or_default();
        let over = format!(" over {}", numbers::duration(objective.window));
        let burns = objective.burn.is_some_and(|burn| burn > 1.0);
        let still = alert.filter(|_| burns).map(|_| format!(", and it still burns{burn}")).unwrap_or_default();
        let command = if alert.is_some() { "alerts" } else { "slo" };
        return Some(say(Level::Held, format!("The objective `{name}` is missed{good}{over}{still}."), &[command]));
    }
    let gone = objective.exhausted_in.map(|d| format!("; it is gone in {}", numbers::duration(d))).unwrap_or_default();
    let text = format!("The objective `{name}` burns its budget{burn}{gone}. Its alert `{}` fires.", alert?);
    Some(say(Level::Held, text, &["alerts"]))
}

fn paused(flow: &Flow) -> Option<Sentence> {
    let Gate::Paused { why } = &flow.gate else { return None };
    let text = format!("`{}` is paused: {why}. Its events wait, and none is lost.", flow.subscription);
    Some(say(Level::Held, text, &["subscriptions", "resume", &flow.subscription]))
}

fn shedding(flow: &Flow) -> Option<Sentence> {
    let below = Some(flow.shed_below).filter(|below| *below > 0)?;
    let text = format!(
        "`{}` puts off events with a priority below {below}: its handler cannot keep up. Nothing is lost.",
        flow.subscription
    );
    Some(say(Level::Held, text, &["subscriptions", "show", &flow.subscription]))
}

fn waiting_for_you(flow: &Flow) -> Option<Sentence> {
    let keys = flow.lanes.iter().filter(|lane| lane.next_at.is_none()).count();
    let text = match keys {
        0 => return None,
        1 => format!("`{}` keeps a key parked until somebody decides.", flow.subscription),
        n => format!("`{}` keeps {n} keys parked until somebody decides.", flow.subscription),
    };
    Some(say(Level::Held, text, &["parked", "list", &flow.subscription]))
}

/// An incident counts by itself only when nothing else says what is wrong.
fn incident(status: &Status) -> Option<Sentence> {
    let open = status.happenings.iter().find(|h| h.kind == HappeningKind::Incident && h.ongoing)?;
    let is_said = status.objectives.iter().any(|o| in_danger(o).is_some())
        || status.flows.iter().any(|f| f.gate != Gate::Flowing);
    let text = format!("An incident is open since {}: {}", super::marks::clock(open.at), open.text);
    (!is_said).then(|| say(Level::Held, text, &["incidents"]))
}

fn draining(status: &Status) -> Option<Sentence> {
    let text = "The node is taking its leave: what is in flight is finished, the rest is kept.";
    status.node.draining.then(|| say(Level::Held, text.to_owned(), &["subscriptions"]))
}

#[cfg(test)]
mod tests;
