//! evenkeel-cloudevents: being built.
