//! Which partitions of its topic this node has, where a broker's group shares them out.

use super::{BoxFuture, PortError};

/// A node's part in the group of a subscription. Dropping it leaves the group.
pub trait Membership: Send + Sync + 'static {
    /// Completes when something changed. Asked for again and again: that is what keeps the member
    /// alive. It may be given up and asked for anew at any time.
    fn changed(&self) -> BoxFuture<'_, Change>;
    /// Whether the group still says that this one is ours, asked where the group is kept. Asked before a
    /// partition is opened, since that takes it from whoever has it: a node that stood still for a
    /// while learns late what it lost.
    fn is_ours(&self, partition: u32) -> BoxFuture<'_, Result<bool, PortError>>;
    /// These are ours now.
    fn took(&self, partitions: &[u32]);
    /// We have let go of these; somebody else may have them.
    fn gave_up(&self, partitions: &[u32]);
}

/// What changed in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These are ours; answered with [`Membership::took`] at once.
    Given(Vec<u32>),
    /// These are to go: we let go of them, then say [`Membership::gave_up`].
    Asked(Vec<u32>),
    /// These are somebody else's already; answered with [`Membership::gave_up`] at once.
    Lost(Vec<u32>),
    /// The broker says something that an operator should know.
    Trouble(String),
}
