//! A note in the folder: segments that were found damaged while the log ran.
//!
//! Opening looks at the lengths of segments, not at every record; without a note a restart would forget what a
//! reader had found, and take events in again before an operator has decided anything. It is a hint and
//! no evidence: the next open looks at these segments, and takes the note away when they are whole.

use std::fmt::Write;
use std::io;

use crate::disk::{Disk, is_of_medium};
use crate::safeguard::{Guards, Safeguard};

/// Its name.
pub(crate) const FILE: &str = "damaged";

/// Its first line: what it is, and the version.
const TITLE: &str = "evenkeel damaged 1";

/// More than any note that was ever written.
const BYTES_MAX: u64 = 16 << 20;

/// What an open should look at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// There is no note.
    Nothing,
    /// These files.
    Files(Vec<String>),
    /// There is one, and it cannot be read: all segments.
    Everything,
}

impl Noted {
    /// True when that file is to be looked at.
    pub(crate) fn names(&self, path: &str) -> bool {
        match self {
            Noted::Nothing => false,
            Noted::Files(files) => files.iter().any(|file| file == path),
            Noted::Everything => true,
        }
    }
}

/// Writes the note. Its name is what must not be lost: a note that a power cut left empty has all segments
/// looked at.
pub(crate) fn write(disk: &dyn Disk, guards: Guards, files: &[String]) -> io::Result<()> {
    let text = encoded(files);
    let file = disk.open(FILE, true)?;
    file.set_size(text.len() as u64)?;
    file.write_at(text.as_bytes(), 0)?;
    if guards.on(Safeguard::NoteFolderSync) {
        disk.sync_folder("")?;
    }
    Ok(())
}

/// The note, if there is one.
pub(crate) fn read(disk: &dyn Disk) -> io::Result<Noted> {
    let read = || {
        let file = disk.open(FILE, false)?;
        let size = file.size()?.min(BYTES_MAX);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        file.read_at(&mut bytes, 0).map(|()| bytes)
    };
    match read() {
        Ok(bytes) => Ok(decoded(&bytes).map_or(Noted::Everything, Noted::Files)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Noted::Nothing),
        Err(e) if is_of_medium(&e) => Ok(Noted::Everything),
        Err(e) => Err(e),
    }
}

fn encoded(files: &[String]) -> String {
    let mut text = format!("{TITLE}\n");
    for file in files {
        let _ = writeln!(text, "{file}");
    }
    let crc = crc32c::crc32c(text.as_bytes());
    let _ = writeln!(text, "{crc:08x}");
    text
}

fn decoded(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let (body, crc) = text.rsplit_once('\n')?;
    let whole = crc32c::crc32c(&bytes[..=body.len()]) == u32::from_str_radix(crc, 16).ok()?;
    let mut lines = body.split('\n');
    let titled = lines.next() == Some(TITLE);
    (whole && titled).then(|| lines.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::{decoded, encoded};

    #[test]
    fn a_note_reads_back_and_no_changed_byte_of_it_is_believed() {
        for files in [vec![], vec!["topics/t-0@1/00000000000000000000.log".to_owned(), "other".to_owned()]] {
            let text = encoded(&files);
            assert_eq!(decoded(text.as_bytes()), Some(files));
            for at in 0..text.len() {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 0x01;
                assert_eq!(decoded(&bytes), None, "byte {at}");
                assert_eq!(decoded(&bytes[..at]), None, "cut at {at}");
            }
        }
        assert_eq!(decoded(b""), None);
    }
}
