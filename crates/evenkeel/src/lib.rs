//! Evenkeel as a library: durable topics, and async functions that handle their events in order,
//! with retries, parking, dead letters, breakers, idempotency keys and an audit, in your own
//! process.
//!
//! ```
//! use evenkeel::{Context, Evenkeel, Event, HandlerError};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Order { customer: String, cents: u64 }
//!
//! async fn reserve(context: Context, order: Order) -> Result<(), HandlerError> {
//!     if order.cents == 0 {
//!         return Err(HandlerError::reject("an order of nothing"));   // a dead letter
//!     }
//!     println!("{}: reserved for {}", context.idempotency_key(), order.customer);
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let evenkeel = Evenkeel::builder()
//!     .data(folder.path())
//!     .topic("orders", 4)
//!     .subscription("inventory", "orders", reserve)
//!     .start()
//!     .await?;
//!
//! let mut event = Event::new("/shop", "order-1", "OrderCreated");
//! event.subject = Some("customer-7".to_owned());      // events of one customer stay in order
//! event.data = Some(serde_json::to_vec(&Order { customer: "Ada".into(), cents: 4200 })?.into());
//! let place = evenkeel.publish("orders", event).await?;   // on the medium when it returns
//! println!("stored in partition {} at offset {}", place.partition, place.offset);
//!
//! evenkeel.shutdown(std::time::Duration::from_secs(30)).await;
//! # Ok(())
//! # }
//! ```
//!
//! `examples/orders.rs` shows the rest: events that a handler causes, dead letters, the audit.
//!
//! This crate decides nothing itself: [`runtime`] drives the pure cores, and the node drives its
//! subscriptions by the same [`runtime`].

mod builder;
mod subscribe;
mod handler;
mod context;
mod handler_error;
mod evenkeel;
mod changing;
mod breaker;
mod start_error;
pub mod happenings;
pub mod runtime;
pub mod testing;

pub use breaker::{Breaker, Refused};
pub use builder::Builder;
pub use context::Context;
pub use evenkeel::Evenkeel;
pub use handler::Done;
pub use handler_error::HandlerError;
pub use start_error::StartError;
pub use subscribe::Subscribe;

pub use evenkeel_cloudevents::filter::Filter;
pub use evenkeel_delivery::ports::{Answer, Call, Delivered, Handler};
pub use evenkeel_delivery::{
    Alarm, BreakerPolicy, Command, Concurrency, Effects, Exhausted, Order, Parking, Policy, RetrySchedule, View,
};
pub use evenkeel_log::{OpenError, Options, Retention, TopicError};
pub use evenkeel_model::{AttributeValue, Clock, Event, EventId, Outcome, Position, SystemClock, Timestamp, Verdict};
pub use evenkeel_transport::audit::{Audit, SubscriptionAudit};
pub use evenkeel_transport::{From, Pick, PublishError, Published};
