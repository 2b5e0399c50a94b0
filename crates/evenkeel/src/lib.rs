//! Evenkeel as a library.

pub mod runtime;
