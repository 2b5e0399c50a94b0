//! Damage of the log, as every JSON document of the node has it.

use evenkeel_log::{Damage, Offsets};
use serde_json::{Value, json};

/// One damaged place.
pub(crate) fn form(damage: &Damage) -> Value {
    json!({
        "kind": damage.kind.name(),
        "file": damage.file,
        "at": damage.at,
        "what": damage.what,
        "lost": damage.lost.iter().map(offsets).collect::<Vec<_>>(),
        "cut": damage.cut.iter().map(offsets).collect::<Vec<_>>(),
        "exact": damage.exact,
    })
}

/// Offsets of one partition; `to` is the last of them, `null` where it is not known.
pub(crate) fn offsets(offsets: &Offsets) -> Value {
    json!({
        "topic": &*offsets.shard.topic, "partition": offsets.shard.partition,
        "from": offsets.from, "to": offsets.to.map(|beyond| beyond.saturating_sub(1)),
    })
}
