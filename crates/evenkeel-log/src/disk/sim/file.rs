//! An open file of the simulated disk.

use std::io;

use super::SimDisk;
use crate::disk::File;
use crate::ticket::held;

pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) inode: usize,
    pub(super) boot: u64,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut world = held(&self.disk.world);
        if world.boot == self.boot {
            world.files = world.files.saturating_sub(1);
        }
    }
}

impl File for SimFile {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        held(&self.disk.world).read(self.boot, self.inode, into, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        held(&self.disk.world).write(self.boot, self.inode, bytes, at)
    }

    fn write_durable(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        held(&self.disk.world).write_durable(self.boot, self.inode, bytes, at)
    }

    fn flush(&self) -> io::Result<()> {
        held(&self.disk.world).flush(self.boot, self.inode)
    }

    fn size(&self) -> io::Result<u64> {
        held(&self.disk.world).size(self.boot, self.inode)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        held(&self.disk.world).set_size(self.boot, self.inode, size)
    }
}
