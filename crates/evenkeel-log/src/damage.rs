//! What is damaged, where, and which records it concerns.
//!
//! A report, and nothing else: it is found by recovery, by `verify` and by reads, and repaired only
//! by an operator. It says what is known; where later groups cannot tell, it says that as well.

pub(crate) mod met;
pub(crate) mod note;

use std::fmt;

use evenkeel_model::Shard;

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What it is damage to, and so what a repair does about it.
    pub kind: DamageKind,
    /// The file, relative to the data folder.
    pub file: String,
    /// The place in the file, in bytes; `None` when it is the file as a whole.
    pub at: Option<u64>,
    /// What is wrong there.
    pub what: String,
    /// Records that were acknowledged and cannot be read any more.
    pub lost: Vec<Offsets>,
    /// Whole records behind the damage: no reader gets them, and a repair cuts them off.
    pub cut: Vec<Offsets>,
    /// False when other records may be lost besides, and nothing on the disk tells which.
    pub exact: bool,
}

/// What is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DamageKind {
    /// A checkpoint. A repair goes on from the one that can be read.
    Checkpoint,
    /// The write-ahead log. A repair ends the log before the damage.
    WriteAhead,
    /// A segment. A repair leaves a gap in its partition.
    Segment,
}

/// Offsets of one partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offsets {
    /// The partition.
    pub shard: Shard,
    /// The first.
    pub from: u64,
    /// One beyond the last; `None` where that is not known.
    pub to: Option<u64>,
}

impl Damage {
    /// Damage that concerns no record that is known.
    pub(crate) fn new(kind: DamageKind, file: &str, at: Option<u64>, what: impl Into<String>) -> Damage {
        let (file, what) = (file.to_owned(), what.into());
        Damage { kind, file, at, what, lost: Vec::new(), cut: Vec::new(), exact: false }
    }

    /// The file and the place in it.
    pub fn place(&self) -> String {
        match self.at {
            Some(at) => format!("{} byte {at}", self.file),
            None => self.file.clone(),
        }
    }
}

impl DamageKind {
    /// The word for it in reports.
    pub fn name(self) -> &'static str {
        match self {
            DamageKind::Checkpoint => "checkpoint",
            DamageKind::WriteAhead => "write-ahead",
            DamageKind::Segment => "segment",
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.what)?;
        for (word, offsets) in [("lost", &self.lost), ("cut off", &self.cut)] {
            for (index, offsets) in offsets.iter().enumerate() {
                f.write_str(if index == 0 { "; " } else { ", " })?;
                if index == 0 {
                    write!(f, "{word}: ")?;
                }
                write!(f, "{offsets}")?;
            }
        }
        if self.exact { Ok(()) } else { f.write_str("; perhaps more, which nothing on the disk tells") }
    }
}

impl fmt::Display for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shard { topic, partition } = &self.shard;
        match self.to {
            Some(to) if to == self.from + 1 => write!(f, "{topic}-{partition} offset {}", self.from),
            Some(to) => write!(f, "{topic}-{partition} offsets {} to {}", self.from, to.saturating_sub(1)),
            None => write!(f, "{topic}-{partition} from offset {} on", self.from),
        }
    }
}

/// Puts adjoining ranges of one partition together, in order.
pub(crate) fn joined(mut offsets: Vec<Offsets>) -> Vec<Offsets> {
    offsets.sort();
    let mut out: Vec<Offsets> = Vec::new();
    for next in offsets {
        match out.last_mut() {
            Some(last) if last.shard == next.shard && last.to.is_none_or(|to| to >= next.from) => {
                last.to = last.to.zip(next.to).map(|(a, b)| a.max(b));
            }
            _ => out.push(next),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Damage, DamageKind, Offsets, joined};
    use evenkeel_model::Shard;

    fn offsets(topic: &str, from: u64, to: Option<u64>) -> Offsets {
        Offsets { shard: Shard::new(topic, 0), from, to }
    }

    #[test]
    fn adjoining_offsets_become_one_range_and_others_do_not() {
        let all =
            vec![offsets("b", 4, None), offsets("a", 3, Some(5)), offsets("a", 0, Some(3)), offsets("a", 7, Some(8))];
        assert_eq!(joined(all), [offsets("a", 0, Some(5)), offsets("a", 7, Some(8)), offsets("b", 4, None)]);
    }

    #[test]
    fn damage_reads_as_one_sentence_with_place_and_offsets() {
        let mut damage = Damage::new(DamageKind::WriteAhead, "wal/1.wal", Some(4096), "group 7 is damaged");
        damage.lost = vec![offsets("a", 3, Some(4)), offsets("b", 9, None)];
        damage.cut = vec![offsets("a", 4, Some(7))];
        let text = damage.to_string();
        let expected = "wal/1.wal byte 4096: group 7 is damaged; lost: a-0 offset 3, b-0 from offset 9 on; \
                        cut off: a-0 offsets 4 to 6; perhaps more, which nothing on the disk tells";
        assert_eq!(text, expected);
    }
}
