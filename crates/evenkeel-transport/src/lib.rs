//! evenkeel-transport: being built.
