//! Ways to call a handler, on a started node: batches, callbacks, endpoints that are out.

use serde_json::json;

use crate::support::{Handler, PATIENCE, start, until};

fn event(n: usize) -> serde_json::Value {
    json!({ "specversion": "1.0", "id": n.to_string(), "source": "/s", "type": "T", "subject": format!("k{n}"), "data": { "n": n } })
}

async fn publish(node: &crate::support::Started, events: usize) {
    let batch: Vec<_> = (0..events).map(event).collect();
    let kind = [("content-type", "application/cloudevents-batch+json")];
    let reply = node.post("orders", &kind, json!(batch).to_string()).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_batch_kills_the_poison_in_it_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|call| match String::from_utf8_lossy(&call.body).contains("\"id\":\"77\"") {
        true => 422,
        false => 200,
    })
    .await;
    let url = &handler.url;
    let node = start(
        folder.path(),
        &format!(
            "topics: {{ orders: {{ partitions: 2 }} }}
subscriptions:
  s:
    topic: orders
    from: earliest
    handler: {{ http: {{ url: \"{url}/\", batch: {{ max: 40, linger: 20ms }} }} }}
    concurrency: {{ min: 64, max: 256 }}
"
        ),
    )
    .await;
    publish(&node, 200).await;
    until("all outcomes", || async {
        let of = node.audited("s").await;
        (of["dead"] == 1 && of["completed"] == 199).then_some(())
    })
    .await;
    assert_eq!(node.get("/v1/audit").await["ok"], true);
    let dead = node.get("/v1/subscriptions/s/dead").await;
    assert_eq!((dead["items"][0]["id"].as_str(), dead["items"][0]["attempts"].as_u64()), (Some("77"), Some(1)));
    let calls = handler.seen();
    assert!(calls.len() < 100, "{} requests for 200 events", calls.len());
    assert!(calls.iter().all(|c| c.header("content-type").starts_with("application/cloudevents-batch+json")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_event_waits_for_its_callback() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 202).await;
    let url = &handler.url;
    let node = start(
        folder.path(),
        &format!(
            "topics: {{ orders: {{ partitions: 1 }}, payments: {{ partitions: 1 }} }}
subscriptions:
  s:
    topic: orders
    handler: {{ http: {{ url: \"{url}/\", accepted: pending, pending: 1h }} }}
    effects: {{ mode: log, topic: payments }}
"
        ),
    )
    .await;
    node.publish("orders", event(1)).await;
    let callback = until("the call", || async { handler.seen().first().map(|c| c.header("evenkeel-callback")) }).await;
    let path = callback.strip_prefix(&format!("http://{}", node.node.http)).unwrap().to_owned();
    let of = node.audited("s").await;
    assert_eq!((of["completed"].as_u64(), of["in_flight"].as_u64()), (Some(0), Some(1)), "{of}");
    let paid = json!({ "specversion": "1.0", "id": "p", "source": "/p", "type": "Paid" }).to_string();
    let kind = [("content-type".to_owned(), "application/cloudevents+json".to_owned())];
    let answered = node.client.send("POST", &path, &kind, paid.clone().into(), PATIENCE).await.unwrap();
    assert_eq!(answered.status, 204);
    until("the outcome", || async { (node.audited("s").await["completed"] == 1).then_some(()) }).await;

    let stored = node.get("/v1/topics/payments/events?partition=0&from=earliest").await;
    assert!(stored.to_string().contains("Paid"), "{stored}");
    let again = node.client.send("POST", &path, &kind, paid.into(), PATIENCE).await.unwrap();
    assert_eq!(again.status, 404);
    assert!(String::from_utf8_lossy(&again.body).contains("unknown-callback"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_endpoint_of_two_may_be_gone_and_nothing_waits() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/", gone.local_addr().unwrap());
    drop(gone);
    let url = &handler.url;
    let node = start(
        folder.path(),
        &format!(
            "topics: {{ orders: {{ partitions: 2 }} }}
subscriptions:
  s:
    topic: orders
    from: earliest
    handler: {{ http: {{ urls: [ \"{nobody}\", \"{url}/\" ] }} }}
"
        ),
    )
    .await;
    publish(&node, 50).await;
    until("all outcomes", || async { (node.audited("s").await["completed"] == 50).then_some(()) }).await;
    let shown = node.get("/v1/subscriptions/s").await;
    assert_eq!(shown["endpoints"][0]["state"], "ejected", "{shown}");
    assert_eq!(shown["endpoints"][1]["state"], "in", "{shown}");
    assert_eq!(shown["breakers"][0]["state"], "closed", "{shown}");
    assert_eq!(handler.seen().len(), 50);
}
