//! The node's own log lines: on stderr, as text or as JSON, by the configuration's `log:`.

use tracing_subscriber::EnvFilter;

use crate::config::plan::{LogFormat, Logging};

/// Starts logging for this process; a second call changes nothing.
pub(crate) fn start(logging: &Logging) {
    let filter = EnvFilter::try_new(&logging.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error only says that somebody (a test) has started logging before.
    let _ = match logging.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}
