//! What the wiring of all queues shares: how one is connected to, and as whom. Secrets are read here.

use std::sync::Arc;

use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_transport::Queue;

use crate::config::brokers::{BrokerPlan, Sasl, secret};
use crate::error::Error;
#[cfg(any(feature = "nats", feature = "rabbitmq"))]
use {crate::error::codes, evenkeel_transport::http::Roots};

/// How a queue is connected to.
pub(super) type Connect = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Queue>, PortError>> + Send + Sync>;

/// Who we are: a name and a password.
#[cfg(any(feature = "nats", feature = "rabbitmq", feature = "aws"))]
pub(super) fn login(broker: &BrokerPlan) -> Result<Option<(String, String)>, Error> {
    match &broker.sasl {
        Some(Sasl::Password { user, password, .. }) => {
            let password = secret(&format!("brokers.{}.password", broker.name), password)?;
            Ok(Some((user.clone(), password)))
        }
        Some(Sasl::Token(_) | Sasl::Shared(_) | Sasl::Credentials(_) | Sasl::Nkey(_)) | None => Ok(None),
    }
}

/// The certificates of the authorities that the broker's TLS is trusted by, in PEM, where a file names them.
#[cfg(any(feature = "nats", feature = "rabbitmq"))]
pub(super) fn roots(broker: &BrokerPlan) -> Result<Option<String>, Error> {
    let Some(file) = broker.tls.iter().flatten().next() else { return Ok(None) };
    let (key, place) = (format!("brokers.{}.tls.roots", broker.name), file.path.display());
    let wrong = |why: String| Error::new(codes::CONFIG_VALUE, format!("`{key}`: {why}"));
    let pem = std::fs::read_to_string(&file.path).map_err(|e| wrong(format!("cannot read `{place}`: {e}")))?;
    Roots::only(pem.as_bytes()).map_err(|why| wrong(format!("`{place}`: {why}")))?;
    Ok(Some(pem))
}
