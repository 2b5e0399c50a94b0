//! AWS, as the configuration names it: how its queues are connected to, and its sinks. Secrets are read
//! here.

use std::sync::Arc;

use evenkeel_delivery::ports::Sink;
use evenkeel_transport::Queue;
use evenkeel_transport_aws::{Account, Identity, KeyFrom, SnsSink, SqsQueue, SqsSettings, SqsSink};

use super::login::{Connect, login};
use crate::config::brokers::{BrokerPlan, Home};
use crate::config::intakes::{IntakePlan, Origin};
use crate::error::Error;

fn account(broker: &BrokerPlan) -> Result<Account, Error> {
    let identity = match (login(broker)?, broker.aws.profile.clone()) {
        (Some((id, secret)), _) => Identity::Keys { id, secret },
        (None, Some(profile)) => Identity::Profile(profile),
        (None, None) => Identity::Found,
    };
    let region = Some(broker.address.clone()).filter(|region| !region.is_empty());
    Ok(Account { region, endpoint: broker.aws.endpoint.clone(), identity })
}

fn settings(plan: &IntakePlan) -> Result<SqsSettings, Error> {
    let Origin::Sqs(origin) = &plan.from else {
        return Err(super::failed(&"an intake from AWS names a queue"));
    };
    Ok(SqsSettings {
        declare: plan.declare,
        visibility: origin.visibility,
        key: origin.key_from_group.map(|group| if group { KeyFrom::Group } else { KeyFrom::Event }),
        unwrap: origin.unwrap,
        ..SqsSettings::new(&origin.queue)
    })
}

/// How a queue of SQS is connected to.
pub(super) fn queue(plan: &IntakePlan) -> Result<Connect, Error> {
    let (account, settings) = (account(&plan.broker)?, settings(plan)?);
    Ok(Box::new(move || {
        let (account, settings) = (account.clone(), settings.clone());
        Box::pin(async move { Ok(Arc::new(SqsQueue::open(&account, settings).await?) as Arc<dyn Queue>) })
    }))
}

/// What is found of a queue, a sentence a line. Nothing is made.
pub(super) async fn look(plan: &IntakePlan) -> Result<Vec<String>, Error> {
    let settings = settings(plan)?;
    let found = evenkeel_transport_aws::look(&account(&plan.broker)?, &settings.queue).await;
    match found.map_err(|e| super::failed(&e))? {
        Some(found) => Ok(found.in_words()),
        None if plan.declare => {
            Ok(vec![format!("queue `{}` is missing, and is made when the node starts", settings.queue)])
        }
        None => Err(super::failed(&format!(
            "SQS queue `{}` does not exist; create it, or set `topology: declare`",
            settings.queue
        ))),
    }
}

/// A sink to a queue or a topic: `aws://broker/sqs/queue`, `aws://broker/sns/topic`.
pub(super) fn sink(home: &Home) -> Result<Arc<dyn Sink>, Error> {
    let account = account(&home.broker)?;
    match home.topic.split_once('/') {
        Some(("sns", topic)) => Ok(Arc::new(SnsSink::new(account, topic))),
        Some((_, queue)) => Ok(Arc::new(SqsSink::new(account, queue))),
        None => Err(super::failed(&"an address at AWS names a service")),
    }
}
