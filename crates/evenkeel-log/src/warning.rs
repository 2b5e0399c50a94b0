//! What makes a promise of the medium doubtful: said, never acted upon.
//!
//! A file system is known by its magic number (statfs(2)); a flush that does nothing by its speed:
//! the quickest devices (Optane, NVMe with power-loss protection) take 10 µs and more for a durable
//! write with its system call, a copy into memory takes one or two. A host that drops the flushes
//! of its guest takes as long as an honest device does, and is not found out.

use std::fmt;
use std::time::Duration;

use crate::times::Times;

/// So many writes are needed for a judgement.
const WRITES: u64 = 64;

/// No durable write is quicker than this, in microseconds at the mean.
const QUICKEST_US: u64 = 5;

/// Why "on the medium" may be less than it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The folder is in memory.
    Memory {
        /// The file system.
        file_system: &'static str,
    },
    /// The folder is in the layer of a container, and goes with it.
    Container {
        /// The file system.
        file_system: &'static str,
    },
    /// The folder is on another machine or in some program; what a flush promises is its word.
    Elsewhere {
        /// The file system.
        file_system: &'static str,
    },
    /// Durable writes are quicker than any device's.
    TooQuick {
        /// What they take at the mean, in microseconds.
        mean_us: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Memory { file_system } => {
                write!(f, "the data folder is on {file_system}: everything is gone when the machine stops")
            }
            Warning::Container { file_system } => {
                write!(f, "the data folder is on {file_system}: everything is gone when the container is")
            }
            Warning::Elsewhere { file_system } => {
                write!(f, "the data folder is on {file_system}: what a flush promises there is another's word")
            }
            Warning::TooQuick { mean_us } => {
                write!(f, "durable writes take {mean_us} µs at the mean, which no device does: flushes are dropped")
            }
        }
    }
}

impl Warning {
    /// What a durable write of a few KiB that takes so long, at the mean of many, says of its medium.
    pub fn of_write(mean: Duration) -> Option<Warning> {
        let mean_us = u64::try_from(mean.as_micros()).unwrap_or(u64::MAX);
        (mean_us < QUICKEST_US).then_some(Warning::TooQuick { mean_us })
    }
}

/// What a file system's magic number says (`linux/magic.h`).
pub(crate) fn of_file_system(magic: u64) -> Option<Warning> {
    Some(match magic {
        0x0102_1994 => Warning::Memory { file_system: "tmpfs" },
        0x8584_58f6 => Warning::Memory { file_system: "ramfs" },
        0x794c_7630 => Warning::Container { file_system: "overlayfs" },
        0x6969 => Warning::Elsewhere { file_system: "NFS" },
        0xff53_4d42 | 0xfe53_4d42 => Warning::Elsewhere { file_system: "SMB" },
        0x0102_1997 => Warning::Elsewhere { file_system: "9p" },
        0x00c3_6400 => Warning::Elsewhere { file_system: "Ceph" },
        0x6573_5546 => Warning::Elsewhere { file_system: "FUSE" },
        0x786f_4256 => Warning::Elsewhere { file_system: "vboxsf" },
        0x6a65_6a63 => Warning::Elsewhere { file_system: "virtiofs" },
        0x0bd0_0bd0 => Warning::Elsewhere { file_system: "Lustre" },
        0x5346_414f | 0x6b41_4653 => Warning::Elsewhere { file_system: "AFS" },
        0x0116_1970 => Warning::Elsewhere { file_system: "GFS2" },
        0x7461_636f => Warning::Elsewhere { file_system: "OCFS2" },
        _ => return None,
    })
}

/// What the times of durable writes say.
pub(crate) fn of_writes(writes: &Times) -> Option<Warning> {
    let mean_us = writes.sum_us.checked_div(writes.count)?;
    Warning::of_write(Duration::from_micros(mean_us)).filter(|_| writes.count >= WRITES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(count: u64, each_us: u64) -> Times {
        Times { count, sum_us: count * each_us, ..Times::default() }
    }

    #[test]
    fn a_flush_that_no_device_could_have_done_is_a_lie_and_the_quickest_device_is_believed() {
        assert_eq!(of_writes(&writes(1000, 2)), Some(Warning::TooQuick { mean_us: 2 }));
        assert_eq!(of_writes(&writes(1000, 10)), None);
        assert_eq!(of_writes(&writes(3, 2)), None, "three writes say nothing");
        assert_eq!(of_writes(&Times::default()), None);
    }

    #[test]
    fn memory_containers_and_other_machines_are_named() {
        let said = of_file_system(0x0102_1994).expect("a warning").to_string();
        assert_eq!(said, "the data folder is on tmpfs: everything is gone when the machine stops");
        assert!(matches!(of_file_system(0x794c_7630), Some(Warning::Container { .. })));
        assert!(matches!(of_file_system(0x6969), Some(Warning::Elsewhere { .. })));
        assert_eq!(of_file_system(0xef53), None, "ext4");
    }
}
