//! A new revision of a segment: written a MiB at a time, and made durable before anything names it.

use std::io;

use crate::safeguard::Safeguard;
use crate::segment::Segment;
use crate::segment::append::{Growing, Site};
use crate::tail::Held;
use crate::write_back::flush_failed;

/// What is gathered before it is written.
const GATHER: usize = 1 << 20;

/// A new revision on its way.
pub(super) struct Output {
    folder: String,
    begun: Segment,
    /// Its files, once there is something to write.
    growing: Option<Growing>,
    gathered: Vec<Held>,
    bytes: usize,
}

impl Output {
    pub(super) fn new(folder: String, begun: Segment) -> Output {
        Output { folder, begun, growing: None, gathered: Vec::new(), bytes: 0 }
    }

    /// Takes the next batch.
    pub(super) fn push(&mut self, site: Site<'_>, held: Held) -> io::Result<()> {
        self.bytes += held.bytes.len();
        self.gathered.push(held);
        if self.bytes >= GATHER { self.write(site) } else { Ok(()) }
    }

    fn write(&mut self, site: Site<'_>) -> io::Result<()> {
        let growing = match &mut self.growing {
            Some(growing) => growing,
            None => self.growing.insert(Growing::open(site, &self.folder, self.begun)?),
        };
        growing.write(&self.gathered)?;
        self.gathered.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Makes it durable, its name too; `None` when there was nothing to write.
    pub(super) fn finish(mut self, site: Site<'_>) -> io::Result<Option<Segment>> {
        if !self.gathered.is_empty() {
            self.write(site)?;
        }
        let Some(growing) = self.growing else { return Ok(None) };
        growing.dirty().start()?;
        growing.dirty().flush(site).map_err(flush_failed)?;
        if site.options.guards().on(Safeguard::SegmentFolderSync) {
            site.disk.sync_folder(&self.folder).map_err(flush_failed)?;
            site.stats.flushed();
        }
        Ok(Some(growing.segment()))
    }
}
