//! The story of an event as a page, and what the node uses, of a started node.

use std::time::Duration;

use serde_json::json;

use crate::binary::{err, evenkeel, out};
use crate::support::{Handler, start, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_an_event_is_drawn_and_the_command_line_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|seen| if seen.header("evenkeel-attempt") == "1" { 500 } else { 200 }).await;
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions:
  payment: {{ topic: orders, handler: {{ http: {{ url: \"{}/\" }} }}, retry: {{ initial: 10ms, factor: 1, max: 20ms }} }}
",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    let event = json!({ "specversion": "1.0", "id": "o-1", "source": "/shop", "type": "OrderCreated", "subject": "k" });
    node.publish("orders", event).await;
    let page = until("the story's end", async || {
        let page = node.text("/events/o-1").await;
        page.contains("Ended in its subscription.").then_some(page)
    })
    .await;
    assert_eq!(
        page.matches("<rect").count(),
        2 * 2,
        "a bar for each of the two calls, on a desk and in a hand: {page}"
    );
    for said in ["failed, status 500", "completed", "class=\"waits\"", ">◆<title>stored in orders"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let base = format!("http://{}", node.node.http);
    let told = evenkeel(folder.path(), &["story", "o-1", "--node", &base]);
    assert_eq!(told.status.code(), Some(0), "{}", err(&told));
    let said = format!("as a picture: {base}/events/o-1?source=%2Fshop");
    assert!(out(&told).trim_end().ends_with(&said), "{}", out(&told));
    assert!(node.text("/events/o-1?source=%2Fshop").await.contains("Ended in its subscription."));
    let nobody =
        node.client.send("GET", "/events/nobody", &[], Vec::new().into(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(nobody.status, 404);
    assert!(String::from_utf8_lossy(&nobody.body).contains("No event has the id"));
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_uses_is_a_resource_and_agrees_with_its_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "topics: { orders: {} }\n").await;
    let usage = node.get("/v1/usage").await;
    assert!(usage["memory"]["resident_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{usage}");
    assert!(usage["processor"]["used_s"].as_f64().is_some_and(|s| s > 0.0), "{usage}");
    assert!(usage["processor"]["there_are"].as_u64().is_some_and(|n| n > 0), "{usage}");
    assert!(usage["disk"]["free_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{usage}");
    assert!(usage["network"].as_array().is_some_and(|all| !all.is_empty()), "{usage}");
    let page = node.text("/metrics").await;
    let metric = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name}")).parse::<f64>().unwrap()
    };
    let max = usage["files"]["open_max"].as_u64().unwrap() as f64;
    assert!((metric("process_max_fds") - max).abs() < 0.5);
    let before = usage["processor"]["used_s"].as_f64().unwrap();
    assert!(metric("process_cpu_seconds_total") >= before, "asked later, it is no less");
    node.node.shutdown().await;
}
