//! Whether the clock can be right: after this program was written, and not before what the folder holds.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use evenkeel_model::{Clock, Timestamp};

use super::Finding;

const CHECK: &str = "clock";
/// 2026-01-01T00:00:00Z: this program did not exist before.
const BORN: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// File times are this coarse on some file systems.
const COARSE: Duration = Duration::from_secs(2);

pub(super) fn check(data: &Path, clock: &dyn Clock) -> Finding {
    judge(clock.now(), newest(data))
}

/// When a file of the write-ahead log or a checkpoint was written last.
fn newest(data: &Path) -> Option<Timestamp> {
    let folders = [data.to_path_buf(), data.join("wal"), data.join("checkpoints")];
    let files = folders.iter().filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten();
    let written = files.filter_map(|f| f.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok());
    written.max().map(|since| Timestamp::EPOCH + since)
}

pub(super) fn judge(now: Timestamp, newest: Option<Timestamp>) -> Finding {
    let fix = "set the clock (NTP); retention by age, deduplication windows and latencies count by it";
    let said = evenkeel_cloudevents::time::format_rfc3339(now);
    if now < BORN {
        return Finding::bad(CHECK, format!("it says {said}, which is long past"), fix);
    }
    match newest {
        Some(written) if now + COARSE < written => {
            let ahead = crate::config::units::show_duration(Duration::from_secs(written.since(now).as_secs()));
            Finding::warning(CHECK, format!("it says {said}, and the folder was written {ahead} later than that"), fix)
        }
        _ => Finding::good(CHECK, said),
    }
}
