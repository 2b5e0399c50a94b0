//! What is in memory of a segment: 16 bits of each mark, in the order of the marks, in buckets.
//!
//! Marks are hashes, so they are spread evenly: the first 64 bits of one, times the number of
//! buckets, say its bucket (the whole part) and a fingerprint within it (the first 16 bits of the
//! fraction). With eight marks to a bucket a mark that is not there meets a fingerprint of its own
//! in one of 8,192 look-ups (8 / 2^16), and pays a read for it; one that is there learns the number
//! of its entry, and so the page. Built in order, in one pass.
//!
//! Invariant: candidates are numbers of entries that there are.

use std::ops::Range;

/// Marks to a bucket.
const BUCKET: usize = 8;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Where each bucket begins, and behind the last one the number of entries.
    starts: Vec<u32>,
    prints: Vec<u16>,
}

impl Table {
    /// The numbers of the entries that may be this mark.
    pub(super) fn candidates(&self, mark: &[u8; 16]) -> impl Iterator<Item = usize> {
        let (bucket, print) = place(mark, self.starts.len() - 1);
        let range = self.range(bucket);
        let prints = self.prints.get(range.clone()).unwrap_or_default();
        prints.iter().zip(range).filter(move |(p, _)| **p == print).map(|(_, number)| number)
    }

    /// The numbers of those marks that may be among the entries. All buckets are looked up before
    /// the first fingerprint, so that the reads of memory need not wait for each other.
    pub(super) fn suspects(&self, marks: &[[u8; 16]]) -> Vec<usize> {
        let buckets = self.starts.len() - 1;
        let place = |mark| {
            let (bucket, print) = place(mark, buckets);
            (self.range(bucket), print)
        };
        let places: Vec<(Range<usize>, u16)> = marks.iter().map(place).collect();
        let may_be =
            |(range, print): &(Range<usize>, u16)| self.prints.get(range.clone()).unwrap_or_default().contains(print);
        places.iter().enumerate().filter(|(_, place)| may_be(place)).map(|(number, _)| number).collect()
    }

    fn range(&self, bucket: usize) -> Range<usize> {
        let at = |n: usize| self.starts.get(n).map_or(0, |start| *start as usize);
        at(bucket)..at(bucket + 1)
    }

    pub(super) fn len(&self) -> usize {
        self.prints.len()
    }

    pub(super) fn buckets(&self) -> usize {
        self.starts.len() - 1
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.starts.len() * 4 + self.prints.len() * 2
    }

    /// How long its bytes are for so many buckets and entries; `None`: beyond all bounds.
    pub(super) fn encoded(buckets: u64, count: u64) -> Option<u64> {
        buckets.checked_add(1)?.checked_mul(4)?.checked_add(count.checked_mul(2)?)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes());
        self.starts.iter().for_each(|start| out.extend_from_slice(&start.to_le_bytes()));
        self.prints.iter().for_each(|print| out.extend_from_slice(&print.to_le_bytes()));
        out
    }

    /// Reads what [`Table::encode`] wrote for so many buckets; nothing, if it cannot be that.
    pub(super) fn decode(bytes: &[u8], buckets: usize) -> Option<Table> {
        let split = buckets.checked_add(1)?.checked_mul(4)?;
        let (starts, prints) = bytes.split_at_checked(split)?;
        let starts: Vec<u32> = starts.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
        let (prints, rest) = prints.as_chunks::<2>();
        let prints: Vec<u16> = prints.iter().map(|b| u16::from_le_bytes(*b)).collect();
        let whole = starts.first() == Some(&0) && starts.last().is_some_and(|end| *end as usize == prints.len());
        let fits = buckets > 0 && rest.is_empty() && whole && starts.is_sorted();
        fits.then_some(Table { starts, prints })
    }
}

fn place(mark: &[u8; 16], buckets: usize) -> (usize, u16) {
    let [first, ..] = mark.as_chunks::<8>().0 else { return (0, 0) };
    let product = u128::from(u64::from_be_bytes(*first)) * buckets as u128;
    // The whole part is below the number of buckets, and the fraction's first 16 bits are a u16.
    ((product >> 64) as usize, (product >> 48) as u16)
}

/// Makes a table of marks that come in their order.
pub(super) struct Builder {
    table: Table,
    buckets: usize,
}

impl Builder {
    /// For about so many marks; better too many than too few.
    pub(super) fn new(expected: usize) -> Builder {
        let buckets = (expected / BUCKET).max(1);
        let mut starts = Vec::with_capacity(buckets + 1);
        starts.push(0);
        Builder { table: Table { starts, prints: Vec::with_capacity(expected) }, buckets }
    }

    pub(super) fn push(&mut self, mark: &[u8; 16]) {
        let (bucket, print) = place(mark, self.buckets);
        self.begin_up_to(bucket);
        self.table.prints.push(print);
    }

    /// Begins all buckets up to this one.
    fn begin_up_to(&mut self, bucket: usize) {
        let here = u32::try_from(self.table.prints.len()).unwrap_or(u32::MAX);
        while self.table.starts.len() <= bucket {
            self.table.starts.push(here);
        }
    }

    pub(super) fn finish(mut self) -> Table {
        self.begin_up_to(self.buckets);
        self.table
    }
}
