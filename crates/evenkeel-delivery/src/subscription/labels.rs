//! Types and sources, shared by the events that have them.
//!
//! A million events may wait, and they are of a few types and sources: each holds one pointer to both. The pairs
//! that came lately lie in a small table, in which nothing is counted or cleared: a pair that another one put
//! out of its place is made again when it comes again. Where every event has a source of its own, each has a pair
//! of its own.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// How many pairs are known at once.
const KNOWN: usize = 256;

/// The CloudEvents `type` and `source` of an event.
#[derive(Clone, Debug)]
pub(super) struct Label(Arc<(Arc<str>, Arc<str>)>);

impl Label {
    pub(super) fn kind(&self) -> &Arc<str> {
        &self.0.0
    }

    pub(super) fn source(&self) -> &Arc<str> {
        &self.0.1
    }

    fn is(&self, kind: &Arc<str>, source: &Arc<str>) -> bool {
        let same = |a: &Arc<str>, b: &Arc<str>| Arc::ptr_eq(a, b) || a == b;
        same(self.kind(), kind) && same(self.source(), source)
    }
}

#[derive(Debug, Default)]
pub(super) struct Labels {
    known: Vec<Option<Label>>,
    /// The one that was asked for last: events come in runs.
    last: Option<Label>,
}

impl Labels {
    pub(super) fn of(&mut self, kind: Arc<str>, source: Arc<str>) -> Label {
        if let Some(last) = self.last.as_ref().filter(|last| last.is(&kind, &source)) {
            return last.clone();
        }
        self.known.resize(KNOWN, None);
        let mut hasher = DefaultHasher::new();
        (&kind, &source).hash(&mut hasher);
        let known = &mut self.known[usize::try_from(hasher.finish() % KNOWN as u64).unwrap_or(0)];
        if known.as_ref().is_none_or(|label| !label.is(&kind, &source)) {
            *known = Some(Label(Arc::new((kind, source))));
        }
        self.last.clone_from(known);
        known.clone().expect("it was just put there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_type_and_source_share_them_and_others_keep_their_own() {
        let mut labels = Labels::default();
        let mut of = |kind: &str, n: usize| labels.of(Arc::from(kind), Arc::from(format!("/shop/{n}")));
        let first = of("OrderCreated", 1);
        let other = of("OrderCancelled", 1);
        assert!(Arc::ptr_eq(&first.0, &of("OrderCreated", 1).0), "also after another");
        assert_eq!((&**other.kind(), &**other.source()), ("OrderCancelled", "/shop/1"));
        for n in 0..10 * KNOWN {
            let label = of("OrderCreated", n);
            assert_eq!((&**label.kind(), &**label.source()), ("OrderCreated", &*format!("/shop/{n}")));
        }
        assert_eq!((&**first.kind(), &**first.source()), ("OrderCreated", "/shop/1"));
    }
}
