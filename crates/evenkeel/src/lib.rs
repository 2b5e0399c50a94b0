//! evenkeel: being built.
