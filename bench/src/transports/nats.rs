//! NATS JetStream: a stream on disk. Bare: a durable pull consumer that acknowledges each message.

use std::sync::Arc;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, stream::Config};
use evenkeel::{Clock, SystemClock};
use evenkeel_transport_nats::{Auth, ConsumerSettings, JetStreamQueue, Server, connect};
use futures_util::StreamExt;

use super::meter::Meter;
use super::{Stage, intake};
use crate::Outcome;

pub(super) struct Stream {
    client: async_nats::Client,
    name: String,
    events: u64,
}

impl Stage for Stream {
    async fn set(address: &str, events: u64) -> Outcome<Stream> {
        let server = Server { url: format!("nats://{address}"), auth: Auth::None, roots: Vec::new() };
        let client = connect(&server).await?;
        let name = format!("bench-{:x}", SystemClock::new().now().micros());
        let jet = jetstream::new(client.clone());
        let config = Config { name: name.clone(), subjects: vec![format!("{name}.in")], ..Config::default() };
        jet.create_stream(config).await?;
        let mut confirms = Vec::new();
        for n in 0..events {
            let mut headers = async_nats::HeaderMap::new();
            for (name, value) in [("ce-specversion", "1.0"), ("ce-source", "/bench"), ("ce-type", "Made")] {
                headers.insert(name, value);
            }
            headers.insert("ce-id", n.to_string());
            headers.insert("ce-partitionkey", format!("key-{}", n % 10_000));
            let body = format!("{{\"n\":{n},\"fill\":\"{n:0>100}\"}}");
            confirms.push(jet.publish_with_headers(format!("{name}.in"), headers, body.into()).await?);
            if confirms.len() == 1_000 {
                for confirm in confirms.drain(..) {
                    confirm.await?;
                }
            }
        }
        for confirm in confirms {
            confirm.await?;
        }
        Ok(Stream { client, name, events })
    }

    async fn bare(&self) -> Outcome<f64> {
        let stream = jetstream::new(self.client.clone()).get_stream(&self.name).await?;
        let config = pull::Config {
            durable_name: Some("bare".to_owned()),
            ack_policy: AckPolicy::Explicit,
            max_ack_pending: 4_000,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await?;
        let mut messages = consumer.messages().await?;
        let meter = Meter::new(self.events);
        for _ in 0..self.events {
            let message = messages.next().await.ok_or("the stream ended")??;
            meter.begins();
            std::hint::black_box(&message.payload);
            message.ack().await?;
        }
        self.client.flush().await?;
        meter.done(self.events);
        Ok(meter.rate().await)
    }

    async fn delivered(&self, folder: &std::path::Path) -> Outcome<f64> {
        let settings = ConsumerSettings::new(&self.name, "evenkeel");
        let queue = Arc::new(JetStreamQueue::open(self.client.clone(), &settings).await?);
        intake::deliver(queue, folder, self.events).await
    }

    async fn clear(self) -> Outcome<()> {
        jetstream::new(self.client).delete_stream(&self.name).await?;
        Ok(())
    }
}
