//! What was seen, beside the log: derived from it, deletable, on the same disk.

use std::io;
use std::sync::Arc;

use super::Log;
use crate::seen::Series;
use crate::ticket::held;

/// The folder of everything that was seen.
const FOLDER: &str = "seen";

impl Log {
    /// The number of the topic of that name: no other topic, of this name or another, ever has it.
    pub fn topic_number(&self, name: &str) -> Option<u32> {
        self.0.shared.state().machine.topics.number(name)
    }

    /// The series of that name (a folder of its own), opened when it is first asked for; each of its
    /// sightings keeps `width` bytes of value. What is there already is read into memory: 20 bits for
    /// each mark.
    pub fn seen(&self, name: &str, width: usize) -> io::Result<Arc<Series>> {
        let mut all = held(&self.0.seen);
        if let Some(series) = all.get(name) {
            return Ok(series.clone());
        }
        let series = Arc::new(Series::open(self.0.shared.disk.clone(), format!("{FOLDER}/{name}"), width)?);
        all.insert(name.to_owned(), series.clone());
        Ok(series)
    }
}
