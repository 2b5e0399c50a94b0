//! The steps of a story in the order of time.

use evenkeel_model::{EventId, Timestamp};
use evenkeel_transport::story::{Story, StoryAttempt, StorySubscription};

use crate::page::numbers;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    /// The topic or the subscription.
    pub(super) place: String,
    pub(super) what: String,
    /// Another event that it is about.
    pub(super) event: Option<EventId>,
}

/// All steps; those of one moment in the order in which they must have been.
pub(super) fn moments(story: &Story, now: Timestamp) -> Vec<Moment> {
    let mut all: Vec<Moment> = Vec::new();
    for record in &story.records {
        let what = format!(
            "stored at {}/{} as {}, {} bytes",
            record.at.shard.partition, record.at.offset, record.kind, record.bytes
        );
        all.push(Moment { at: record.appended, place: record.at.shard.topic.to_string(), what, event: None });
    }
    for of in &story.subscriptions {
        all.extend(of_subscription(of, now));
    }
    for caused in &story.caused {
        let place = caused.subscription.clone().unwrap_or_else(|| caused.at.shard.topic.to_string());
        let what = format!("caused {} in {}:", caused.kind, caused.at.shard.topic);
        all.push(Moment { at: caused.appended, place, what, event: Some(caused.event.clone()) });
    }
    all.sort_by_key(|moment| moment.at);
    all
}

fn of_subscription(of: &StorySubscription, now: Timestamp) -> Vec<Moment> {
    let moment = |at, what: String| Moment { at, place: of.name.to_string(), what, event: None };
    let mut all: Vec<Moment> = of.attempts.iter().map(|attempt| moment(attempt.at, called(attempt))).collect();
    all.extend(of.overdue_at.map(|at| moment(at, "overdue".to_owned())));
    all.extend(of.redriven.iter().map(|redriven| moment(redriven.at, format!("redriven by `{}`", redriven.job))));
    match (of.outcome, of.ended_at) {
        (Some(outcome), Some(at)) => {
            let why = of.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let took = of.created_to_ended.map(|took| format!(", {} after its creation", numbers::duration(took)));
            let version =
                if of.handler_version.is_empty() { String::new() } else { format!(", handler {}", of.handler_version) };
            all.push(moment(at, format!("{}{why}{}{version}", outcome.name(), took.unwrap_or_default())));
        }
        _ => all.push(moment(now, "has not ended".to_owned())),
    }
    all
}

fn called(attempt: &StoryAttempt) -> String {
    let came = match (attempt.class, attempt.status) {
        (None, _) => "answered".to_owned(),
        (Some(class), Some(status)) => format!("{}, status {status}", class.name()),
        (Some(class), None) => class.name().to_owned(),
    };
    let why = if attempt.message.is_empty() { String::new() } else { format!(": {}", attempt.message) };
    format!("delivery {}: {came} in {}{why}", attempt.delivery, numbers::duration(attempt.took))
}
