//! evenkeel-delivery: being built.
