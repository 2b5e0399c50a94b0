//! Sends batches until they are acknowledged, and says how far it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_cloudevents::http::encode_batch;
use evenkeel_model::{Clock, Event, Timestamp};
use serde_json::Value;

use crate::cli::asking::{Output, Where, escaped};
use crate::cli::output;
use crate::client::{Client, Reply};
use crate::error::{Error, codes};

const BACK_OFF_FIRST: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// One topic that is published to.
pub(super) struct Sending {
    client: Client,
    path: String,
    output: Output,
    clock: Arc<dyn Clock>,
    began: Timestamp,
    said: Timestamp,
    stored: u64,
    duplicates: u64,
}

impl Sending {
    pub(super) fn new(node: &Where, topic: &str, clock: Arc<dyn Clock>) -> Sending {
        let began = clock.now();
        Sending {
            client: node.client(),
            path: format!("/v1/topics/{}/events", escaped(topic)),
            output: node.output,
            clock,
            began,
            said: began,
            stored: 0,
            duplicates: 0,
        }
    }

    /// Sends a batch, in halves where it is too large for the node.
    pub(super) async fn send(&mut self, events: Vec<Event>) -> Result<(), Error> {
        let mut waiting = vec![events];
        while let Some(mut batch) = waiting.pop() {
            let reply = self.acknowledged(&batch).await?;
            match reply.status {
                200 => self.count(&reply.json()?),
                413 if batch.len() > 1 => {
                    let rest = batch.split_off(batch.len() / 2);
                    waiting.push(rest);
                    waiting.push(batch);
                }
                _ => return Err(reply.problem()),
            }
        }
        self.progress();
        Ok(())
    }

    pub(super) fn finish(&self) {
        let seconds = self.clock.now().since(self.began).as_secs_f64();
        eprintln!(
            "published {} events ({} of them were there before) in {seconds:.1} s",
            self.stored + self.duplicates,
            self.duplicates
        );
    }

    /// Repeats a batch, with the same ids, until the node says yes or no. A log that is damaged is a no: it takes
    /// nothing until an operator has seen to it.
    async fn acknowledged(&self, batch: &[Event]) -> Result<Reply, Error> {
        let (headers, body): (Vec<(String, String)>, Bytes) = encode_batch(batch);
        let mut pause = BACK_OFF_FIRST;
        loop {
            let (why, wait) = match self.client.send("POST", &self.path, &headers, body.clone(), ANSWER_WITHIN).await {
                Ok(reply) if !matches!(reply.status, 429 | 500 | 502..=504) => return Ok(reply),
                Ok(reply) => match reply.problem() {
                    damaged if damaged.code == codes::DATA_CORRUPT => return Err(damaged),
                    problem => (problem.message, reply.retry_after),
                },
                Err(e) if e.code == codes::NODE_UNREACHABLE && e.exit == 1 => (e.message, None),
                Err(e) => return Err(e),
            };
            let wait = wait.unwrap_or(pause).min(BACK_OFF_MAX);
            eprintln!("not acknowledged ({why}); the same {} events go again in {wait:?}", batch.len());
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(BACK_OFF_MAX);
        }
    }

    fn count(&mut self, answer: &Value) {
        for result in answer.get("results").and_then(Value::as_array).into_iter().flatten() {
            if result.get("duplicate") == Some(&Value::Bool(true)) {
                self.duplicates += 1;
            } else {
                self.stored += 1;
            }
            if self.output == Output::Json {
                output::line(&result.to_string());
            }
        }
    }

    fn progress(&mut self) {
        let now = self.clock.now();
        if now.since(self.said) < PROGRESS_EVERY {
            return;
        }
        self.said = now;
        let all = self.stored + self.duplicates;
        let rate = all as f64 / now.since(self.began).as_secs_f64().max(1e-3);
        eprintln!("{all} events, {rate:.0}/s, {} were there before", self.duplicates);
    }
}
