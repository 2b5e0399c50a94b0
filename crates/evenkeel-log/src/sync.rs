//! Where [`crate::handover`] gets its locks from. Its model (`tests/handover.rs`) is the same
//! source with the model checker's locks in this place.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
