//! The brokers that have queues, as the configuration names them: how their queues are connected to,
//! and their sinks. Secrets are read here.

use std::sync::Arc;

use evenkeel_delivery::ports::{PortError, Sink};
use evenkeel_transport::Queue;

use super::login::{Connect, login, roots};
use crate::config::brokers::{BrokerPlan, Home};
#[cfg(feature = "nats")]
use crate::config::brokers::{Sasl, secret};
use crate::config::intakes::{IntakePlan, Origin};
use crate::error::{Error, codes};

#[cfg(feature = "nats")]
fn nats_server(broker: &BrokerPlan) -> Result<evenkeel_transport_nats::Server, Error> {
    use evenkeel_transport_nats::{Auth, Server};

    let scheme = if broker.tls.is_some() { "tls" } else { "nats" };
    let hosts: Vec<String> = broker.address.split(',').map(|host| format!("{scheme}://{host}")).collect();
    let read = |what: &str, from| secret(&format!("brokers.{}.{what}", broker.name), from);
    let auth = match &broker.sasl {
        Some(Sasl::Shared(token)) => Auth::Token(read("token", token)?),
        Some(Sasl::Credentials(file)) => Auth::Credentials(read("credentials", file)?),
        Some(Sasl::Nkey(seed)) => Auth::Nkey(read("nkey", seed)?),
        _ => login(broker)?.map_or(Auth::None, |(name, password)| Auth::User { name, password }),
    };
    // The client reads the file itself, and says less of what is wrong with it.
    roots(broker)?;
    let roots = broker.tls.iter().flatten().map(|file| file.path.clone()).collect();
    Ok(Server { url: hosts.join(","), auth, roots })
}

/// Whether it lets us in.
#[cfg(feature = "nats")]
pub(super) async fn nats_look(broker: &BrokerPlan) -> Result<Vec<String>, Error> {
    let connected = evenkeel_transport_nats::connect(&nats_server(broker)?).await;
    connected.map(|_| vec![answers(broker)]).map_err(|none| refused(broker, &none.error))
}

/// Whether it lets us in.
#[cfg(feature = "rabbitmq")]
pub(super) async fn rabbitmq_look(broker: &BrokerPlan) -> Result<Vec<String>, Error> {
    let checked = evenkeel_transport_rabbitmq::check(&rabbitmq_server(broker)?).await;
    checked.map(|()| vec![answers(broker)]).map_err(|none| refused(broker, &none.error))
}

/// A broker that did not let us in, as its adapter says it.
fn refused(broker: &BrokerPlan, error: &PortError) -> Error {
    Error::new(codes::BROKER, named(&broker.name, error).0).exit(3)
}

fn answers(broker: &BrokerPlan) -> String {
    let line = if broker.tls.is_some() { ", over TLS" } else { "" };
    let who = if broker.sasl.is_some() { ", and takes these credentials" } else { "" };
    format!("Broker {}: {} at {} answers{line}{who}.", broker.name, broker.kind.name(), broker.address)
}

/// What its adapter says, with the broker's name before it.
fn named(broker: &str, error: &PortError) -> PortError {
    PortError(format!("broker `{broker}`: {error}"))
}

/// How a stream's consumer is connected to.
#[cfg(feature = "nats")]
pub(super) fn nats(plan: &IntakePlan) -> Result<Connect, Error> {
    use evenkeel_transport_nats::{Begin, ConsumerSettings, JetStreamQueue, KeyFrom, connect};

    let Origin::Stream { stream, consumer, subject, latest, key_from_subject } = &plan.from else {
        return Err(super::failed(&"an intake from NATS names a stream"));
    };
    let (server, broker) = (nats_server(&plan.broker)?, plan.broker.name.clone());
    let settings = ConsumerSettings {
        subject: subject.clone(),
        begin: if *latest { Begin::Latest } else { Begin::Earliest },
        declare: plan.declare,
        key: key_from_subject.map(|subject| if subject { KeyFrom::Subject } else { KeyFrom::Nothing }),
        lent_max: usize::from(plan.prefetch).saturating_mul(4),
        ..ConsumerSettings::new(stream, consumer)
    };
    Ok(Box::new(move || {
        let (server, settings, broker) = (server.clone(), settings.clone(), broker.clone());
        Box::pin(async move {
            let open = async { JetStreamQueue::open(connect(&server).await?, &settings).await };
            let queue = open.await.map_err(|e: PortError| named(&broker, &e))?;
            Ok(Arc::new(queue) as Arc<dyn Queue>)
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
    let scheme = if broker.tls.is_some() { "amqps" } else { "amqp" };
    let roots = roots(broker)?;
    let login = login(broker)?;
    let login = login.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
    let url = format!("{scheme}://{}", broker.address);
    Ok(evenkeel_transport_rabbitmq::Server::new(&url, login, roots).with_vhost(&broker.vhost))
}

/// How a queue of RabbitMQ is connected to.
#[cfg(feature = "rabbitmq")]
pub(super) fn rabbitmq(plan: &IntakePlan) -> Result<Connect, Error> {
    use evenkeel_transport_rabbitmq::{Declare, QueueSettings, RabbitQueue};

    let Origin::Queue { queue, key_from_routing, delivery_limit } = &plan.from else {
        return Err(super::failed(&"an intake from RabbitMQ names a queue"));
    };
    let (server, broker) = (rabbitmq_server(&plan.broker)?, plan.broker.name.clone());
    let settings = QueueSettings {
        declare: plan.declare.then(Declare::default),
        prefetch: plan.prefetch,
        key_from_routing: *key_from_routing,
        delivery_limit: *delivery_limit,
        ..QueueSettings::new(queue)
    };
    Ok(Box::new(move || {
        let (server, settings, broker) = (server.clone(), settings.clone(), broker.clone());
        Box::pin(async move {
            let queue = RabbitQueue::open(server, settings).await.map_err(|e| named(&broker, &e))?;
            Ok(Arc::new(queue) as Arc<dyn Queue>)
        })
    }))
}

/// A sink to RabbitMQ: `amqp://broker/queue`, or `amqp://broker/exchange/routing-key`.
#[cfg(feature = "rabbitmq")]
pub(super) fn rabbitmq_sink(home: &Home) -> Result<Arc<dyn Sink>, Error> {
    let (exchange, routing_key) = home.topic.split_once('/').unwrap_or(("", &home.topic));
    let server = rabbitmq_server(&home.broker)?;
    Ok(Arc::new(evenkeel_transport_rabbitmq::RabbitSink::new(server, exchange, routing_key)))
}
