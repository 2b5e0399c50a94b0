//! The node's own log lines: on stderr, as text or as JSON, by the configuration's `log:`.
//!
//! Of one kind so many are written within a minute (`limit`); a secret that the node read is in none of them (`masked`).

mod limit;
mod masked;

use std::sync::{Arc, OnceLock};

use evenkeel_model::Clock;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::plan::{LogFormat, Logging};
use crate::happenings::LinesLeftOut;
use crate::telemetry::Lines;
use limit::Limit;
use masked::Masking;

pub(crate) use masked::{mask, masked};

static LIMIT: OnceLock<Arc<Limit>> = OnceLock::new();

/// Starts logging for this process; a second call changes nothing.
pub(crate) fn start(logging: &Logging, clock: Arc<dyn Clock>) {
    let limit = LIMIT.get_or_init(|| Arc::new(Limit::new(logging.per_minute, clock))).clone();
    let filter = logging.level.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = fmt::layer().with_ansi(false).with_writer(|| Masking(std::io::stderr()));
    let registry = tracing_subscriber::registry().with(filter).with(limit::Lines(limit)).with(Lines);
    // An error only says that somebody (a test) has started logging before.
    let _ = match logging.format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
}

/// Says how many lines were left out in the minutes that are over; called now and then.
pub(crate) fn sum_up() {
    let over = LIMIT.get().map(|limit| limit.over()).unwrap_or_default();
    for (of, lines) in over {
        LinesLeftOut { of, lines }.tell();
    }
}

/// How many lines of each kind were left out since the process began.
pub(crate) fn left_out() -> Vec<(String, u64)> {
    LIMIT.get().map(|limit| limit.left_out()).unwrap_or_default()
}
