//! RabbitMQ: a quorum queue. Bare: a consumer with a prefetch that acknowledges a hundred messages at a time.

use std::sync::Arc;

use evenkeel::{Clock, SystemClock};
use evenkeel_transport_rabbitmq::{Declare, QueueSettings, RabbitQueue, Server};
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use super::meter::Meter;
use super::{Stage, intake};
use crate::Outcome;

/// As an intake has it by default.
const PREFETCH: u16 = 1_000;
/// So many messages the bare consumer acknowledges at a time.
const TOGETHER: u64 = 100;

pub(super) struct Line {
    server: Server,
    _connection: Connection,
    channel: Channel,
    name: String,
    events: u64,
}

impl Line {
    fn settings(&self) -> QueueSettings {
        QueueSettings { declare: Some(Declare::default()), prefetch: PREFETCH, ..QueueSettings::new(&self.name) }
    }

    async fn fill(&self) -> Outcome<()> {
        let mut confirms = Vec::new();
        for n in 0..self.events {
            let mut headers = FieldTable::default();
            let id = n.to_string();
            let key = format!("key-{}", n % 10_000);
            let all =
                [("specversion", "1.0"), ("source", "/bench"), ("type", "Made"), ("id", &id), ("partitionkey", &key)];
            for (name, value) in all {
                headers.insert(format!("cloudEvents_{name}").into(), AMQPValue::LongString(value.as_bytes().into()));
            }
            let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
            let body = format!("{{\"n\":{n},\"fill\":\"{n:0>100}\"}}");
            let (queue, options) = (self.name.as_str().into(), BasicPublishOptions::default());
            let sent = self.channel.basic_publish("".into(), queue, options, body.as_bytes(), properties);
            confirms.push(sent.await?);
            if confirms.len() == 1_000 {
                for confirm in confirms.drain(..) {
                    confirm.await?;
                }
            }
        }
        for confirm in confirms {
            confirm.await?;
        }
        Ok(())
    }
}

impl Stage for Line {
    async fn set(address: &str, events: u64) -> Outcome<Line> {
        let url = format!("amqp://guest:guest@{address}/%2f");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let name = format!("bench-{:x}", SystemClock::new().now().micros());
        let server = Server { url, roots: None };
        let line = Line { server, _connection: connection, channel, name, events };
        // The adapter makes the queue.
        drop(RabbitQueue::open(line.server.clone(), line.settings()).await?);
        line.fill().await?;
        Ok(line)
    }

    async fn bare(&self) -> Outcome<f64> {
        self.channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let (queue, options) = (self.name.as_str().into(), BasicConsumeOptions::default());
        let mut messages = self.channel.basic_consume(queue, "bare".into(), options, FieldTable::default()).await?;
        let meter = Meter::new(self.events);
        for nth in 1..=self.events {
            let message = messages.next().await.ok_or("the queue ended")??;
            meter.begins();
            std::hint::black_box(&message.data);
            if nth % TOGETHER == 0 || nth == self.events {
                message.ack(BasicAckOptions { multiple: true }).await?;
            }
        }
        meter.done(self.events);
        Ok(meter.rate().await)
    }

    async fn delivered(&self, folder: &std::path::Path) -> Outcome<f64> {
        let queue = Arc::new(RabbitQueue::open(self.server.clone(), self.settings()).await?);
        intake::deliver(queue, folder, self.events).await
    }

    async fn clear(self) -> Outcome<()> {
        self.channel.queue_delete(self.name.as_str().into(), QueueDeleteOptions::default()).await?;
        Ok(())
    }
}
