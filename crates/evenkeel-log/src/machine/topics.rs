//! The table of topics: by number, which is never used again, and by name, which may be.

use std::collections::HashMap;
use std::sync::Arc;

use evenkeel_model::names::CONTROL_TOPIC;

use super::Partition;
use crate::numbered::Numbered;
use crate::state::Place;
use crate::{Topic, TopicSettings};

/// So many growths of a topic are remembered; beyond them the oldest is forgotten.
const GROWTHS_MAX: usize = 64;
/// So many topics may ever be created.
const NUMBERS_MAX: u32 = 1 << 24;

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) topic: Topic,
    pub(crate) partitions: Vec<Partition>,
    /// Where the partitions that there were ended, each time that it got more; the oldest first.
    pub(crate) grown: Vec<Arc<[u64]>>,
}

impl Entry {
    /// Remembers where its partitions end.
    fn grow(&mut self) {
        self.grown.push(self.partitions.iter().map(|partition| partition.next).collect());
        if self.grown.len() > GROWTHS_MAX {
            self.grown.remove(0);
        }
    }
}

/// All topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topics {
    /// By number.
    entries: Numbered<Box<Entry>>,
    by_name: HashMap<Arc<str>, u32>,
    next: u32,
}

impl Topics {
    /// Only the control topic, under number 0.
    pub(super) fn new() -> Topics {
        let settings = TopicSettings::partitions(1);
        let control = Topic { name: CONTROL_TOPIC.into(), partitions: 1, settings };
        let name = control.name.clone();
        let entry = Entry { topic: control, partitions: vec![Partition::default()], grown: Vec::new() };
        Topics { entries: Numbered::first(Box::new(entry)), by_name: HashMap::from([(name, 0)]), next: 1 }
    }

    /// The number that the next topic gets.
    pub(crate) fn next_number(&self) -> u32 {
        self.next
    }

    /// The topic's number.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The topic of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Topic> {
        self.get(self.number(name)?).map(|entry| &entry.topic)
    }

    /// The topic of that number.
    pub(crate) fn get(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number).map(|entry| &**entry)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Entry> {
        self.entries.get_mut(number).map(|entry| &mut **entry)
    }

    /// All that are there, with their numbers, in the order in which they were created.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.entries.iter().map(|(number, entry)| (number, &**entry))
    }

    /// All partitions.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Place, &Topic, &Partition)> {
        self.iter().flat_map(|(topic, entry)| {
            let numbered = (0_u32..).zip(&entry.partitions);
            numbered.map(move |(partition, p)| (Place { topic, partition }, &entry.topic, p))
        })
    }

    /// Adds a topic under the next number, or one beyond it when those between were deleted.
    pub(crate) fn create(&mut self, number: u32, topic: Topic) -> Result<(), String> {
        if number < self.next_number() || number >= NUMBERS_MAX || self.by_name.contains_key(&topic.name) {
            return Err(format!("topic `{}` has number {number}, which is not the next", topic.name));
        }
        let partitions = vec![Partition::default(); topic.partitions as usize];
        self.by_name.insert(topic.name.clone(), number);
        self.entries.insert(number, Box::new(Entry { topic, partitions, grown: Vec::new() }));
        self.next = number + 1;
        Ok(())
    }

    /// Gives no topic a number below that any more.
    pub(super) fn skip_to(&mut self, number: u32) -> Option<()> {
        let fits = self.next_number() <= number && number <= NUMBERS_MAX;
        fits.then(|| self.next = number)
    }

    /// Gives a topic other settings; it may get more partitions, never fewer.
    pub(super) fn configure(&mut self, number: u32, topic: Topic) -> Result<(), String> {
        match self.get_mut(number) {
            Some(entry) if entry.topic.name == topic.name && entry.topic.partitions <= topic.partitions => {
                if entry.topic.partitions < topic.partitions {
                    entry.grow();
                }
                entry.partitions.resize(topic.partitions as usize, Partition::default());
                entry.topic = topic;
                Ok(())
            }
            _ => Err(format!("topic `{}` with number {number} cannot be configured so", topic.name)),
        }
    }

    /// Takes a topic away for good.
    pub(super) fn delete(&mut self, number: u32, name: &str) -> Result<(), String> {
        if number == 0 || self.number(name) != Some(number) {
            return Err(format!("topic `{name}` with number {number} cannot be deleted"));
        }
        self.by_name.remove(name);
        self.entries.remove(number);
        Ok(())
    }
}
