//! Other bytes of the same length in a stream, wherever it is cut into pieces.

/// These bytes become those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Replacement {
    /// `None` unless both are of the same length, and of any.
    pub fn new(from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>) -> Option<Replacement> {
        let (from, to) = (from.into(), to.into());
        (from.len() == to.len() && !from.is_empty()).then_some(Replacement { from, to })
    }

    pub(super) fn begin(self) -> Replacing {
        Replacing { what: self, held: Vec::new() }
    }
}

/// A replacement at work on one stream.
pub(super) struct Replacing {
    what: Replacement,
    /// What could be a beginning.
    held: Vec<u8>,
}

impl Replacing {
    /// True when something is held back.
    pub(super) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// What was held back, after all.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// What of these bytes, and of those held back, may go.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = self.rest();
        all.extend_from_slice(bytes);
        let Replacement { from, to } = &self.what;
        let mut at = 0;
        while at + from.len() <= all.len() {
            if all[at..].starts_with(from) {
                all[at..at + to.len()].copy_from_slice(to);
                at += to.len();
            } else {
                at += 1;
            }
        }
        let begins = (at..all.len()).find(|begin| from.starts_with(&all[*begin..]));
        self.held = all.split_off(begins.unwrap_or(all.len()));
        all
    }
}
