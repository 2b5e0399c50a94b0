//! The few names (types, sources) that most events of a fetch have in common: one copy of each.

use std::sync::Arc;

/// So many are compared with; beyond that the oldest are forgotten.
const NAMES: usize = 8;

/// Names that were met lately.
#[derive(Default)]
pub struct Names(Vec<Arc<str>>);

impl Names {
    /// The one copy of this name.
    pub fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|name| ***name == *text) {
            return known.clone();
        }
        if self.0.len() == NAMES {
            self.0.remove(0);
        }
        let name: Arc<str> = Arc::from(text);
        self.0.push(name.clone());
        name
    }
}
