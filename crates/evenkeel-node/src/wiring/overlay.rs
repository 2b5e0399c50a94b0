//! Subscriptions over a broker: their ports, made by the adapter that this binary was built with.

use std::sync::Arc;
use std::time::Duration;

use evenkeel::runtime::Opener;
use evenkeel_delivery::Pending;
use evenkeel_delivery::ports::{BoxFuture, Handler, Membership, Sink};
use evenkeel_log::Log;
use evenkeel_model::Clock;
use evenkeel_transport::dead::DeadLetter;
use evenkeel_transport::mirror::Copier;
use evenkeel_transport::story::Telling;

use super::stories::Unseen;
use crate::config::brokers::{BrokerKind, BrokerPlan, Home};
use crate::config::plan::SubscriptionPlan;
use crate::error::{Error, codes};

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
        BrokerKind::Nats | BrokerKind::RabbitMq | BrokerKind::Aws => Err(by_intake(&home.broker)),
    }
}

/// A sink into a topic of a broker. Opened when the first event is to go.
pub(crate) fn sink(home: &Home) -> Result<Arc<dyn Sink>, Error> {
    match home.broker.kind {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => super::kafka::sink(home),
        #[cfg(feature = "nats")]
        BrokerKind::Nats => super::queues::nats_sink(home),
        #[cfg(feature = "rabbitmq")]
        BrokerKind::RabbitMq => super::queues::rabbitmq_sink(home),
        #[cfg(feature = "aws")]
        BrokerKind::Aws => super::aws::sink(home),
        #[cfg(not(feature = "kafka"))]
        BrokerKind::Kafka => Err(absent(&home.broker)),
        #[cfg(not(feature = "nats"))]
        BrokerKind::Nats => Err(absent(&home.broker)),
        #[cfg(not(feature = "rabbitmq"))]
        BrokerKind::RabbitMq => Err(absent(&home.broker)),
        #[cfg(not(feature = "aws"))]
        BrokerKind::Aws => Err(absent(&home.broker)),
    }
}

/// What copies records into a topic of a broker, partition by partition.
pub(super) fn copier(home: &Home) -> Result<Arc<dyn Copier>, Error> {
    match home.broker.kind {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => super::kafka::copier(home),
        #[cfg(not(feature = "kafka"))]
        BrokerKind::Kafka => Err(absent(&home.broker)),
        // The configuration refuses it.
        BrokerKind::Nats | BrokerKind::RabbitMq | BrokerKind::Aws => Err(by_intake(&home.broker)),
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
        BrokerKind::Nats | BrokerKind::RabbitMq | BrokerKind::Aws => {
            Box::pin(std::future::ready(Err(by_intake(&home.broker))))
        }
    }
}

/// The dead letters of a subscription over a broker.
pub(super) fn letters<'a>(
    plan: &'a SubscriptionPlan,
    home: &'a Home,
    clock: &'a Arc<dyn Clock>,
    from: (u32, u64),
    see: &'a mut (dyn FnMut(DeadLetter) -> bool + Send),
) -> BoxFuture<'a, Result<(), Error>> {
    match home.broker.kind {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => Box::pin(super::kafka::letters(plan, home, clock, from, see)),
        #[cfg(not(feature = "kafka"))]
        BrokerKind::Kafka => {
            let _ = (plan, clock, from, see);
            Box::pin(std::future::ready(Err(absent(&home.broker))))
        }
        BrokerKind::Nats | BrokerKind::RabbitMq | BrokerKind::Aws => {
            Box::pin(std::future::ready(Err(by_intake(&home.broker))))
        }
    }
}

/// What subscriptions of one broker know of an event, and what was not looked at there.
pub(super) fn stories<'a>(
    plans: &'a [(SubscriptionPlan, Home)],
    clock: &'a Arc<dyn Clock>,
    telling: Telling,
    within: Duration,
) -> BoxFuture<'a, Result<(Telling, Vec<Unseen>), Error>> {
    #[cfg(feature = "kafka")]
    return Box::pin(super::kafka::stories(plans, clock, telling, within));
    #[cfg(not(feature = "kafka"))]
    {
        // No subscription over a broker runs in such a binary.
        let _ = (plans, clock, within);
        Box::pin(std::future::ready(Ok((telling, Vec::new()))))
    }
}

/// What of a partition waits durably, wherever its owner is.
pub(super) fn pending<'a>(
    plan: &'a SubscriptionPlan,
    home: &'a Home,
    clock: &'a Arc<dyn Clock>,
    partition: u32,
) -> BoxFuture<'a, Result<Vec<Pending>, Error>> {
    #[cfg(feature = "kafka")]
    return Box::pin(super::kafka::pending(plan, home, clock, partition));
    #[cfg(not(feature = "kafka"))]
    {
        let _ = (plan, clock, partition);
        Box::pin(std::future::ready(Err(absent(&home.broker))))
    }
}

/// The partition of a key in the topic that is read.
pub(super) fn partition_of<'a>(home: &'a Home, key: &'a [u8]) -> BoxFuture<'a, Result<Option<u32>, Error>> {
    #[cfg(feature = "kafka")]
    return Box::pin(super::kafka::partition_of(home, key));
    #[cfg(not(feature = "kafka"))]
    {
        let _ = key;
        Box::pin(std::future::ready(Err(absent(&home.broker))))
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
        // What comes in from these is asked for intake by intake.
        #[cfg(feature = "nats")]
        BrokerKind::Nats => Box::pin(super::queues::nats_look(broker)),
        #[cfg(feature = "rabbitmq")]
        BrokerKind::RabbitMq => Box::pin(super::queues::rabbitmq_look(broker)),
        #[cfg(not(feature = "nats"))]
        BrokerKind::Nats => Box::pin(std::future::ready(Err(absent(broker)))),
        #[cfg(not(feature = "rabbitmq"))]
        BrokerKind::RabbitMq => Box::pin(std::future::ready(Err(absent(broker)))),
        BrokerKind::Aws => Box::pin(std::future::ready(Ok(Vec::new()))),
    }
}

/// Nothing is read at a queue: its messages come into a topic of the node.
fn by_intake(broker: &BrokerPlan) -> Error {
    let why = format!("what is at broker `{}` comes in by an intake, into a topic of this node", broker.name);
    Error::new(codes::CONFIG_VALUE, why)
}

/// Nothing is read at that broker by this binary.
pub(super) fn not_read(broker: &BrokerPlan) -> Error {
    #[cfg(not(feature = "kafka"))]
    if broker.kind == BrokerKind::Kafka {
        return absent(broker);
    }
    by_intake(broker)
}

/// What this binary was built without.
#[cfg(not(all(feature = "kafka", feature = "nats", feature = "rabbitmq", feature = "aws")))]
pub(super) fn absent(broker: &BrokerPlan) -> Error {
    let (name, kind) = (&broker.name, broker.kind.name());
    let feature = kind.to_lowercase();
    Error::new(codes::CONFIG_VALUE, format!("`brokers.{name}.url`: this binary was built without {kind}")).hint(format!(
        "the released binary has all adapters; from source: `cargo build --release -p evenkeel-node --features {feature}` (or `full`)"
    ))
}
