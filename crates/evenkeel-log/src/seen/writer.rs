//! Writes a segment: entries in their order, then the table, then the header, then its name.

use std::io;
use std::ops::Range;

use evenkeel_model::Timestamp;

use super::segment::{Header, Segment, page_crc};
use super::table::Builder;
use super::{PAGE, Sighting};
use crate::disk::{Disk, File};

/// What is written at once.
const CHUNK: usize = 256 * PAGE;
/// What a file is called until it is whole.
pub(super) const UNFINISHED: &str = ".new";

pub(super) struct Writer<'a> {
    disk: &'a dyn Disk,
    folder: &'a str,
    file: Box<dyn File>,
    header: Header,
    builder: Builder,
    chunk: Vec<u8>,
    /// Pages that are full.
    pages: u64,
    /// Entries on the present page.
    entries: u64,
    /// Where the present page begins in the chunk.
    page_at: usize,
    written: u64,
}

/// What a segment of that range is called.
pub(super) fn name_of(range: &Range<u64>) -> String {
    format!("{:016x}-{:016x}.seen", range.start, range.end)
}

/// The range in such a name.
pub(super) fn range_of(name: &str) -> Option<Range<u64>> {
    let (start, end) = name.strip_suffix(".seen")?.split_once('-')?;
    let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
    (name_of(&range) == name).then_some(range)
}

impl<'a> Writer<'a> {
    /// Begins a segment of about so many entries.
    pub(super) fn begin(
        disk: &'a dyn Disk,
        folder: &'a str,
        range: Range<u64>,
        width: usize,
        expected: usize,
    ) -> io::Result<Writer<'a>> {
        let file = disk.open(&format!("{folder}/{}{UNFINISHED}", name_of(&range)), true)?;
        file.set_size(0)?;
        let times = (Timestamp::from_micros(i64::MAX), Timestamp::from_micros(i64::MIN));
        Ok(Writer {
            disk,
            folder,
            file,
            header: Header { width, range, count: 0, times, buckets: 0, table_crc: 0 },
            builder: Builder::new(expected),
            chunk: Vec::with_capacity(CHUNK),
            pages: 0,
            entries: 0,
            page_at: 0,
            written: PAGE as u64,
        })
    }

    /// The next entry, in the order of the marks.
    pub(super) fn push(&mut self, sighting: &Sighting) -> io::Result<()> {
        self.builder.push(&sighting.mark);
        sighting.put(&mut self.chunk, self.header.width);
        let (first, last) = self.header.times;
        self.header.times = (first.min(sighting.at), last.max(sighting.at));
        self.header.count += 1;
        self.entries += 1;
        if self.entries == self.header.per_page() {
            self.end_page()?;
        }
        Ok(())
    }

    fn end_page(&mut self) -> io::Result<()> {
        self.chunk.resize(self.page_at + PAGE, 0);
        let crc = page_crc(self.pages, &self.chunk[self.page_at..]);
        let at = self.page_at + PAGE - 4;
        self.chunk[at..].copy_from_slice(&crc.to_le_bytes());
        self.pages += 1;
        self.entries = 0;
        self.page_at = self.chunk.len();
        if self.chunk.len() >= CHUNK { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_at(&self.chunk, self.written)?;
        self.written += self.chunk.len() as u64;
        self.chunk.clear();
        self.page_at = 0;
        Ok(())
    }

    /// Makes it durable, then gives it its name.
    pub(super) fn finish(mut self) -> io::Result<Segment> {
        if self.entries > 0 {
            self.end_page()?;
        }
        self.write()?;
        let table = self.builder.finish();
        let bytes = table.encode();
        self.header.buckets = table.buckets() as u64;
        self.header.table_crc = crc32c::crc32c(&bytes);
        self.file.write_at(&bytes, self.header.table_at())?;
        self.file.write_at(&self.header.encode(), 0)?;
        self.file.flush()?;
        let path = format!("{}/{}", self.folder, name_of(&self.header.range));
        self.disk.rename(&format!("{path}{UNFINISHED}"), &path)?;
        self.disk.sync_folder(self.folder)?;
        Ok(Segment::of(path, self.header, self.file, table))
    }
}
