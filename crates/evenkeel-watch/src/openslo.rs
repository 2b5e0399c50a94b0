//! OpenSLO v1: documents read by its rules, and turned into objectives that can be executed.
//!
//! Does: read all seven kinds from a [`Tree`], with every rule of OpenSLO's own validator (go-sdk,
//! `pkg/openslo/v1`), each finding with file, line, field and rule; follow references; say what
//! is sound and yet can't be executed. Does not: parse YAML, or look up a time zone by itself.
//! Evenkeel's own extensions are annotations that begin with `evenkeel/`, so that other tools
//! accept the files; `docs/guide/objectives.md` lists them, and the metric source `evenkeel`.

mod tree;
mod finding;
mod fields;
pub(crate) mod shorthand;
mod metadata;
mod document;
pub mod kinds;
mod source;
mod policy;
mod resolve;

pub use document::{API_VERSION, Body, Document, KINDS, Written, read};
pub use finding::{Finding, Place, Rule};
pub use metadata::{Metadata, PREFIX, is_dns_label};
pub use resolve::{Executable, Known, objectives};
pub use shorthand::{Shorthand, Unit};
pub use tree::{Key, Tree, Value};

#[cfg(test)]
mod tests;
