//! What the node's process and its machine use: processor, memory, disk, network, from `/proc`.
//!
//! Where a figure can't be had, it is absent, never 0. Under names that every Prometheus client has.

use super::exposition::Exposition;
use super::names;

/// What the process uses now; each figure where it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Processor time of all threads since the start, in seconds.
    pub(crate) cpu_s: Option<f64>,
    pub(crate) threads: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) resident_bytes: Option<u64>,
    /// Seconds since 1970.
    pub(crate) started_s: Option<f64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) open_files_max: Option<u64>,
    /// Bytes that came from and went to block devices.
    pub(crate) disk_bytes: Option<(u64, u64)>,
    /// Network devices of the machine (of the container, where there is one): name, received, sent.
    pub(crate) network: Vec<(String, u64, u64)>,
    /// The machine's memory: all of it, and what may be taken.
    pub(crate) memory: Option<(u64, u64)>,
    /// How many processors may be used.
    pub(crate) cpus: Option<u64>,
}

impl Usage {
    /// Reads all of it: some small files of the kernel's, nothing that waits for a device.
    pub(crate) fn read() -> Usage {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let mut usage = Usage {
            open_files: std::fs::read_dir("/proc/self/fd").ok().map(|all| all.count() as u64),
            open_files_max: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
            disk_bytes: field(&file("/proc/self/io"), "read_bytes:").zip(field(&file("/proc/self/io"), "write_bytes:")),
            network: devices(&file("/proc/net/dev")),
            cpus: std::thread::available_parallelism().ok().map(|n| n.get() as u64),
            ..Usage::default()
        };
        let memory = file("/proc/meminfo");
        let of = |name| field(&memory, name).map(|kib| kib * 1024);
        usage.memory = of("MemTotal:").zip(of("MemAvailable:"));
        usage.stat(&file("/proc/self/stat"), field(&file("/proc/stat"), "btime"), ticks);
        usage
    }

    /// The fields of `proc(5)`'s stat, behind the name, which may hold anything.
    fn stat(&mut self, stat: &str, booted_s: Option<u64>, ticks: f64) {
        let Some((_, fields)) = stat.rsplit_once(") ") else { return };
        // The first of them is the third field.
        let fields: Vec<u64> = fields.split(' ').map(|field| field.trim().parse().unwrap_or(0)).collect();
        self.cpu_s = fields.get(11).zip(fields.get(12)).map(|(user, system)| (user + system) as f64 / ticks);
        self.threads = fields.get(17).copied();
        self.started_s = fields.get(19).zip(booted_s).map(|(start, boot)| boot as f64 + *start as f64 / ticks);
        self.virtual_bytes = fields.get(20).copied();
        self.resident_bytes = fields.get(21).map(|pages| pages * rustix::param::page_size() as u64);
    }
}

/// Adds it to a page.
pub(super) fn add<'a>(page: &mut Exposition<'a>, usage: &'a Usage) {
    let whole = [
        (&names::PROCESS_THREADS, usage.threads),
        (&names::PROCESS_VIRTUAL, usage.virtual_bytes),
        (&names::PROCESS_RESIDENT, usage.resident_bytes),
        (&names::PROCESS_FILES, usage.open_files),
        (&names::PROCESS_FILES_MAX, usage.open_files_max),
        (&names::PROCESS_READ, usage.disk_bytes.map(|(read, _)| read)),
        (&names::PROCESS_WRITTEN, usage.disk_bytes.map(|(_, written)| written)),
        (&names::MACHINE_MEMORY, usage.memory.map(|(all, _)| all)),
        (&names::MACHINE_MEMORY_FREE, usage.memory.map(|(_, free)| free)),
        (&names::MACHINE_CPUS, usage.cpus),
    ];
    let exact = [(&names::PROCESS_CPU, usage.cpu_s), (&names::PROCESS_STARTED, usage.started_s)];
    let all = whole.into_iter().map(|(metric, value)| (metric, value.map(|v| v as f64))).chain(exact);
    all.filter_map(|(metric, value)| Some((metric, value?))).for_each(|(metric, value)| page.alone(metric, value));
    for (device, received, sent) in &usage.network {
        let labels = [(names::DEVICE, device.as_str())];
        page.one(&names::NETWORK_RECEIVED, &labels, *received as f64);
        page.one(&names::NETWORK_SENT, &labels, *sent as f64);
    }
}

/// The first number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn devices(text: &str) -> Vec<(String, u64, u64)> {
    let device = |line: &str| {
        let (name, counts) = line.split_once(':')?;
        let counts: Vec<u64> = counts.split_whitespace().filter_map(|count| count.parse().ok()).collect();
        Some((name.trim().to_owned(), *counts.first()?, *counts.get(8)?))
    };
    text.lines().filter_map(device).collect()
}

#[cfg(test)]
mod tests {
    use super::{Usage, devices, field};

    #[test]
    fn figures_are_read_where_the_kernel_writes_them() {
        let mut usage = Usage::default();
        let rest = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 12 0 1000 4096000 25 0";
        usage.stat(&format!("42 (a ) name) {rest}"), Some(1_000_000), 100.0);
        assert_eq!((usage.cpu_s, usage.threads), (Some(3.0), Some(12)));
        assert_eq!((usage.started_s, usage.virtual_bytes), (Some(1_000_010.0), Some(4_096_000)));
        assert_eq!(usage.resident_bytes, Some(25 * rustix::param::page_size() as u64));
        assert_eq!(field("rchar: 1\nread_bytes: 77\n", "read_bytes:"), Some(77));
        let text = "Inter-| Receive\n face |bytes\n  eth0: 10 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n";
        assert_eq!(devices(text), [("eth0".to_owned(), 10, 20)]);
    }

    #[test]
    fn this_process_uses_a_processor_and_memory() {
        let usage = Usage::read();
        assert!(usage.resident_bytes.is_some_and(|bytes| bytes > 1 << 20), "{usage:?}");
        assert!(usage.open_files.is_some_and(|n| n > 2) && usage.cpus.is_some_and(|n| n > 0), "{usage:?}");
    }
}
