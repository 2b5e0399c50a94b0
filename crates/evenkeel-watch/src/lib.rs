//! evenkeel-watch: being built.
