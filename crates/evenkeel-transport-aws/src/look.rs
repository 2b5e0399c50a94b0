//! Looking at a queue before it is used, and making it where that is wanted.
//!
//! What AWS would do behind our back (a redrive policy, a short retention) is found here, and said.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use evenkeel_delivery::ports::PortError;
use serde::Deserialize;

use crate::account::Account;
use crate::trouble::Trouble;

/// With fewer deliveries than this a redrive policy takes messages that a node merely restarted under.
const DELIVERIES_FEW: u32 = 3;
/// As long as AWS keeps a message: of a queue that is made.
const RETENTION: &str = "1209600";

/// What a queue is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub url: String,
    /// It orders messages by group.
    pub fifo: bool,
    /// AWS moves what was given too often.
    pub redrive: Option<Redrive>,
    /// AWS deletes what is older.
    pub retention: Duration,
    /// The largest message.
    pub size_max: Option<usize>,
    /// It was made just now.
    pub made: bool,
}

/// A native redrive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// So often a message is given.
    pub deliveries_max: u32,
    /// Where it goes then.
    pub to: String,
}

impl Found {
    /// What an operator should know, a sentence a line.
    pub fn in_words(&self) -> Vec<String> {
        let name = self.url.rsplit('/').next().unwrap_or_default();
        let kind = match self.fifo {
            true => "FIFO: the messages of a group are given one behind the other, and its key is the group",
            false => "standard: messages come in about their order, and may come twice, which is known",
        };
        let there = if self.made { "was made" } else { "is there" };
        let mut lines = vec![format!("queue `{name}` {there}; {kind}")];
        match &self.redrive {
            Some(Redrive { deliveries_max, to }) => {
                lines.push(format!(
                    "its redrive policy moves what was given {deliveries_max} times to `{to}`; it decides nothing here: a message in \
                     its last delivery is deleted as soon as its copy is durable, and its retries and its end are Evenkeel's"
                ));
                if *deliveries_max < DELIVERIES_FEW {
                    lines.push(format!(
                        "with {deliveries_max} deliveries that is at once, or nearly so: a disk that is lost then takes what had no \
                         outcome; raise its `maxReceiveCount` to 10"
                    ));
                }
            }
            None => lines.push("it has no redrive policy, and needs none: dead letters are Evenkeel's".to_owned()),
        }
        if self.retention < Duration::from_secs(24 * 3600) && !self.retention.is_zero() {
            let hours = self.retention.as_secs() / 3600;
            lines.push(format!("AWS deletes what waited there for {hours} h: a node that is down for longer loses it; raise its `MessageRetentionPeriod`"));
        }
        lines
    }

    fn of(url: String, attributes: &HashMap<Name, String>) -> Found {
        let number = |name: &Name| attributes.get(name).and_then(|text| text.parse::<u64>().ok());
        Found {
            fifo: attributes.get(&Name::FifoQueue).is_some_and(|text| text == "true") || url.ends_with(".fifo"),
            redrive: attributes.get(&Name::RedrivePolicy).and_then(|text| policy(text)),
            retention: Duration::from_secs(number(&Name::MessageRetentionPeriod).unwrap_or_default()),
            size_max: number(&Name::MaximumMessageSize).and_then(|bytes| usize::try_from(bytes).ok()),
            made: false,
            url,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    dead_letter_target_arn: String,
    max_receive_count: Count,
}

/// AWS writes it in both ways.
#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u32),
    Text(String),
}

fn policy(text: &str) -> Option<Redrive> {
    let policy: Policy = serde_json::from_str(text).ok()?;
    let deliveries_max = match policy.max_receive_count {
        Count::Number(count) => count,
        Count::Text(text) => text.parse().ok()?,
    };
    Some(Redrive { deliveries_max, to: policy.dead_letter_target_arn })
}

/// A queue by name or URL, as it is now; `None` when it is missing.
pub async fn look(account: &Account, queue: &str) -> Result<Option<Found>, PortError> {
    let client = Client::new(&account.config().await?);
    let looking = async {
        match address(&client, queue).await? {
            Some(url) => Ok(Some(ask(&client, url).await?)),
            None => Ok(None),
        }
    };
    looking.await.map_err(|trouble: Trouble| PortError(format!("SQS queue `{queue}`: {trouble}")))
}

/// A queue to work with; made if it is missing and `declare` says so.
pub(crate) async fn find(client: &Client, queue: &str, declare: bool) -> Result<Found, Trouble> {
    let (url, made) = match address(client, queue).await? {
        Some(url) => (url, false),
        None if declare => (make(client, queue).await?, true),
        None => return Err(Trouble::said("QueueDoesNotExist", "create it, or set `topology: declare`")),
    };
    Ok(Found { made, ..ask(client, url).await? })
}

async fn address(client: &Client, queue: &str) -> Result<Option<String>, Trouble> {
    if queue.contains("://") {
        return Ok(Some(queue.to_owned()));
    }
    match client.get_queue_url().queue_name(queue).send().await.map_err(|e| Trouble::of(&e)) {
        Ok(found) => Ok(found.queue_url),
        Err(trouble) if trouble.is_missing() => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

async fn ask(client: &Client, url: String) -> Result<Found, Trouble> {
    let asked = client.get_queue_attributes().queue_url(&url).attribute_names(Name::All).send().await;
    let attributes = asked.map_err(|e| Trouble::of(&e))?.attributes.unwrap_or_default();
    Ok(Found::of(url, &attributes))
}

async fn make(client: &Client, name: &str) -> Result<String, Trouble> {
    let mut making = client.create_queue().queue_name(name).attributes(Name::MessageRetentionPeriod, RETENTION);
    if name.ends_with(".fifo") {
        making = making.attributes(Name::FifoQueue, "true");
    }
    let made = making.send().await.map_err(|e| Trouble::of(&e))?;
    Ok(made.queue_url.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use aws_sdk_sqs::types::QueueAttributeName as Name;

    use super::{Found, Redrive};

    #[test]
    fn a_redrive_policy_is_found_and_said() {
        for count in ["1", "\"1\""] {
            let policy = format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:x:1:dead","maxReceiveCount":{count}}}"#);
            let attributes = HashMap::from([
                (Name::RedrivePolicy, policy),
                (Name::MessageRetentionPeriod, "3600".to_owned()),
                (Name::MaximumMessageSize, "262144".to_owned()),
            ]);
            let found = Found::of("https://sqs/1/orders".to_owned(), &attributes);
            assert_eq!(found.redrive, Some(Redrive { deliveries_max: 1, to: "arn:aws:sqs:x:1:dead".to_owned() }));
            assert_eq!(
                (found.retention, found.size_max, found.fifo),
                (Duration::from_secs(3600), Some(262_144), false)
            );
            let words = found.in_words().join("\n");
            for told in
                ["given 1 times to `arn:aws:sqs:x:1:dead`", "raise its `maxReceiveCount`", "waited there for 1 h"]
            {
                assert!(words.contains(told), "{told}: {words}");
            }
        }
        let plain = Found::of("https://sqs/1/orders.fifo".to_owned(), &HashMap::new());
        assert!(plain.fifo && plain.in_words().join("\n").contains("no redrive policy"));
    }
}
