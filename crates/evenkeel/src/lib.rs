//! Evenkeel as a library.

mod context;
mod handler;
mod handler_error;
pub mod runtime;
pub mod testing;

pub use context::Context;
pub use evenkeel_delivery::*;
pub use evenkeel_model::{Clock, Timestamp};
pub use handler::Done;
pub use handler_error::HandlerError;
