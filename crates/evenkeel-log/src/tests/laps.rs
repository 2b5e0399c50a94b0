//! Laps: a write-ahead file that is used again still holds groups of its former lap, and whatever else a disk brings
//! to a place where a group could stand. None of it continues the log, and none vouches for anything.

use std::collections::BTreeMap;

use super::Rig;
use crate::safeguard::Guards;
use crate::wal::header::{ENTRY_BYTES, FileHeader, GROUP_BYTES, GroupHeader, Kind};
use crate::wal::{BLOCK, FIRST_GROUP, number, padded};
use crate::{OpenError, Safeguard, batch};

/// A log whose present write-ahead file was used before.
struct Lapped {
    rig: Rig,
    values: Vec<String>,
    file: String,
    header: FileHeader,
    /// What the file's header was in its former lap.
    former: FileHeader,
    /// Where the log ends, the number of the next group, and the checksum of the last.
    at: u64,
    lsn: u64,
    previous: u32,
}

/// The newest file's header.
fn header(rig: &Rig) -> FileHeader {
    let wal = rig.wal();
    let of = number(wal.trim_start_matches("wal/")).expect("a number");
    FileHeader::decode(&rig.disk.bytes(&wal).expect("it is there"), of, Guards::default()).expect("a header")
}

fn group(bytes: &[u8], at: u64, header: &FileHeader, guards: Guards) -> Option<GroupHeader> {
    let bytes = bytes.get(usize::try_from(at).ok()?..)?;
    let (found, _) = GroupHeader::decode(bytes)?;
    found.fits(bytes, header.seed(at, guards)).then_some(found)
}

impl Lapped {
    fn new(without: Option<Safeguard>) -> Lapped {
        let mut rig = Rig::with_topic(21, without);
        (rig.options.wal_first_file_bytes, rig.options.wal_file_bytes) = (96 << 10, 96 << 10);
        rig.open().expect("it opens again");
        let (guards, mut headers) = (Guards { without }, BTreeMap::new());
        for n in 0..400 {
            rig.append(0, &format!("{n} {}", "v".repeat(3000))).expect("appended");
            let header = header(&rig);
            headers.insert(header.number, header);
            let bytes = rig.disk.bytes(&rig.wal()).expect("it is there");
            let (mut at, mut last) = (FIRST_GROUP, None);
            while let Some(found) =
                group(&bytes, at, &header, guards).filter(|g| last.is_none_or(|(lsn, _)| g.lsn > lsn))
            {
                at += padded(GROUP_BYTES as u64 + u64::from(found.length));
                last = Some((found.lsn, found.crc));
            }
            let mut before = headers.values().filter(|former| former.number < header.number);
            let former = before.find(|former| group(&bytes, at + BLOCK, former, guards).is_some()).copied();
            if let (Some(former), Some((lsn, previous)), true) = (former, last, at + 8 * BLOCK < header.size) {
                let values = rig.values(0).expect("read");
                return Lapped { file: rig.wal(), rig, values, header, former, at, lsn: lsn + 1, previous };
            }
            if n % 8 == 7 {
                rig.log().flush().expect("a checkpoint");
            }
        }
        panic!("no file was used again");
    }

    /// Puts a group there that would be right in every number: `ahead` of the log's end or just there.
    fn put(&self, ahead: u64, seed: impl Fn(&Lapped, u64) -> u32) {
        let (at, lsn) = (self.at + ahead * BLOCK, self.lsn + ahead);
        let mut batch = batch::encode(&[self.rig.record("of another lap")]);
        batch::place(&mut batch, self.values.len() as u64, 0);
        let mut bytes = vec![0; GROUP_BYTES];
        bytes.extend_from_slice(
            &[1_u32, 0, u32::try_from(batch.len()).expect("it is short")].map(u32::to_le_bytes).concat(),
        );
        bytes.extend_from_slice(&batch);
        let group = GroupHeader {
            kind: Kind::Data,
            crc: 0,
            lsn,
            previous: self.previous,
            length: u32::try_from(ENTRY_BYTES + batch.len()).expect("it is short"),
            durable: lsn - 1,
            generation: 0,
            at_us: i64::MAX >> 8,
            entries: 1,
        };
        group.seal(&mut bytes, seed(self, at));
        let at = usize::try_from(at).expect("a place");
        self.rig.disk.tamper(&self.file, |file| file[at..at + bytes.len()].copy_from_slice(&bytes));
    }

    /// What it opens with: only what was appended, or more, or damage.
    fn opens(mut self) -> Result<bool, String> {
        self.rig.kill();
        match self.rig.open() {
            Ok(()) => Ok(self.rig.values(0).map_err(|e| e.to_string())? == self.values),
            Err(OpenError::Corrupt { damage }) => Err(format!("{damage:?}")),
            Err(e) => panic!("{e}"),
        }
    }
}

/// What a group's checksum begins with, at that place.
type Seed = Box<dyn Fn(&Lapped, u64) -> u32>;

/// Seeds that are wrong in one thing, and that of the former lap, in both.
fn seeds(without: Option<Safeguard>) -> [(&'static str, Seed); 4] {
    let guards = Guards { without };
    [
        ("of the former lap", Box::new(move |of: &Lapped, at| of.former.seed(at, guards))),
        (
            "under another secret",
            Box::new(move |of: &Lapped, at| FileHeader { nonce: of.former.nonce, ..of.header }.seed(at, guards)),
        ),
        (
            "of another file",
            Box::new(move |of: &Lapped, at| FileHeader { number: of.former.number, ..of.header }.seed(at, guards)),
        ),
        ("of another place", Box::new(move |of: &Lapped, at| of.header.seed(at - BLOCK, guards))),
    ]
}

#[test]
fn what_a_recycled_file_still_holds_is_neither_the_logs_continuation_nor_evidence() {
    assert_eq!(Lapped::new(None).opens(), Ok(true), "groups of the former lap stand behind the end");
    for ahead in [0, 1] {
        for (what, seed) in seeds(None) {
            let lapped = Lapped::new(None);
            lapped.put(ahead, seed);
            assert_eq!(lapped.opens(), Ok(true), "a group {what}, {ahead} groups ahead");
        }
    }
}

#[test]
fn without_its_seed_a_group_of_another_lap_is_believed() {
    let without = Some(Safeguard::GroupSeed);
    for (what, seed) in seeds(without) {
        let lapped = Lapped::new(without);
        lapped.put(0, seed);
        assert_eq!(lapped.opens(), Ok(false), "a group {what}: this proof shows nothing");
    }
}

#[test]
fn a_group_that_the_log_itself_could_have_written_there_is_believed() {
    let right = |of: &Lapped, at| of.header.seed(at, Guards::default());
    let lapped = Lapped::new(None);
    lapped.put(0, right);
    assert_eq!(lapped.opens(), Ok(false), "it is the next one");
    let lapped = Lapped::new(None);
    lapped.put(1, right);
    assert!(lapped.opens().is_err_and(|damage| damage.contains("says that it was complete")));
}
