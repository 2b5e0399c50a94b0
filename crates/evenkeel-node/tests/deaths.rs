//! Messages that RabbitMQ moved to a dead-letter queue, as an operator meets them: taken in, listed, grouped, and given
//! back to the queue that they died in.
//!
//! `. .ci/servers/rabbitmq` starts the server and names it; without it the test says that it was skipped.
#![cfg(feature = "rabbitmq")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;

use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, BasicRejectOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};
use support::{Started, needs, start, until};

/// Two queues as a shop's operator has them: what `work` gives up lies in `dead`.
struct Queues {
    work: String,
    dead: String,
    channel: Channel,
    _connection: Connection,
}

impl Queues {
    async fn make(broker: &str) -> Queues {
        let url = format!("amqp://guest:guest@{broker}/%2f");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let name = format!("deaths-{}", std::process::id());
        let queues =
            Queues { work: format!("{name}-work"), dead: format!("{name}-dead"), channel, _connection: connection };
        let mut arguments = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(text.into());
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(&queues.dead));
        queues.declare(&queues.dead, FieldTable::default()).await;
        queues.declare(&queues.work, arguments).await;
        queues
    }

    async fn declare(&self, name: &str, arguments: FieldTable) {
        self.channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
    }

    /// A client's own message, no CloudEvent.
    async fn publish(&self, n: u32) {
        let mut headers = FieldTable::default();
        headers.insert("x-tenant".into(), AMQPValue::LongLongInt(7));
        let properties = BasicProperties::default()
            .with_message_id(ShortString::from(format!("order-{n}")))
            .with_correlation_id("c-1".into())
            .with_content_type("application/json".into())
            .with_headers(headers);
        let body = format!("{{\"order\":{n}}}");
        let options = BasicPublishOptions::default();
        let sent =
            self.channel.basic_publish("".into(), self.work.as_str().into(), options, body.as_bytes(), properties);
        assert!(sent.await.unwrap().await.unwrap().is_ack());
    }

    /// The next message of `work`, if one is there.
    async fn next(&self) -> Option<BasicGetMessage> {
        self.channel.basic_get(self.work.as_str().into(), BasicGetOptions::default()).await.unwrap()
    }

    async fn remove(&self) {
        for name in [&self.work, &self.dead] {
            self.channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        }
    }
}

async fn redrive(node: &Started, body: Value) -> Value {
    node.client.json("POST", "/v1/topics/orders-dead/dead/redrives", Some(body)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rabbitmq_gave_up_is_listed_grouped_and_given_back_to_its_queue_once() {
    let Some(broker) = needs("rabbitmq", "EVENKEEL_TEST_RABBITMQ") else { return };
    let queues = Queues::make(&broker).await;
    for n in 0..3 {
        queues.publish(n).await;
        let given = until("it is there", || queues.next()).await;
        given.reject(BasicRejectOptions { requeue: false }).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "guest\n").unwrap();
    let yaml = format!(
        "brokers: {{ shop: {{ url: 'amqp://{broker}', user: guest, password: {{ file: ./password }} }} }}
topics: {{ orders-dead: {{ partitions: 1 }} }}
intakes: {{ orders-dead: {{ broker: shop, queue: '{}', topology: verify }} }}
",
        queues.dead
    );
    let node = start(folder.path(), &yaml).await;
    let listed = until("all three are here", || async {
        let page = node.get("/v1/topics/orders-dead/dead").await;
        (page["items"].as_array().unwrap().len() == 3).then_some(page)
    })
    .await;
    let letter = &listed["items"][0];
    let said = |member: &str| letter[member].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (said("written_by"), said("reason"), said("from")),
        ("rabbitmq".into(), "rejected".into(), queues.work.clone())
    );
    assert_eq!((letter["attempts"].as_u64(), said("last_failed_at").is_empty()), (Some(1), false), "{letter}");
    let groups = node.get("/v1/topics/orders-dead/dead/groups").await;
    assert_eq!((&groups["letters"], groups["groups"].as_array().unwrap().len()), (&json!(3), 1), "{groups}");

    let address = format!("amqp://shop/{}", queues.work);
    let planned = redrive(&node, json!({ "dry_run": true })).await;
    assert_eq!(planned["given"], json!({ &*address: 3 }), "{planned}");
    assert!(queues.next().await.is_none(), "a dry run publishes nothing");
    let some = redrive(&node, json!({ "reason": "mended", "limit": 2 })).await;
    assert_eq!(some["given"], json!({ &*address: 2 }), "{some}");
    let rest = redrive(&node, json!({ "reason": "mended" })).await;
    assert_eq!((&rest["given"], &rest["passed_over"]), (&json!({ &*address: 1 }), &json!(2)), "{rest}");
    let mut bodies = Vec::new();
    while let Some(given) = queues.next().await {
        let properties = &given.delivery.properties;
        let headers = properties.headers().clone().unwrap_or_default();
        assert!(headers.inner().keys().all(|name| !name.as_str().contains("death")), "as it was: {headers:?}");
        assert!(headers.inner().contains_key("x-tenant"), "{headers:?}");
        let id = properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(id.starts_with("order-"), "its own id, and not one of ours: {id}");
        assert_eq!(properties.correlation_id().as_ref().map(ToString::to_string).as_deref(), Some("c-1"));
        assert_eq!(properties.content_type().as_ref().map(ToString::to_string).as_deref(), Some("application/json"));
        bodies.push(String::from_utf8(given.delivery.data.clone()).unwrap());
        given.ack(BasicAckOptions::default()).await.unwrap();
    }
    assert_eq!(bodies, ["{\"order\":0}", "{\"order\":1}", "{\"order\":2}"], "each once, in order");
    let refused = node.client.json(
        "POST",
        "/v1/topics/orders-dead/dead/redrives",
        Some(json!({
            "reason": "x", "to": "amqp://shap/orders"
        })),
    );
    assert!(refused.await.unwrap_err().to_string().contains("did you mean `shop`?"));
    node.node.shutdown().await;
    queues.remove().await;
}
