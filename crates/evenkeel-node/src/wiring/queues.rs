//! The brokers that have queues, as the configuration names them: how their queues are connected to,
//! and their sinks. Secrets are read here.

use std::sync::Arc;

use evenkeel_delivery::ports::Sink;
use evenkeel_transport::Queue;

use super::login::{Connect, login};
use crate::config::brokers::{BrokerPlan, Home};
use crate::config::intakes::{IntakePlan, Origin};
use crate::error::Error;

#[cfg(feature = "nats")]
fn nats_server(broker: &BrokerPlan) -> Result<evenkeel_transport_nats::Server, Error> {
    use evenkeel_transport_nats::{Auth, Server};

    let scheme = if broker.tls.is_some() { "tls" } else { "nats" };
    let hosts: Vec<String> = broker.address.split(',').map(|host| format!("{scheme}://{host}")).collect();
    let auth = login(broker)?.map_or(Auth::None, |(name, password)| Auth::User { name, password });
    let roots = broker.tls.iter().flatten().map(|file| file.path.clone()).collect();
    Ok(Server { url: hosts.join(","), auth, roots })
}

/// How a stream's consumer is connected to.
#[cfg(feature = "nats")]
pub(super) fn nats(plan: &IntakePlan) -> Result<Connect, Error> {
    use evenkeel_transport_nats::{Begin, ConsumerSettings, JetStreamQueue, KeyFrom, connect};

    let Origin::Stream { stream, consumer, subject, latest, key_from_subject } = &plan.from else {
        return Err(super::failed(&"an intake from NATS names a stream"));
    };
    let server = nats_server(&plan.broker)?;
    let settings = ConsumerSettings {
        subject: subject.clone(),
        begin: if *latest { Begin::Latest } else { Begin::Earliest },
        declare: plan.declare,
        key: key_from_subject.map(|subject| if subject { KeyFrom::Subject } else { KeyFrom::Nothing }),
        lent_max: usize::from(plan.prefetch).saturating_mul(4),
        ..ConsumerSettings::new(stream, consumer)
    };
    Ok(Box::new(move || {
        let (server, settings) = (server.clone(), settings.clone());
        Box::pin(async move {
            let client = connect(&server).await?;
            Ok(Arc::new(JetStreamQueue::open(client, &settings).await?) as Arc<dyn Queue>)
        })
    }))
}

/// A sink to a subject of NATS.
#[cfg(feature = "nats")]
pub(super) fn nats_sink(home: &Home) -> Result<Arc<dyn Sink>, Error> {
    Ok(Arc::new(evenkeel_transport_nats::LateSink::new(nats_server(&home.broker)?, &*home.topic)))
}

#[cfg(feature = "rabbitmq")]
fn rabbitmq_server(broker: &BrokerPlan) -> Result<evenkeel_transport_rabbitmq::Server, Error> {
    use crate::error::codes;

    let scheme = if broker.tls.is_some() { "amqps" } else { "amqp" };
    let roots = match broker.tls.iter().flatten().next() {
        None => None,
        Some(file) => Some(std::fs::read_to_string(&file.path).map_err(|e| {
            let why = format!("`brokers.{}.tls.roots`: cannot read `{}`: {e}", broker.name, file.path.display());
            Error::new(codes::CONFIG_VALUE, why)
        })?),
    };
    let login = login(broker)?;
    let login = login.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
    let url = format!("{scheme}://{}/%2f", broker.address);
    Ok(evenkeel_transport_rabbitmq::Server::new(&url, login, roots))
}

/// How a queue of RabbitMQ is connected to.
#[cfg(feature = "rabbitmq")]
pub(super) fn rabbitmq(plan: &IntakePlan) -> Result<Connect, Error> {
    use evenkeel_transport_rabbitmq::{Declare, QueueSettings, RabbitQueue};

    let Origin::Queue { queue, key_from_routing, delivery_limit } = &plan.from else {
        return Err(super::failed(&"an intake from RabbitMQ names a queue"));
    };
    let server = rabbitmq_server(&plan.broker)?;
    let settings = QueueSettings {
        declare: plan.declare.then(Declare::default),
        prefetch: plan.prefetch,
        key_from_routing: *key_from_routing,
        delivery_limit: *delivery_limit,
        ..QueueSettings::new(queue)
    };
    Ok(Box::new(move || {
        let (server, settings) = (server.clone(), settings.clone());
        Box::pin(async move { Ok(Arc::new(RabbitQueue::open(server, settings).await?) as Arc<dyn Queue>) })
    }))
}

/// A sink to RabbitMQ: `amqp://broker/queue`, or `amqp://broker/exchange/routing-key`.
#[cfg(feature = "rabbitmq")]
pub(super) fn rabbitmq_sink(home: &Home) -> Result<Arc<dyn Sink>, Error> {
    let (exchange, routing_key) = home.topic.split_once('/').unwrap_or(("", &home.topic));
    let server = rabbitmq_server(&home.broker)?;
    Ok(Arc::new(evenkeel_transport_rabbitmq::RabbitSink::new(server, exchange, routing_key)))
}
