//! Returned events must fit into their topic: what Kafka would refuse is refused before it becomes an
//! outcome, since a transaction with it could never be committed, and its partition would begin anew
//! for ever.
//!
//! Invariant: an event that this lets pass is taken by a topic with these limits, whatever else goes along.

use std::sync::Arc;

use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::{Answer, Batching, BoxFuture, Call, Handler};
use evenkeel_model::{Event, Record, Timestamp, Verdict};

/// A batch of one record has this many bytes around it (magic 2).
const BATCH: usize = 61;
/// Lengths, differences and attributes of a record, at most; and those of one header.
const RECORD: usize = 40;
const HEADER: usize = 10;
/// What is added on the way: who caused it, by name, place and id.
const CAUSE: usize = 128;

/// What the topic of returned events takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fits {
    /// The topic.
    pub topic: Arc<str>,
    /// Its `max.message.bytes`: of a batch, in Kafka's bytes.
    pub bytes_max: usize,
}

impl Fits {
    /// A handler of which only such events come back that fit; an answer with another one rejects
    /// its event.
    pub fn guard(&self, handler: Arc<dyn Handler>) -> Arc<dyn Handler> {
        Arc::new(Fitting { handler, fits: Arc::new(self.clone()) })
    }

    /// The answer, if what it returns fits.
    fn judge(&self, call: &Caused, answer: Answer) -> Answer {
        if answer.verdict != Verdict::Ack {
            return answer;
        }
        let sizes = answer.emitted.iter().map(|event| (event, call.bytes + bytes(event)));
        let Some((event, bytes)) = sizes.filter(|(_, bytes)| *bytes > self.bytes_max).max_by_key(|(_, bytes)| *bytes)
        else {
            return answer;
        };
        let reason = format!(
            "the returned event `{}` comes to {bytes} bytes, and topic `{}` takes {} (its `max.message.bytes`)",
            event.id.id, self.topic, self.bytes_max
        );
        Answer { verdict: Verdict::Reject { reason }, emitted: Vec::new(), handler_version: answer.handler_version }
    }
}

/// What a call adds to each event that it returns.
struct Caused {
    bytes: usize,
}

impl Caused {
    fn by(call: &Call) -> Caused {
        let delivered = &call.delivered;
        Caused { bytes: CAUSE + delivered.arrival.at.shard.topic.len() + delivered.event.id.id.len() }
    }
}

/// At most so many bytes, as a batch of its own.
fn bytes(event: &Event) -> usize {
    let Record { key, value, headers, .. } = to_record(event, Timestamp::EPOCH);
    let len = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let headers = headers.iter().map(|h| HEADER + h.name.len() + len(&h.value));
    BATCH + RECORD + len(&key) + len(&value) + headers.sum::<usize>()
}

struct Fitting {
    handler: Arc<dyn Handler>,
    fits: Arc<Fits>,
}

impl Handler for Fitting {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let (caused, fits) = (Caused::by(&call), self.fits.clone());
        let answer = self.handler.handle(call);
        Box::pin(async move { fits.judge(&caused, answer.await) })
    }

    fn is_elsewhere(&self) -> bool {
        self.handler.is_elsewhere()
    }

    fn batching(&self) -> Batching {
        self.handler.batching()
    }

    fn handle_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Vec<Answer>> {
        let caused: Vec<Caused> = calls.iter().map(Caused::by).collect();
        let (fits, answers) = (self.fits.clone(), self.handler.handle_batch(calls));
        Box::pin(async move {
            let answers = answers.await;
            answers.into_iter().zip(caused).map(|(answer, caused)| fits.judge(&caused, answer)).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned(bytes: usize) -> Answer {
        let mut event = Event::new("/payments", "p-1", "Paid");
        event.data = Some(vec![b'x'; bytes].into());
        Answer { verdict: Verdict::Ack, emitted: vec![event], handler_version: None }
    }

    #[test]
    fn what_cannot_be_committed_rejects_its_event_and_says_by_how_much() {
        let fits = Fits { topic: "payments".into(), bytes_max: 2_000 };
        let call = Caused { bytes: CAUSE };
        assert_eq!(fits.judge(&call, returned(1_000)), returned(1_000));
        let Answer { verdict: Verdict::Reject { reason }, emitted, .. } = fits.judge(&call, returned(2_000)) else {
            panic!("it does not fit");
        };
        assert!(emitted.is_empty());
        assert!(reason.contains("`p-1`") && reason.contains("`payments` takes 2000"), "{reason}");
        let retry = Answer {
            verdict: Verdict::Retry { after: None, message: String::new(), dependency: None },
            ..returned(9_000)
        };
        assert_eq!(fits.judge(&call, retry.clone()), retry, "nothing is returned with it");
    }
}
