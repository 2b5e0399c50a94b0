//! Producers, judged from what their topics' subscriptions know.

use evenkeel_model::Timestamp;

use super::Watch;
use crate::producers::Producer;

impl Watch {
    /// Judges how each source sends; those that changed. Meant to be called about every second.
    pub fn judge_producers(&mut self, now: Timestamp) -> Vec<Producer> {
        let (topics, subscriptions) = (&self.topics, &self.subscriptions);
        // Whoever reads a topic no more tells nothing of it: another one may.
        let reads = |topic: &str, name: &str| topics.get(topic).is_none_or(|topic| topic.is_read_by(name));
        self.producers.keep_tellers(reads);
        self.producers.tick(now, |name| subscriptions.get(name).and_then(|watched| watched.indicators.oldest))
    }

    /// All sources that are known, by topic and source in the order in which they appeared.
    pub fn producers(&self) -> impl Iterator<Item = Producer> + '_ {
        self.producers.all()
    }

    /// Events of sources that did not fit.
    pub fn producers_folded(&self) -> u64 {
        self.producers.folded
    }
}
