//! What the machine counts: flushes and bytes of the device, memory and processor time.
//!
//! Flushes are those of the whole device, so nobody else may use it meanwhile. Where the kernel
//! does not count them (no Linux, an old one, or a device without a cache), they are 0.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The device under a folder.
pub(crate) struct Device {
    stat: Option<PathBuf>,
}

/// What the device has done since the machine started.
#[derive(Clone, Copy, Default)]
pub(crate) struct Done {
    pub(crate) flushes: u64,
    pub(crate) bytes: u64,
}

impl Device {
    pub(crate) fn under(folder: &Path) -> Device {
        let Ok(metadata) = fs::metadata(folder) else { return Device { stat: None } };
        let number = metadata.dev();
        let (major, minor) = ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xf_ff00));
        let mut path = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
        if path.join("partition").exists() {
            // Flushes are counted for the whole disk only.
            path = fs::canonicalize(&path).ok().and_then(|p| p.parent().map(Path::to_path_buf)).unwrap_or(path);
        }
        Device { stat: Some(path.join("stat")) }
    }

    /// Fields of `/sys/block/*/stat`, as the kernel's documentation numbers them.
    pub(crate) fn done(&self) -> Done {
        let text = self.stat.as_ref().and_then(|p| fs::read_to_string(p).ok()).unwrap_or_default();
        let fields: Vec<u64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
        let field = |number: usize| fields.get(number).copied().unwrap_or_default();
        Done { flushes: field(15), bytes: field(6) * 512 }
    }
}

/// Resident memory of this process, in MB.
pub(crate) fn rss_mb() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.split_whitespace().next());
    kib.and_then(|k| k.parse::<f64>().ok()).unwrap_or_default() * 1024.0 / 1e6
}

/// Processor time of this process so far, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    // utime and stime, in ticks of 10 ms, are the fields 14 and 15; the name before them is the second.
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|w| w.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// Processor time of the whole machine so far, in seconds: what waits for nothing.
pub(crate) fn machine_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // user, nice, system, idle, iowait, irq, softirq, steal, in ticks of 10 ms.
    let ticks = fields.take(8).enumerate().filter(|(number, _)| ![3, 4].contains(number));
    ticks.filter_map(|(_, word)| word.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// How often threads of this process but the first have gone to sleep so far.
pub(crate) fn sleeps() -> u64 {
    let own = std::process::id().to_string();
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return 0 };
    let others = threads.flatten().filter(|t| t.file_name().to_string_lossy() != own);
    others.filter_map(|t| switches(&t.path().join("status"))).sum()
}

fn switches(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let of = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)).and_then(|l| l.trim().parse::<u64>().ok());
    Some(of("voluntary_ctxt_switches:")? + of("nonvoluntary_ctxt_switches:")?)
}
