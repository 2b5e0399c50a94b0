//! The way to the node's own metrics, which are there only when the node is: until then, and when it goes, none are told.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use evenkeel_delivery::ports::BoxFuture;
use tokio::time::timeout;

use super::wire::Message;

/// A node that does not answer in this time is not waited for: what is counted here goes out without it.
const WITHIN: Duration = Duration::from_secs(5);

/// Gives what the node's registry holds, as metrics of OTLP.
pub(crate) type Registry = Box<dyn Fn() -> BoxFuture<'static, Option<Message>> + Send + Sync>;

/// Who is asked; a clone is the same.
#[derive(Clone, Default)]
pub(super) struct Bridge(Arc<OnceLock<Registry>>);

impl Bridge {
    /// From here on it is asked; the first one counts.
    pub(super) fn set(&self, registry: Registry) {
        let _ = self.0.set(registry);
    }

    pub(super) async fn ask(&self) -> Option<Message> {
        timeout(WITHIN, self.0.get()?()).await.ok()?
    }
}
