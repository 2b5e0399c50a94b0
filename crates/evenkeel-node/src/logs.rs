//! The node's own log lines: on stderr, as text or as JSON, by the configuration's `log:`.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::plan::{LogFormat, Logging};
use crate::telemetry::Lines;

/// Starts logging for this process; a second call changes nothing.
pub(crate) fn start(logging: &Logging) {
    let filter = logging.level.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(Lines.with_filter(filter.clone()));
    // An error only says that somebody (a test) has started logging before.
    let _ = match logging.format {
        LogFormat::Text => registry.with(lines.with_ansi(false).with_filter(filter)).try_init(),
        LogFormat::Json => registry.with(lines.json().with_filter(filter)).try_init(),
    };
}
