//! What is kept of a topic, in words.

use evenkeel_log::{AtLimit, Cleanup, Retention};

use super::super::plan::TopicPlan;
use super::super::units::{show_duration, show_size};

/// What the topic keeps, a sentence a line.
pub(crate) fn kept(plan: &TopicPlan) -> String {
    let settings = &plan.settings;
    let partitions = match settings.partitions {
        1 => "one partition".to_owned(),
        n => format!("{n} partitions"),
    };
    let mut lines = vec![format!("{}: {partitions}; {}", plan.name, retained(&settings.retention))];
    lines.extend(limited(&settings.retention));
    lines.extend(compacted(settings.cleanup));
    lines.join("\n  ")
}

fn retained(kept: &Retention) -> String {
    let goes = match (kept.age, kept.bytes) {
        (None, None) => return "every event is kept.".to_owned(),
        (Some(age), None) => format!("events older than {} go", show_duration(age)),
        (None, Some(bytes)) => format!("the oldest events go when a partition holds more than {}", show_size(bytes)),
        (Some(age), Some(bytes)) => format!(
            "events older than {} go, and the oldest when a partition holds more than {}",
            show_duration(age),
            show_size(bytes)
        ),
    };
    format!("{goes}, never before every subscription is done with them.")
}

fn limited(kept: &Retention) -> Option<String> {
    let Some(limit) = kept.limit.map(show_size) else {
        let lets_go = kept.age.is_some() || kept.bytes.is_some();
        return lets_go.then(|| "There is no `limit`: what is still owed may grow until the disk is full.".to_owned());
    };
    Some(match kept.at_limit {
        AtLimit::Refuse => format!(
            "A partition never holds more than {limit}: there producers are refused until a subscription catches up."
        ),
        AtLimit::Expire => format!(
            "A partition never holds more than {limit}: there the oldest events end as expired, though they are owed."
        ),
    })
}

fn compacted(cleanup: Cleanup) -> Option<String> {
    let Cleanup::Compact { dirty_percent, delete_retention, min_lag } = cleanup else { return None };
    let lag = if min_lag.is_zero() {
        String::new()
    } else {
        format!(" An event younger than {} is left alone.", show_duration(min_lag))
    };
    Some(format!(
        "It is compacted when {dirty_percent} % of it are new: of each key the newest event stays, and the mark of a deleted key for {}.{lag}",
        show_duration(delete_retention)
    ))
}
