//! evenkeel-respond: being built.
