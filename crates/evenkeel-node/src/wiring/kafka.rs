//! Subscriptions over Kafka.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel::runtime::{Opener, SubscriptionSpec};
use evenkeel_delivery::Pending;
use evenkeel_delivery::ports::{BoxFuture, Membership, Outgoing, Placed, PortError, Sink, SinkError, Unsent};
use evenkeel_log::{Log, Set};
use evenkeel_model::{Clock, Outcome, Record, Shard, names, partition_for_key};
use evenkeel_transport::audit::SubscriptionAudit;
use evenkeel_transport::dead::DeadLetter;
use evenkeel_transport::mirror::Copier;
use evenkeel_transport::story::Telling;
use evenkeel_transport::{From as Begins, Queue, SourceSettings};
use evenkeel_transport_kafka::{
    Broker, BrokerSettings, Flavour, GroupProtocol, KafkaQueue, KafkaSink, Mechanism, Member, MemberSettings, Names,
    Partition, PartitionSettings, QueueSettings, Secret, Security, Stretch, Wanted,
};
use tokio::sync::{Mutex, OnceCell};

use super::failed;
use super::login::Connect;
use super::overlay::Hands;
use super::stories::{Unseen, UnseenPart};
use crate::config::brokers::{BrokerPlan, Home, Sasl, secret};
use crate::config::intakes::{IntakePlan, Origin};
use crate::config::plan::{From, SubscriptionPlan};
use crate::error::{Error, codes};
use crate::happenings::NotCounted;

pub(super) fn shared(
    plan: &SubscriptionPlan,
    home: &Home,
    hands: Hands,
    log: &Log,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<dyn Membership>, Opener), Error> {
    let broker = broker(&home.broker)?;
    let settings = PartitionSettings { outcomes: Some(told(log, clock, &plan.name)), ..settings(plan, home) };
    let member = MemberSettings {
        group: settings.names.group.clone(),
        topic: home.topic.clone(),
        journal: settings.names.journal.clone(),
        protocol: protocol(&home.broker),
        session: home.broker.session,
    };
    let member = Member::join(&broker, &member).map_err(|e| failed(&e))?;
    let wanted = Arc::new(wanted(plan, home, &settings));
    let creates = home.broker.create_topics;
    let (name, uid, clock) = (plan.name.clone(), plan.uid.clone(), clock.clone());
    let ready: Arc<OnceCell<()>> = Arc::default();
    let open = move |partition| -> BoxFuture<'static, Result<SubscriptionSpec, PortError>> {
        let (broker, settings, wanted, ready) = (broker.clone(), settings.clone(), wanted.clone(), ready.clone());
        let (name, uid, clock, hands) = (name.clone(), uid.clone(), clock.clone(), hands.clone());
        Box::pin(async move {
            ready.get_or_try_init(|| beside(&broker, &wanted, creates)).await?;
            let Partition { source, journal, fence, fits } =
                Partition::open(&broker, &settings, partition, clock).await?;
            let Hands { policy, handler, fallback } = hands;
            let handler = fits.map_or(handler.clone(), |fits| fits.guard(handler));
            Ok(SubscriptionSpec { name, uid, policy, source, journal, handler, fallback, fence })
        })
    };
    Ok((Arc::new(member), Arc::new(open)))
}

/// The topics beside the source are there.
async fn beside(broker: &Broker, wanted: &Wanted, creates: bool) -> Result<(), PortError> {
    if creates {
        return broker.make(wanted).await.map(drop);
    }
    match broker.find(wanted).await?.missing.first() {
        None => Ok(()),
        Some(topic) => Err(PortError(format!(
            "topic `{topic}` does not exist at broker `{}`, or has too few partitions, and `create_topics` is false",
            broker.name()
        ))),
    }
}

/// What this node journals at the broker it tells its own ledger too, from which it counts.
fn told(log: &Log, clock: &Arc<dyn Clock>, name: &Arc<str>) -> Arc<dyn Fn(Bytes) + Send + Sync> {
    let (log, clock, name) = (log.clone(), clock.clone(), name.clone());
    Arc::new(move |value| {
        let key = Some(Bytes::copy_from_slice(name.as_bytes()));
        let record = Record { key, value: Some(value), headers: Vec::new(), created: clock.now() };
        let (log, set) = (log.clone(), Set::of(Shard::new(names::LEDGER_TOPIC, 0), vec![record]));
        tokio::spawn(async move {
            if let Err(problem) = log.append(set).await {
                NotCounted { problem: problem.to_string() }.tell();
            }
        });
    })
}

/// How the broker is spoken to; its secrets are read here.
pub(super) fn broker(plan: &BrokerPlan) -> Result<Broker, Error> {
    let ca = plan.tls.clone().flatten().map(|file| file.path);
    let security = match (&plan.sasl, plan.tls.is_some()) {
        (None, false) => Security::Plaintext,
        (None, true) => Security::Tls { ca },
        (Some(sasl), tls) => Security::Sasl { mechanism: mechanism(plan, sasl)?, tls, ca },
    };
    Ok(Broker::new(BrokerSettings {
        name: plan.name.clone(),
        bootstrap: plan.address.clone(),
        security,
        flavour: if plan.event_hubs { Flavour::EventHubs } else { Flavour::Kafka },
        properties: plan.properties.clone(),
    }))
}

fn mechanism(plan: &BrokerPlan, sasl: &Sasl) -> Result<Mechanism, Error> {
    Ok(match sasl {
        Sasl::Token(file) => Mechanism::OauthBearer(file.path.clone()),
        Sasl::Shared(_) | Sasl::Credentials(_) | Sasl::Nkey(_) => return Err(failed(&"that is for NATS alone")),
        Sasl::Password { mechanism, user, password } => {
            let password = Secret::new(secret(&format!("brokers.{}.password", plan.name), password)?);
            let user = user.clone();
            match *mechanism {
                "scram-sha-256" => Mechanism::ScramSha256(user, password),
                "scram-sha-512" => Mechanism::ScramSha512(user, password),
                _ => Mechanism::Plain(user, password),
            }
        }
    })
}

fn settings(plan: &SubscriptionPlan, home: &Home) -> PartitionSettings {
    let source = SourceSettings {
        uid: plan.uid.clone(),
        filter: plan.filter.clone(),
        identity: plan.identity.clone(),
        sequence: plan.sequence.clone(),
        from: match &plan.from {
            From::Earliest => Begins::Earliest,
            From::Default | From::Latest => Begins::Latest,
            From::Time(at) => Begins::Time(*at),
            From::Offset(offset) => Begins::Offset(*offset),
            From::Offsets(offsets) => Begins::Offsets(offsets.clone()),
        },
        ..SourceSettings::new(plan.name.clone(), home.topic.clone())
    };
    PartitionSettings {
        inbox: plan.policy.inbox,
        effects: plan.effects_topic.as_deref().map(|address| Arc::from(last(address))),
        ..PartitionSettings::new(source)
    }
}

/// The topic of an address.
fn last(address: &str) -> &str {
    address.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or(address, |(_, topic)| topic)
}

fn wanted(plan: &SubscriptionPlan, home: &Home, settings: &PartitionSettings) -> Wanted {
    Wanted {
        names: Names::of(&plan.name),
        topic: home.topic.clone(),
        inbox: plan.policy.inbox,
        outward: settings.effects.iter().cloned().collect(),
    }
}

/// Opens when the first event goes, so that a broker that is away keeps nothing from starting.
struct Late {
    broker: Broker,
    topic: Arc<str>,
    sink: OnceCell<KafkaSink>,
    failures: AtomicU64,
    /// Held by who opens it: why that failed last.
    failed: Mutex<Option<SinkError>>,
}

impl Late {
    fn of(home: &Home) -> Result<Late, Error> {
        Ok(Late {
            broker: broker(&home.broker)?,
            topic: home.topic.clone(),
            sink: OnceCell::new(),
            failures: AtomicU64::new(0),
            failed: Mutex::new(None),
        })
    }

    /// To find out that a broker is away takes a while: all that wait meanwhile are told, and do not try one by one.
    async fn opened(&self) -> Result<&KafkaSink, SinkError> {
        if let Some(sink) = self.sink.get() {
            return Ok(sink);
        }
        let before = self.failures.load(Ordering::SeqCst);
        let mut failed = self.failed.lock().await;
        if let Some(error) = failed.as_ref().filter(|_| self.failures.load(Ordering::SeqCst) > before) {
            return Err(error.clone());
        }
        let opened = self.sink.get_or_try_init(|| KafkaSink::open(&self.broker, self.topic.clone())).await;
        opened.map_err(|PortError(message)| {
            let denied = message.contains("does not exist") || message.contains("authentication");
            let error = SinkError { unsent: if denied { Unsent::Denied } else { Unsent::Unreachable }, message };
            self.failures.fetch_add(1, Ordering::SeqCst);
            failed.insert(error).clone()
        })
    }
}

impl Sink for Late {
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        Box::pin(async move {
            match self.opened().await {
                Ok(sink) => sink.publish(events).await,
                Err(error) => vec![Err(error); events.len()],
            }
        })
    }
}

impl Copier for Late {
    fn copy(&self, records: Vec<(u32, Record)>) -> BoxFuture<'_, Vec<Result<u64, SinkError>>> {
        Box::pin(async move {
            match self.opened().await {
                Ok(sink) => sink.copy(records).await,
                Err(error) => vec![Err(error); records.len()],
            }
        })
    }
}

pub(super) fn sink(home: &Home) -> Result<Arc<dyn Sink>, Error> {
    Ok(Arc::new(Late::of(home)?))
}

pub(super) fn copier(home: &Home) -> Result<Arc<dyn Copier>, Error> {
    Ok(Arc::new(Late::of(home)?))
}

pub(super) async fn audit(
    plan: &SubscriptionPlan,
    home: &Home,
    clock: &Arc<dyn Clock>,
) -> Result<SubscriptionAudit, Error> {
    let broker = broker(&home.broker)?;
    let settings = settings(plan, home);
    let parts = evenkeel_transport_kafka::audit(&broker, &settings, clock.clone());
    let mut whole = SubscriptionAudit { name: plan.name.clone(), ..SubscriptionAudit::default() };
    for part in parts.await.map_err(|e| failed(&e))? {
        let count = |outcome| part.outcomes.get(&outcome).copied().unwrap_or(0);
        whole.appended += part.appended;
        whole.completed += count(Outcome::Completed);
        whole.duplicate += count(Outcome::Duplicate);
        whole.stale += count(Outcome::Stale);
        whole.filtered += count(Outcome::Filtered);
        whole.dead += count(Outcome::Dead);
        whole.dropped += count(Outcome::Dropped);
        whole.expired += count(Outcome::Expired);
        whole.not_an_event += count(Outcome::NotAnEvent);
        whole.parked += part.parked;
        whole.unread += part.unread;
        if !part.twice.is_empty() {
            whole.problems.push(format!("partition {}: offsets with two outcomes: {:?}", part.partition, part.twice));
        }
        if !part.adds_up() {
            whole.problems.push(format!("partition {}: its sums do not add up", part.partition));
        }
    }
    Ok(whole)
}

pub(super) async fn letters(
    plan: &SubscriptionPlan,
    home: &Home,
    clock: &Arc<dyn Clock>,
    from: (u32, u64),
    see: &mut (dyn FnMut(DeadLetter) -> bool + Send),
) -> Result<(), Error> {
    let broker = broker(&home.broker)?;
    evenkeel_transport_kafka::letters(&broker, &Names::of(&plan.name), clock, from, see).await.map_err(|e| failed(&e))
}

/// What subscriptions of one broker know of an event, and what was not looked at there.
pub(super) async fn stories(
    plans: &[(SubscriptionPlan, Home)],
    clock: &Arc<dyn Clock>,
    telling: Telling,
    within: Duration,
) -> Result<(Telling, Vec<Unseen>), Error> {
    let Some((_, home)) = plans.first() else { return Ok((telling, Vec::new())) };
    let (broker, name) = (broker(&home.broker)?, home.broker.name.clone());
    let all = plans.iter().map(|(plan, home)| settings(plan, home)).collect();
    let address = move |topic: &str| Arc::from(format!("kafka://{name}/{topic}"));
    let told = evenkeel_transport_kafka::stories(&broker, all, clock.clone(), address.clone(), telling, within);
    let (telling, unseen) = told.await.map_err(|e| failed(&e))?;
    let ledger_of = |topic: &str| plans.iter().find(|(plan, _)| *Names::of(&plan.name).ledger == *topic);
    let unseen = unseen.into_iter().map(|of| {
        let (from, below) = match of.stretch {
            Stretch::From(from) => (Some(from), None),
            Stretch::Below(below) => (None, Some(below)),
        };
        Unseen {
            place: address(&of.topic),
            part: Some(UnseenPart { partition: of.partition, from, below }),
            outcomes_of: ledger_of(&of.topic).map(|(plan, _)| plan.name.clone()),
            why: "there was no time for it".to_owned(),
        }
    });
    Ok((telling, unseen.collect()))
}

/// What of a partition waits durably, wherever its owner is.
pub(super) async fn pending(
    plan: &SubscriptionPlan,
    home: &Home,
    clock: &Arc<dyn Clock>,
    partition: u32,
) -> Result<Vec<Pending>, Error> {
    let broker = broker(&home.broker)?;
    evenkeel_transport_kafka::pending(&broker, &settings(plan, home), clock, partition).await.map_err(|e| failed(&e))
}

/// The partition of a key in the topic that is read, as Kafka's producers have it.
pub(super) async fn partition_of(home: &Home, key: &[u8]) -> Result<Option<u32>, Error> {
    let partitions = broker(&home.broker)?.partitions(&home.topic).await.map_err(|e| failed(&e))?;
    Ok(partitions.map(|count| partition_for_key(key, count)))
}

fn protocol(plan: &BrokerPlan) -> GroupProtocol {
    if plan.broker_groups { GroupProtocol::Consumer } else { GroupProtocol::Classic }
}

/// How a topic is taken in, where the node's own log is the journal.
pub(super) fn queue(plan: &IntakePlan) -> Result<Connect, Error> {
    let Origin::Topic { topic, group, latest } = &plan.from else {
        return Err(failed(&"an intake from Kafka names a topic"));
    };
    let broker = broker(&plan.broker)?;
    let settings = QueueSettings {
        latest: *latest,
        protocol: protocol(&plan.broker),
        session: plan.broker.session,
        ..QueueSettings::new(topic.as_str(), group)
    };
    Ok(Box::new(move || {
        let (broker, settings) = (broker.clone(), settings.clone());
        Box::pin(async move { Ok(Arc::new(KafkaQueue::open(&broker, settings).await?) as Arc<dyn Queue>) })
    }))
}

pub(super) async fn connect(plan: &BrokerPlan, subscriptions: &[SubscriptionPlan]) -> Result<Vec<String>, Error> {
    let broker = broker(plan)?;
    let mut lines = Vec::new();
    let mine = subscriptions.iter().filter_map(|s| Some((s, s.home.as_ref().filter(|h| h.broker.name == plan.name)?)));
    for (subscription, home) in mine {
        let settings = settings(subscription, home);
        let wanted = wanted(subscription, home, &settings);
        let refused = |e: PortError| Error::new(codes::CONFIG_VALUE, e.to_string()).exit(3);
        let found = broker.examine(&wanted, plan.create_topics).await.map_err(refused)?;
        let name = &subscription.name;
        let wrong: Vec<&str> = found.iter().filter(|f| !f.fine).map(|f| &*f.said).collect();
        if !wrong.is_empty() {
            let said = format!("subscription `{name}` at broker `{}`: {}", plan.name, wrong.join("; "));
            return Err(Error::new(codes::CONFIG_VALUE, said).exit(3));
        }
        lines.extend(found.iter().map(|f| format!("{name}: {}", f.said)));
    }
    if lines.is_empty() {
        let any = broker
            .partitions("evenkeel.probe")
            .await
            .map_err(|e| Error::new(codes::CONFIG_VALUE, e.to_string()).exit(3))?;
        let _ = any;
        lines.push(format!("broker `{}` answers; no subscription reads there.", plan.name));
    }
    Ok(lines)
}
