//! A queue of a test's own, behind a proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use evenkeel_delivery::ports::{BoxFuture, Capabilities, PortError, Redelivery, Sink};
use evenkeel_model::Record;
use evenkeel_transport::Queue;
use evenkeel_transport::contract::Mistake;
use evenkeel_transport::contract::intaken::{Connecting, Site};
use evenkeel_transport::contract::proxy::Proxy;
use evenkeel_transport::contract::real::{self, Need};
use evenkeel_transport_aws::{Account, Attribute, Identity, KeyFrom, Message, SQS, SqsQueue, SqsSettings, SqsSink};

pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// The server's address, unless there is none.
pub(crate) fn need() -> Option<SocketAddr> {
    let (server, variable) = ("sqs", "EVENKEEL_TEST_SQS");
    Need { tests: "transport-aws", server, variable, beside: env!("CARGO_TARGET_TMPDIR") }.address()
}

pub(crate) struct Sqs {
    pub(crate) queue: String,
    pub(crate) url: String,
    pub(crate) direct: Client,
    pub(crate) proxy: Proxy,
}

pub(crate) fn account(address: SocketAddr) -> Account {
    let identity = Identity::Keys { id: "test".into(), secret: "test".into() };
    Account { region: Some("elasticmq".into()), endpoint: Some(format!("http://{address}")), identity }
}

pub(crate) fn direct(address: SocketAddr) -> Client {
    let client = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("elasticmq"))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(client);
    Client::from_conf(config.build())
}

impl Sqs {
    /// An empty queue.
    pub(crate) async fn fresh(server: SocketAddr, fifo: bool) -> Sqs {
        Sqs::with(server, fifo, &[]).await
    }

    pub(crate) async fn with(server: SocketAddr, fifo: bool, attributes: &[(QueueAttributeName, &str)]) -> Sqs {
        let proxy = Proxy::start(server).await.unwrap();
        let direct = direct(server);
        let queue = format!("{}{}", real::fresh_name(), if fifo { ".fifo" } else { "" });
        let mut making = direct.create_queue().queue_name(&queue);
        if fifo {
            making = making.attributes(QueueAttributeName::FifoQueue, "true");
        }
        for (name, value) in attributes {
            making = making.attributes(name.clone(), *value);
        }
        let url = making.send().await.unwrap().queue_url.unwrap();
        Sqs { queue, url, direct, proxy }
    }

    pub(crate) async fn remove(&self) {
        let _ = self.direct.delete_queue().queue_url(&self.url).send().await;
    }

    pub(crate) fn account(&self) -> Account {
        account(self.proxy.address())
    }

    fn fifo(&self) -> bool {
        self.queue.ends_with(".fifo")
    }

    pub(crate) fn settings(&self) -> SqsSettings {
        let key = Some(KeyFrom::Event);
        SqsSettings { visibility: LEASE, key, ..SqsSettings::new(&self.queue) }
    }

    /// Messages that wait, and messages that are lent.
    pub(crate) async fn depth(&self) -> (u32, u32) {
        let asked = self.direct.get_queue_attributes().queue_url(&self.url);
        let found = asked.attribute_names(QueueAttributeName::All).send().await.unwrap().attributes.unwrap();
        let number = |name| found.get(&name).map_or(0, |text: &String| text.parse().unwrap());
        (
            number(QueueAttributeName::ApproximateNumberOfMessages),
            number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        )
    }

    /// Sends a message as it is, in that group.
    pub(crate) async fn send(&self, message: Message, group: &str) -> Result<(), PortError> {
        let mut call = self.direct.send_message().queue_url(&self.url).message_body(message.body);
        if self.fifo() {
            call = call.message_group_id(group).message_deduplication_id(real::fresh_name());
        }
        for (name, value) in message.attributes {
            let value = match value {
                Attribute::Text(text) => MessageAttributeValue::builder().data_type("String").string_value(text),
                Attribute::Bytes(bytes) => {
                    let blob = aws_smithy_types::Blob::new(bytes.to_vec());
                    MessageAttributeValue::builder().data_type("Binary").binary_value(blob)
                }
            };
            call = call.message_attributes(name, value.build().unwrap());
        }
        call.send().await.map(|_| ()).map_err(|e| PortError(format!("{e:?}")))
    }
}

impl Site for Sqs {
    fn capabilities(&self) -> Capabilities {
        // Each record is in a group of its own here: nothing is said of an order.
        Capabilities { redelivery: Redelivery::Lease(LEASE), ..SQS }
    }

    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move { Ok(Arc::new(SqsQueue::open(&self.account(), self.settings()).await?) as Arc<dyn Queue>) })
    }

    /// Each in a group of its own: of a group AWS gives no more while one is lent.
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            for record in &records {
                self.send(Message::of(record, None), &real::fresh_name()).await?;
            }
            Ok(())
        })
    }

    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        let sink = || Arc::new(SqsSink::new(self.account(), &self.queue)) as Arc<dyn Sink>;
        // Of a group AWS gives no more while one is lent: what comes of these events is asked for elsewhere.
        Box::pin(std::future::ready(Ok((!self.fifo()).then(sink))))
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    fn connect_wrong(&self, mistake: Mistake) -> Option<Connecting<'_>> {
        // The emulator asks nobody for credentials.
        (mistake == Mistake::Topic).then(|| -> Connecting<'_> {
            Box::pin(async move {
                let settings = SqsSettings { queue: "no-such-topic".to_owned(), ..self.settings() };
                Ok(Arc::new(SqsQueue::open(&self.account(), settings).await?) as Arc<dyn Queue>)
            })
        })
    }
}
