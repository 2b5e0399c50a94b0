//! The rows: who does what.

use super::verdict::{Check, Compared, Figure};

/// A line of the speed table.
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) title: &'static str,
    pub(crate) trials: Vec<Trial>,
    pub(crate) checks: Vec<Check>,
}

/// One process that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) name: &'static str,
    pub(crate) who: Who,
    pub(crate) load: Load,
}

/// What stores the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The log.
    Evenkeel,
    /// Direct, synchronous writes over blocks that were written before: the device's limit.
    Bare,
    /// One growing file: append, `fdatasync`.
    File,
    /// fjall: one batch, `SyncData`.
    Fjall,
    /// redb: one transaction, `Immediate`.
    Redb,
    /// SQLite: one transaction, WAL, `FULL`.
    Sqlite,
}

/// What is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// One appender, the next when the last is durable.
    Serial { bytes: usize },
    /// So many appenders at once, each the next when its last is durable.
    Many(Many),
    /// Batches of 1 MiB by a few loaders, so many bytes in all.
    Bulk { loaders: usize },
    /// A paced producer, first alone, then beside a reader of cold records.
    Cold,
    /// Nothing at all.
    Idle,
}

/// Appenders at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Many {
    pub(crate) appenders: usize,
    pub(crate) partitions: usize,
    pub(crate) bytes: usize,
}

/// All rows, in the order of the table.
pub(crate) fn rows() -> Vec<Row> {
    vec![one(), many(), partitions(), large(), bulk(), cold(), spread(), idle()]
}

const EVERYBODY: [(&str, Who); 6] = [
    ("evenkeel", Who::Evenkeel),
    ("bare", Who::Bare),
    ("file", Who::File),
    ("fjall", Who::Fjall),
    ("redb", Who::Redb),
    ("sqlite", Who::Sqlite),
];

fn everybody(load: Load) -> Vec<Trial> {
    EVERYBODY.iter().map(|(name, who)| Trial { name, who: *who, load }).collect()
}

fn one() -> Row {
    Row {
        number: 1,
        title: "one appender, 1 KiB, one at a time",
        trials: everybody(Load::Serial { bytes: 1 << 10 }),
        checks: vec![
            Check::more("rate of the bare loop's", Compared::with("evenkeel", "bare", Figure::Rate), Some(0.75), 0.9),
            Check::less("p99 of the bare loop's", Compared::with("evenkeel", "bare", Figure::P99), None, 1.5),
        ],
    }
}

fn many() -> Row {
    Row {
        number: 2,
        title: "64 appenders, 1 KiB, one partition",
        trials: everybody(Load::Many(Many { appenders: 64, partitions: 1, bytes: 1 << 10 })),
        checks: vec![
            Check::more("rate of fjall's", Compared::with("evenkeel", "fjall", Figure::Rate), Some(2.5), 3.5),
            Check::more("rate of SQLite's", Compared::with("evenkeel", "sqlite", Figure::Rate), Some(7.0), 10.0),
            Check::less("p99 of fjall's", Compared::with("evenkeel", "fjall", Figure::P99), None, 0.5),
        ],
    }
}

fn partitions() -> Row {
    Row {
        number: 3,
        title: "256 appenders over 128 partitions, 1 KiB",
        trials: everybody(Load::Many(Many { appenders: 256, partitions: 128, bytes: 1 << 10 })),
        checks: vec![Check::more("rate of fjall's", Compared::with("evenkeel", "fjall", Figure::Rate), Some(3.5), 4.4)],
    }
}

fn large() -> Row {
    Row {
        number: 4,
        title: "256 appenders over 128 partitions, 16 KiB",
        trials: everybody(Load::Many(Many { appenders: 256, partitions: 128, bytes: 16 << 10 })),
        checks: vec![
            Check::more("rate of fjall's", Compared::with("evenkeel", "fjall", Figure::Rate), Some(5.0), 7.0),
            Check::less("p99 in ms", Compared::alone("evenkeel", Figure::P99Ms), None, 6.0),
        ],
    }
}

fn bulk() -> Row {
    let load = Load::Bulk { loaders: 4 };
    Row {
        number: 5,
        title: "bulk, 1 MiB batches, segments written behind",
        trials: vec![
            Trial { name: "evenkeel", who: Who::Evenkeel, load },
            Trial { name: "bare", who: Who::Bare, load },
        ],
        checks: vec![Check::more(
            "MB/s of the bare loop's",
            Compared::with("evenkeel", "bare", Figure::Bytes),
            Some(0.3),
            0.45,
        )],
    }
}

fn cold() -> Row {
    Row {
        number: 6,
        title: "produce beside a cold reader",
        trials: vec![Trial { name: "evenkeel", who: Who::Evenkeel, load: Load::Cold }],
        checks: vec![Check::less(
            "p99 of that without a reader",
            Compared::with("beside a cold reader", "alone", Figure::P99),
            Some(5.0),
            3.0,
        )],
    }
}

fn spread() -> Row {
    let of = |name, partitions| Trial {
        name,
        who: Who::Evenkeel,
        load: Load::Many(Many { appenders: 256, partitions, bytes: 1 << 10 }),
    };
    Row {
        number: 7,
        title: "1,000 partitions against 1 (256 appenders, 1 KiB)",
        trials: vec![of("1 partition", 1), of("1,000 partitions", 1000)],
        checks: vec![Check::more(
            "rate of that with 1",
            Compared::with("1,000 partitions", "1 partition", Figure::Rate),
            Some(0.7),
            0.9,
        )],
    }
}

fn idle() -> Row {
    Row {
        number: 8,
        title: "idle",
        trials: vec![Trial { name: "evenkeel", who: Who::Evenkeel, load: Load::Idle }],
        checks: vec![
            Check::less("RSS in MB", Compared::alone("evenkeel", Figure::Rss), Some(15.0), 15.0),
            Check::less("wake-ups per second", Compared::alone("evenkeel", Figure::Wakes), Some(0.0), 0.0),
        ],
    }
}
