//! What a trial gave.

use serde::{Deserialize, Serialize};

/// The figures of one trial; a figure that does not apply is 0.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Acknowledged appends per second.
    pub(crate) rate: f64,
    /// Acknowledged bytes of values per second.
    pub(crate) bytes_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
    /// Flushes that the device was asked for, by anybody, for each acknowledged append.
    pub(crate) flushes_per_ack: f64,
    /// Groups (commits) that the acknowledged appends went into, for each of them.
    pub(crate) groups_per_ack: f64,
    /// Bytes that the device wrote for each acknowledged byte, segments and all.
    pub(crate) device_bytes_per_byte: f64,
    /// What one group takes in the write-ahead log, at the mean.
    pub(crate) group_bytes: f64,
    /// Cores that this process kept busy.
    pub(crate) cores: f64,
    /// Cores that everybody else kept busy, the kernel's own threads included.
    pub(crate) others_cores: f64,
    /// Resident memory at the end of the measurement.
    pub(crate) rss_mb: f64,
    /// Laps of the whole write-ahead log during the measurement.
    pub(crate) laps: f64,
    /// Wake-ups of the log's own threads.
    pub(crate) wakes_per_second: f64,
    /// What a reader beside it read.
    pub(crate) read_bytes_per_second: f64,
}

/// A result as a trial's process prints it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) measured: Measured,
}

impl Measured {
    /// The median of each figure for itself.
    pub(crate) fn median(runs: &[Measured]) -> Measured {
        let of = |pick: fn(&Measured) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(pick).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Measured {
            rate: of(|m| m.rate),
            bytes_per_second: of(|m| m.bytes_per_second),
            p50_us: of(|m| m.p50_us),
            p99_us: of(|m| m.p99_us),
            p999_us: of(|m| m.p999_us),
            max_us: of(|m| m.max_us),
            flushes_per_ack: of(|m| m.flushes_per_ack),
            groups_per_ack: of(|m| m.groups_per_ack),
            device_bytes_per_byte: of(|m| m.device_bytes_per_byte),
            group_bytes: of(|m| m.group_bytes),
            cores: of(|m| m.cores),
            others_cores: of(|m| m.others_cores),
            rss_mb: of(|m| m.rss_mb),
            laps: of(|m| m.laps),
            wakes_per_second: of(|m| m.wakes_per_second),
            read_bytes_per_second: of(|m| m.read_bytes_per_second),
        }
    }
}
