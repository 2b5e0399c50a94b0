//! What happens between the moment that a checkpoint is of and the checkpoint itself: a disk that
//! calls somebody when a folder is made.

use std::io;
use std::sync::{Arc, Mutex};

use evenkeel_model::{Record, Shard};

use super::{Rig, small};
use crate::disk::{Disk, File, LockError};
use crate::sim::SimDisk;
use crate::ticket::held;
use crate::write_back::Demand;
use crate::{Log, OpenError, Set, TopicSettings};

type Call = Box<dyn FnOnce() + Send>;

/// Calls when a folder of this name is made, once.
#[derive(Clone)]
struct Calling {
    disk: SimDisk,
    call: Arc<Mutex<Option<(&'static str, Call)>>>,
}

impl Disk for Calling {
    fn name(&self) -> String {
        self.disk.name()
    }

    fn lock(&self) -> Result<Box<dyn Send + Sync>, LockError> {
        self.disk.lock()
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Box<dyn File>> {
        self.disk.open(path, create)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        let call = held(&self.call).take_if(|(of, _)| folder.contains(*of));
        if let Some((_, call)) = call {
            call();
        }
        self.disk.create_folder(folder)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.remove_folder(folder)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }

    fn entropy(&self) -> u64 {
        self.disk.entropy()
    }
}

fn create(log: &Log, name: &str) {
    let creating = log.create_topic(name, TopicSettings::partitions(1)).expect("a good name");
    log.step();
    creating.wait().expect("created");
}

fn append(log: &Log, topic: &str) {
    let record = Record { value: Some(vec![b'x'; 900].into()), ..Record::default() };
    let appending = log.append(Set::of(Shard::new(topic, 0), vec![record]));
    log.step();
    appending.wait().expect("appended");
}

/// A log in which topic `leaves` is written and not flushed, and is deleted while a checkpoint writes.
fn deleted_within_a_checkpoint(rig: &Rig) {
    let disk = Calling { disk: rig.disk.clone(), call: Arc::default() };
    let log = Log::open_idle(Arc::new(disk.clone()), small(), rig.clock.clone()).expect("it opens");
    create(&log, "leaves");
    create(&log, "stays");
    append(&log, "leaves");
    log.write_back(Demand::Before(u64::MAX)).expect("written, not flushed");
    append(&log, "stays");
    let meanwhile = log.clone();
    let delete = move || {
        let deleting = meanwhile.delete_topic("leaves").expect("a good name");
        meanwhile.step();
        deleting.wait().expect("deleted");
    };
    *held(&disk.call) = Some(("topics/stays-0", Box::new(delete)));
    log.flush().expect("a checkpoint");
    assert!(held(&disk.call).is_none(), "nobody was called");
    log.crash();
}

#[test]
fn a_topic_that_is_deleted_while_a_checkpoint_is_made_is_no_damage_after_a_power_cut() {
    for seed in 0..20 {
        let mut rig = Rig::new(seed, None);
        deleted_within_a_checkpoint(&rig);
        rig.disk.cut_power();
        assert_eq!(rig.open(), Ok::<(), OpenError>(()), "seed {seed}");
        assert_eq!(rig.log().topic("leaves"), None);
        assert_eq!(rig.log().ends(&Shard::new("stays", 0)).map(|ends| ends.high_watermark), Ok(1));
    }
}
