//! evenkeel-node: being built.
