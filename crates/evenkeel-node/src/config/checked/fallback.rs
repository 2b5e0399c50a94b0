//! What happens when a subscription cannot do all at once: who takes what meets an open breaker, and
//! which events go first.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::{Fallback, Freshness};

use super::{choice, duration, or, parse, positive, unknown, value};
use crate::config::plan::{FallbackPlan, Plan};
use crate::config::{push, raw, units};
use crate::error::Error;

/// A backlog begins at this age, unless told otherwise.
const BACKLOG: Duration = Duration::from_secs(30);

/// Who takes what meets an open breaker; `topic` is what the subscription reads.
pub(super) fn fallback(
    at: &str,
    raw: Option<raw::Fallback>,
    topic: &str,
    plan: &Plan,
    folder: &Path,
) -> Result<(Option<Fallback>, Option<FallbackPlan>), Error> {
    let Some(raw) = raw else { return Ok((None, None)) };
    let after = duration(&format!("{at}.after"), &raw.after, BACKLOG)?;
    let to = match (raw.handler.and_then(|handler| handler.http), raw.topic) {
        (Some(http), None) => {
            let at = format!("{at}.handler.http");
            if http.timeout.is_some() {
                return Err(value(
                    &format!("{at}.timeout"),
                    "the fallback has the time-out of the subscription's handler",
                ));
            }
            FallbackPlan::Handler(Box::new(push::read(&at, http, plan, folder)?))
        }
        (None, Some(to)) => {
            let at = format!("{at}.topic");
            let known: Vec<&str> = plan.topics.iter().map(|t| &*t.name).collect();
            if !known.contains(&to.as_str()) {
                return Err(unknown(&at, "topic", &to, &known));
            }
            if to == topic {
                return Err(value(&at, "is the topic that the subscription reads: events would go round in a circle"));
            }
            FallbackPlan::Topic(Arc::from(to))
        }
        (Some(_), Some(_)) => return Err(value(at, "names a handler and a topic; one of them takes the events")),
        (None, None) => {
            let hint = "write `fallback: { topic: NAME, after: 30s }`, or `handler: { http: { url: … } }` in its place";
            return Err(value(at, "names neither a handler nor a topic").hint(hint));
        }
    };
    Ok((Some(Fallback { after }), Some(to)))
}

/// Which of the events that may go out goes first.
pub(super) fn freshness(at: &str, written: &Option<String>, backlog: Option<Duration>) -> Result<Freshness, Error> {
    match or(written, "fifo") {
        "fifo" => Ok(Freshness::Fifo),
        "lifo_when_backlogged" => Ok(Freshness::LifoWhenBacklogged { after: backlog.unwrap_or(BACKLOG) }),
        other => Err(choice(at, other, &["fifo", "lifo_when_backlogged"])),
    }
}

/// From which age on there is a backlog that sheds; none unless told.
pub(super) fn backlog(at: &str, written: &Option<String>) -> Result<Option<Duration>, Error> {
    let read = |text: &String| positive(at, parse(at, text, units::duration)?);
    written.as_ref().map(read).transpose()
}
