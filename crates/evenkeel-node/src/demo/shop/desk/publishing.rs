//! Publishes a batch until it is acknowledged: the same events with the same ids, whatever
//! happened before. Only a refusal for good ends it otherwise.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::Desk;
use crate::demo::web::Answer;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Where the node says that an event is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Placed {
    pub(super) source: String,
    pub(super) id: String,
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) duplicate: bool,
}

#[derive(Deserialize)]
struct Answered {
    results: Vec<Placed>,
}

/// The places of all events of the batch, and how often it was sent.
pub(super) async fn until_acknowledged(desk: &Desk, events: &[&Value]) -> Result<(Vec<Placed>, u32), ()> {
    let body = Bytes::from(serde_json::to_vec(events).unwrap_or_default());
    let mut pause = FIRST_PAUSE;
    for tries in 1.. {
        let node = desk.control.borrow().node.clone().unwrap_or_default();
        let url = format!("{node}/v1/topics/orders/events");
        let kind = "application/cloudevents-batch+json";
        let answer = desk.web.send(Method::POST, &url, body.clone(), kind).await;
        match judge(answer, events) {
            Ok(placed) => return Ok((placed, tries)),
            Err(Trouble::ForGood(why)) => {
                desk.stop(why);
                return Err(());
            }
            Err(Trouble::Passing) => {
                desk.counts.failed_tries.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    Err(())
}

#[derive(Debug, PartialEq)]
enum Trouble {
    Passing,
    ForGood(String),
}

fn judge(answer: Result<Answer, String>, events: &[&Value]) -> Result<Vec<Placed>, Trouble> {
    let Ok(answer) = answer else { return Err(Trouble::Passing) };
    match answer.status {
        StatusCode::OK => {}
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            return Err(Trouble::ForGood(format!("the node refused a batch: {status} {}", answer.body)));
        }
        _ => return Err(Trouble::Passing),
    }
    let unreadable = |e| Trouble::ForGood(format!("the node's acknowledgment can't be read: {e}"));
    let answered: Answered = serde_json::from_value(answer.body).map_err(unreadable)?;
    let same = |(placed, event): (&Placed, &&Value)| event["id"] == *placed.id && event["source"] == *placed.source;
    if answered.results.len() != events.len() || !answered.results.iter().zip(events).all(same) {
        return Err(Trouble::ForGood("the node acknowledged other events than were sent".to_owned()));
    }
    Ok(answered.results)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::{Value, json};

    use super::{Trouble, judge};
    use crate::demo::web::Answer;

    fn answer(status: StatusCode, id: &str) -> Result<Answer, String> {
        let result = json!({"source": "/s", "id": id, "partition": 1, "offset": 2, "duplicate": false});
        Ok(Answer { status, body: json!({ "results": [result] }) })
    }

    #[test]
    fn only_a_full_answer_acknowledges() {
        let event = json!({"id": "1", "source": "/s"});
        let events: Vec<&Value> = vec![&event];
        assert_eq!(judge(answer(StatusCode::OK, "1"), &events).unwrap()[0].offset, 2);
        assert!(matches!(judge(answer(StatusCode::OK, "2"), &events), Err(Trouble::ForGood(_))));
        assert!(matches!(judge(answer(StatusCode::CONFLICT, "1"), &events), Err(Trouble::ForGood(_))));
        assert_eq!(judge(answer(StatusCode::SERVICE_UNAVAILABLE, "1"), &events), Err(Trouble::Passing));
        assert_eq!(judge(Err("refused".into()), &events), Err(Trouble::Passing));
    }
}
