//! What the wiring of all queues shares: how one is connected to, and as whom. Secrets are read here.

use std::sync::Arc;

use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_transport::Queue;

use crate::config::brokers::{BrokerPlan, Sasl, secret};
use crate::error::Error;

/// How a queue is connected to.
pub(super) type Connect = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Queue>, PortError>> + Send + Sync>;

/// Who we are: a name and a password.
pub(super) fn login(broker: &BrokerPlan) -> Result<Option<(String, String)>, Error> {
    match &broker.sasl {
        Some(Sasl::Password { user, password, .. }) => {
            let password = secret(&format!("brokers.{}.password", broker.name), password)?;
            Ok(Some((user.clone(), password)))
        }
        Some(Sasl::Token(_)) | None => Ok(None),
    }
}
