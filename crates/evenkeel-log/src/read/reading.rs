//! Batches of one segment, for a reader: a walk that has a lost index made again, and goes on.

use std::io;
use std::sync::Arc;

use evenkeel_model::Timestamp;

use crate::ReadError;
use crate::damage::met::{self, Second};
use crate::engine::Shared;
use crate::segment::index::Index;
use crate::segment::walk::{Files, Found, Lost, Walk};
use crate::segment::{Segment, log_path, rebuild};
use crate::state::{Gone, Place};
use crate::ticket::held;

/// Where a reader is in a segment.
pub(crate) struct Reading<'a> {
    shared: &'a Shared,
    place: Place,
    folder: String,
    /// Of the segment's log, for messages.
    pub(crate) path: String,
    segment: Segment,
    files: Arc<Files>,
    walk: Walk,
    wanted: usize,
    /// Where it goes on.
    next: u64,
    /// The index was made again, or could not be.
    rebuilt: bool,
    /// Damage was looked at twice.
    doubted: bool,
}

impl<'a> Reading<'a> {
    /// From the batch that holds `from` on. `wanted` is about how much will be read.
    pub(crate) fn open(
        shared: &'a Shared,
        place: Place,
        folder: String,
        segment: Segment,
        from: u64,
        wanted: usize,
    ) -> Result<Reading<'a>, ReadError> {
        let path = log_path(&folder, segment.base, segment.revision);
        let opened = shared.handles.open(&*shared.disk, place, &folder, &segment);
        let files = opened.map_err(|e| {
            if e.kind() == io::ErrorKind::NotFound {
                met::look_again(shared, place, &folder, &segment);
            }
            io_error(&path, &e)
        })?;
        let walk = Walk::from(&files, &segment, shared.options.guards(), from, wanted);
        Ok(Reading {
            shared,
            place,
            folder,
            path,
            segment,
            files,
            walk,
            wanted,
            next: from,
            rebuilt: false,
            doubted: false,
        })
    }

    /// The next batch.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, ReadError> {
        loop {
            match self.walk.next() {
                Ok(Some(found)) if found.end <= self.next => {}
                Ok(found) => {
                    self.next = found.as_ref().map_or(self.next, |f| f.end);
                    return Ok(found);
                }
                Err(Lost::Index) => self.go_on_without().or_else(|lost| self.look_again(&lost))?,
                Err(lost) => self.look_again(&lost)?,
            }
        }
    }

    /// What is damaged is believed when it is damaged at a second look as well, of which the log is told;
    /// else the walk goes on, once.
    fn look_again(&mut self, lost: &Lost) -> Result<(), ReadError> {
        let Lost::Damaged(..) = lost else { return Err(self.error(lost)) };
        if std::mem::replace(&mut self.doubted, true)
            || met::look_again(self.shared, self.place, &self.folder, &self.segment) == Second::Same
        {
            return Err(self.error(lost));
        }
        let Segment { base, revision, .. } = self.segment;
        self.shared.handles.close(self.place, Gone::Segment { base, revision });
        let opened = self.shared.handles.open(&*self.shared.disk, self.place, &self.folder, &self.segment);
        self.files = opened.map_err(|e| io_error(&self.path, &e))?;
        self.walk = Walk::from(&self.files, &self.segment, self.shared.options.guards(), self.next, self.wanted);
        Ok(())
    }

    /// The first offset that was taken at or after `time`, by the index; `None` when it cannot tell.
    pub(crate) fn indexed_at(&mut self, time: Timestamp) -> Result<Option<u64>, ReadError> {
        let found = self.entry_at(time);
        if found.is_some() || !self.rebuild().or_else(|lost| self.look_again(&lost).map(|()| false))? {
            return Ok(found);
        }
        Ok(self.entry_at(time))
    }

    fn entry_at(&self, time: Timestamp) -> Option<u64> {
        let guards = self.shared.options.guards();
        let index = Index { file: self.files.index.clone(), segment: self.segment, guards };
        let number = index.partition_point(|e| e.appended < time)?;
        index.entry(number).map(|entry| entry.offset)
    }

    /// Goes on with an index that was made again; where its times are lost, without.
    fn go_on_without(&mut self) -> Result<(), Lost> {
        let guards = self.shared.options.guards();
        self.walk = if self.rebuild()? {
            Walk::from(&self.files, &self.segment, guards, self.next, self.wanted)
        } else {
            Walk::plain(&self.files, &self.segment, guards, self.wanted)
        };
        Ok(())
    }

    /// Makes the index again, once.
    fn rebuild(&mut self) -> Result<bool, Lost> {
        if std::mem::replace(&mut self.rebuilt, true) {
            return Ok(false);
        }
        let (shared, place) = (self.shared, self.place);
        // Under the flusher's lock, so that no checkpoint takes times from the write-back meanwhile.
        let runs = held(&shared.flusher).times_of(shared, place, &self.segment).map_err(Lost::Io)?;
        if !rebuild::index(shared.site(), &self.folder, &self.segment, &self.files, &runs)? {
            return Ok(false);
        }
        held(&shared.write_back).reopen(place);
        let Segment { base, revision, .. } = self.segment;
        shared.handles.close(place, Gone::Segment { base, revision });
        let opened = shared.handles.open(&*shared.disk, place, &self.folder, &self.segment);
        self.files = opened.map_err(Lost::Io)?;
        Ok(true)
    }

    fn error(&self, lost: &Lost) -> ReadError {
        let path = &self.path;
        match lost {
            Lost::Io(e) => io_error(path, e),
            Lost::Index => ReadError::Corrupt { place: path.clone(), what: "its index is lost".to_owned() },
            Lost::Damaged(at, what) => ReadError::Corrupt { place: format!("{path} byte {at}"), what: what.clone() },
        }
    }
}

fn io_error(path: &str, e: &io::Error) -> ReadError {
    if e.kind() == io::ErrorKind::NotFound {
        return ReadError::Corrupt { place: path.to_owned(), what: "the file is gone".to_owned() };
    }
    ReadError::Io { doing: format!("reading `{path}`"), why: e.to_string() }
}
