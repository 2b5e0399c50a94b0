//! One immutable segment: a header, pages of sorted entries, and the table of them.
//!
//! Only the table is kept in memory. A page is read when the table says that a mark may be on it.

use std::io;
use std::ops::Range;

use evenkeel_model::Timestamp;

use super::table::Table;
use super::{PAGE, Sighting, VALUE_BYTES};
use crate::disk::{Disk, File};

const MAGIC: &[u8; 8] = b"EVKSEEN\n";
const VERSION: u16 = 1;
/// The header's bytes that mean something.
const HEADER: usize = 72;
/// What a page holds beside its checksum.
const ROOM: usize = PAGE - 4;

/// What a segment's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of value with each mark.
    pub(super) width: usize,
    /// Of what it was made: positions, the end not included.
    pub(super) range: Range<u64>,
    /// How many marks.
    pub(super) count: u64,
    /// When the first and the last of them were seen.
    pub(super) times: (Timestamp, Timestamp),
    pub(super) buckets: u64,
    pub(super) table_crc: u32,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; PAGE];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(10, &u16::try_from(self.width).unwrap_or(u16::MAX).to_le_bytes());
        put(16, &self.range.start.to_le_bytes());
        put(24, &self.range.end.to_le_bytes());
        put(32, &self.count.to_le_bytes());
        put(40, &self.times.0.micros().to_le_bytes());
        put(48, &self.times.1.micros().to_le_bytes());
        put(56, &self.buckets.to_le_bytes());
        put(64, &self.table_crc.to_le_bytes());
        let crc = crc32c::crc32c(&out[..HEADER]);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Header> {
        let mut plain = *bytes.first_chunk::<HEADER>()?;
        let u64_at = |at: usize| plain[at..].first_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b));
        let u16_at = |at: usize| plain[at..].first_chunk::<2>().map_or(0, |b| u16::from_le_bytes(*b));
        let u32_at = |at: usize| plain[at..].first_chunk::<4>().map_or(0, |b| u32::from_le_bytes(*b));
        let time = |at: usize| Timestamp::from_micros(u64_at(at).cast_signed());
        let header = Header {
            width: usize::from(u16_at(10)),
            range: u64_at(16)..u64_at(24),
            count: u64_at(32),
            times: (time(40), time(48)),
            buckets: u64_at(56),
            table_crc: u32_at(64),
        };
        let (claimed, fits) = (u32_at(12), plain.starts_with(MAGIC) && u16_at(8) == VERSION);
        plain[12..16].fill(0);
        let sound = fits && crc32c::crc32c(&plain) == claimed;
        let sane = header.width <= VALUE_BYTES && header.range.start < header.range.end && header.buckets > 0;
        (sound && sane && u32::try_from(header.count).is_ok()).then_some(header)
    }

    /// Entries to a page.
    pub(super) fn per_page(&self) -> u64 {
        (ROOM / Sighting::bytes(self.width)) as u64
    }

    fn pages(&self) -> u64 {
        self.count.div_ceil(self.per_page())
    }

    /// Where the table stands.
    pub(super) fn table_at(&self) -> u64 {
        (1 + self.pages()) * PAGE as u64
    }
}

/// The checksum of a page: of its place, too, so that no page passes for another.
pub(super) fn page_crc(number: u64, page: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), &page[..ROOM])
}

/// A segment that is open.
pub(super) struct Segment {
    pub(super) path: String,
    pub(super) header: Header,
    file: Box<dyn File>,
    table: Table,
}

impl Segment {
    /// Opens a segment, checking all but its pages.
    pub(super) fn open(disk: &dyn Disk, path: String) -> io::Result<Segment> {
        let file = disk.open(&path, false)?;
        let size = file.size()?;
        let mut page = vec![0; PAGE];
        file.read_at(&mut page, 0)?;
        let header = Header::decode(&page).ok_or_else(|| damaged("its header"))?;
        let length = Table::encoded(header.buckets, header.count).filter(|length| {
            // Nothing is read, or made room for, that the file cannot hold.
            header.table_at().checked_add(*length) == Some(size)
        });
        let length = length.ok_or_else(|| damaged("its length"))?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| damaged("its length"))?];
        file.read_at(&mut bytes, header.table_at())?;
        let buckets = usize::try_from(header.buckets).map_err(|_| damaged("its table"))?;
        let table = Table::decode(&bytes, buckets).filter(|t| t.len() as u64 == header.count);
        let sound = crc32c::crc32c(&bytes) == header.table_crc;
        let table = table.filter(|_| sound).ok_or_else(|| damaged("its table"))?;
        Ok(Segment { path, header, file, table })
    }

    pub(super) fn of(path: String, header: Header, file: Box<dyn File>, table: Table) -> Segment {
        Segment { path, header, file, table }
    }

    /// The sighting of this mark.
    pub(super) fn find(&self, mark: &[u8; 16]) -> io::Result<Option<Sighting>> {
        let per_page = self.header.per_page();
        let mut read: Option<(u64, Vec<Sighting>)> = None;
        for number in self.table.candidates(mark) {
            let page = number as u64 / per_page;
            if read.as_ref().is_none_or(|(known, _)| *known != page) {
                read = Some((page, self.page(page)?));
            }
            let entries = read.as_ref().map_or(&[][..], |(_, entries)| entries);
            if let Some(found) = entries.iter().find(|s| s.mark == *mark) {
                return Ok(Some(*found));
            }
        }
        Ok(None)
    }

    /// The numbers of those marks that may be here.
    pub(super) fn suspects(&self, marks: &[[u8; 16]]) -> Vec<usize> {
        self.table.suspects(marks)
    }

    /// The entries of a page; none beyond the last.
    pub(super) fn page(&self, number: u64) -> io::Result<Vec<Sighting>> {
        let per_page = self.header.per_page();
        let count = self.header.count.saturating_sub(number.saturating_mul(per_page)).min(per_page);
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut page = [0; PAGE];
        self.file.read_at(&mut page, (1 + number) * PAGE as u64)?;
        let claimed = page.last_chunk::<4>().map(|b| u32::from_le_bytes(*b));
        if claimed != Some(page_crc(number, &page)) {
            return Err(damaged("a page"));
        }
        let entries = page.chunks_exact(Sighting::bytes(self.header.width)).take(usize::try_from(count).unwrap_or(0));
        Ok(entries.filter_map(Sighting::get).collect())
    }

    pub(super) fn memory(&self) -> usize {
        self.table.bytes()
    }
}

pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} cannot be what was written"))
}
