//! evenkeel-log: being built.
