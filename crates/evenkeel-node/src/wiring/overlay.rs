//! Subscriptions over a broker: their ports, made by the adapter that this binary was built with.

use std::sync::Arc;

use evenkeel::runtime::Opener;
use evenkeel_delivery::ports::{BoxFuture, Handler, Membership, Sink};
use evenkeel_log::Log;
use evenkeel_model::Clock;

use crate::config::brokers::{BrokerKind, BrokerPlan, Home};
use crate::config::plan::SubscriptionPlan;
use crate::error::Error;
#[cfg(not(feature = "kafka"))]
use crate::error::codes;

/// What runs a partition of a subscription, beside its ports.
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "adapters read it, and none is built in"))]
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) policy: evenkeel_delivery::Policy,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) fallback: Option<evenkeel::runtime::FallbackTo>,
}

/// This node's part in the group of a subscription, and how a partition of it is opened.
pub(super) fn shared(
    plan: &SubscriptionPlan,
    home: &Home,
    hands: Hands,
    log: &Log,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<dyn Membership>, Opener), Error> {
    match home.broker.kind {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => super::kafka::shared(plan, home, hands, log, clock),
        #[cfg(not(feature = "kafka"))]
        BrokerKind::Kafka => {
            let _ = (plan, hands, log, clock);
            Err(absent(&home.broker))
        }
    }
}

/// A sink into a topic of a broker. Opened when the first event is to go.
pub(super) fn sink(home: &Home) -> Result<Arc<dyn Sink>, Error> {
    match home.broker.kind {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => super::kafka::sink(home),
        #[cfg(not(feature = "kafka"))]
        BrokerKind::Kafka => Err(absent(&home.broker)),
    }
}

/// The account of a subscription over a broker, from the broker alone.
pub(super) fn audit<'a>(
    plan: &'a SubscriptionPlan,
    home: &'a Home,
    clock: &'a Arc<dyn Clock>,
) -> BoxFuture<'a, Result<evenkeel_transport::audit::SubscriptionAudit, Error>> {
    match home.broker.kind {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => Box::pin(super::kafka::audit(plan, home, clock)),
        #[cfg(not(feature = "kafka"))]
        BrokerKind::Kafka => {
            let _ = (plan, clock);
            Box::pin(std::future::ready(Err(absent(&home.broker))))
        }
    }
}

/// What is found at a broker, a sentence a line, for subscriptions that read there.
pub(crate) fn connect<'a>(
    broker: &'a BrokerPlan,
    subscriptions: &'a [SubscriptionPlan],
) -> BoxFuture<'a, Result<Vec<String>, Error>> {
    match broker.kind {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => Box::pin(super::kafka::connect(broker, subscriptions)),
        #[cfg(not(feature = "kafka"))]
        BrokerKind::Kafka => {
            let _ = subscriptions;
            Box::pin(std::future::ready(Err(absent(broker))))
        }
    }
}

#[cfg(not(feature = "kafka"))]
fn absent(broker: &BrokerPlan) -> Error {
    let (name, scheme) = (&broker.name, broker.kind.scheme());
    Error::new(codes::CONFIG_VALUE, format!("`brokers.{name}.url`: this binary was built without {scheme}")).hint(format!(
        "the released binary has all adapters; from source: `cargo build --release -p evenkeel-node --features {scheme}` (or `full`)"
    ))
}
