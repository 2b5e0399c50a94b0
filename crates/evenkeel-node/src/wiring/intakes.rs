//! What comes in from brokers: one intake for each that the file declares, running.
//!
//! A broker that can't be reached keeps nothing else from starting: its intake says so and goes on
//! trying. Each adapter is a feature of this crate; without it the configuration is refused.
//! Invariants: an intake takes nothing before every declared subscription of its topic has begun;
//! going down, it stops taking before the subscriptions drain, and settles after them.

use std::sync::Arc;

use evenkeel::runtime::SubscriptionHandle;
use evenkeel_delivery::ports::{Journal, Source};
use evenkeel_log::Log;
use evenkeel_model::Clock;
use evenkeel_transport::{Intake, IntakeSettings, IntakeView, LateQueue};

use crate::config::brokers::BrokerKind;
use crate::config::plan::{IntakePlan, Plan};
use crate::error::{Error, codes};
use crate::happenings::BrokerSilent;

/// All intakes of a node, by topic.
#[derive(Clone, Default)]
pub(crate) struct Intakes(Arc<[(IntakePlan, Arc<Intake>)]>);

impl Intakes {
    /// Opens what the plan declares; nothing is taken before [`Intakes::start`].
    pub(crate) fn open(plan: &Plan, log: &Log, clock: &Arc<dyn Clock>) -> Result<Intakes, Error> {
        let mut all = Vec::with_capacity(plan.intakes.len());
        for declared in &plan.intakes {
            let queue = Arc::new(late(declared)?);
            let settings = IntakeSettings {
                prefetch: usize::from(declared.prefetch),
                ..IntakeSettings::new(declared.topic.clone())
            };
            let intake = Intake::open(log.clone(), queue, settings, clock.clone()).map_err(|e| super::failed(&e))?;
            all.push((declared.clone(), intake));
        }
        Ok(Intakes(all.into()))
    }

    /// Takes in from now on.
    pub(crate) fn start(&self) {
        for (_, intake) in self.0.iter() {
            let intake = intake.clone();
            tokio::spawn(async move { intake.run().await });
        }
    }

    /// The ports of a subscription that reads this topic, so that the broker hears of its outcomes.
    pub(crate) fn reader(
        &self,
        topic: &str,
        subscription: &str,
        source: Arc<dyn Source>,
        journal: Arc<dyn Journal>,
    ) -> (Arc<dyn Source>, Arc<dyn Journal>) {
        match self.of(topic) {
            Some((_, intake)) => intake.reader(subscription, source, journal),
            None => (source, journal),
        }
    }

    /// As many messages of this topic are held as that subscription can soon do something with, where the broker lends
    /// what it is asked for. (RabbitMQ sends its prefetch unasked, and Kafka lends to nobody: docs/why/queues.md.)
    pub(crate) fn follow(&self, topic: &str, handle: &SubscriptionHandle) {
        if let Some((plan, intake)) = self.of(topic)
            && matches!(plan.broker.kind, BrokerKind::Nats | BrokerKind::Aws)
        {
            intake.follow(handle.name(), Arc::new(handle.concurrency()));
        }
    }

    /// A subscription is gone: it owes no outcome any more.
    pub(crate) fn forget(&self, topic: &str, subscription: &str) {
        self.of(topic).iter().for_each(|(_, intake)| intake.forget(subscription));
    }

    /// How the intake of that topic is, and what it was made from.
    pub(crate) fn view(&self, topic: &str) -> Option<(IntakePlan, IntakeView)> {
        self.of(topic).map(|(plan, intake)| (plan.clone(), intake.view()))
    }

    /// All of them, as they are now.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&IntakePlan, IntakeView)> {
        self.0.iter().map(|(plan, intake)| (plan, intake.view()))
    }

    /// What the file declares.
    pub(crate) fn plans(&self) -> impl Iterator<Item = &IntakePlan> {
        self.0.iter().map(|(plan, _)| plan)
    }

    fn of(&self, topic: &str) -> Option<&(IntakePlan, Arc<Intake>)> {
        self.0.iter().find(|(plan, _)| *plan.topic == *topic)
    }

    /// Nothing more is taken.
    pub(crate) fn drain(&self) {
        self.0.iter().for_each(|(_, intake)| intake.drain());
    }

    /// After the subscriptions have drained: what has its outcome is settled, the rest given back.
    pub(crate) async fn finish(&self) {
        for (plan, intake) in self.0.iter() {
            if tokio::time::timeout(FINISH, intake.finish()).await.is_err() {
                BrokerSilent { topic: plan.topic.to_string() }.tell();
            }
        }
    }
}

/// How long a broker may take at the end.
const FINISH: std::time::Duration = std::time::Duration::from_secs(5);

/// Whether the broker can be reached and has what is to come in, or may be given it: what was found, a
/// sentence a line.
pub(crate) async fn verify(plan: &IntakePlan) -> Result<Vec<String>, Error> {
    #[cfg(feature = "aws")]
    if plan.broker.kind == BrokerKind::Aws {
        return super::aws::look(plan).await;
    }
    late(plan)?.connect().await.map_err(|e| Error::new(codes::BROKER, e.to_string()).exit(3))?;
    Ok(Vec::new())
}

fn late(plan: &IntakePlan) -> Result<LateQueue, Error> {
    match plan.broker.kind {
        #[cfg(feature = "nats")]
        BrokerKind::Nats => Ok(LateQueue::new(super::queues::nats(plan)?)),
        #[cfg(not(feature = "nats"))]
        BrokerKind::Nats => Err(super::overlay::absent(&plan.broker)),
        #[cfg(feature = "rabbitmq")]
        BrokerKind::RabbitMq => Ok(LateQueue::new(super::queues::rabbitmq(plan)?)),
        #[cfg(not(feature = "rabbitmq"))]
        BrokerKind::RabbitMq => Err(super::overlay::absent(&plan.broker)),
        #[cfg(feature = "aws")]
        BrokerKind::Aws => Ok(LateQueue::new(super::aws::queue(plan)?)),
        #[cfg(not(feature = "aws"))]
        BrokerKind::Aws => Err(super::overlay::absent(&plan.broker)),
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => Ok(LateQueue::new(super::kafka::queue(plan)?)),
        #[cfg(not(feature = "kafka"))]
        BrokerKind::Kafka => Err(super::overlay::absent(&plan.broker)),
    }
}
