//! What a real OpenTelemetry Collector's receiver takes from a node, over HTTP and over gRPC, held against the
//! messaging conventions (1.44.0); and an exporter that is down.
//!
//! Wants `. .ci/servers/otelcol` (`EVENKEEL_TEST_OTELCOL`, `…_HTTP`, `…_OUT`) for the first.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Handler, Started, needs, start, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn yaml(handler: &str, otlp: &str) -> String {
    format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions:
  s: {{ topic: orders, handler: {{ http: {{ url: \"{handler}/\" }} }}, retry: {{ initial: 10ms, factor: 1, max: 20ms }} }}
telemetry: {{ otlp: {{ {otlp} }} }}
"
    )
}

/// The requests of a signal that the receiver took from this service.
fn taken(out: &Path, signal: &str, service: &str) -> Vec<Value> {
    let (resources, _) = names(signal);
    let text = std::fs::read_to_string(out.join(format!("{signal}.jsonl"))).unwrap_or_default();
    // The last line may still be being written.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of = lines.flat_map(|line| line[resources].as_array().cloned().unwrap_or_default());
    of.filter(|resource| attributes(&resource["resource"]).get("service.name") == Some(&json!(service))).collect()
}

fn names(signal: &str) -> (&'static str, &'static str) {
    match signal {
        "traces" => ("resourceSpans", "scopeSpans"),
        "metrics" => ("resourceMetrics", "scopeMetrics"),
        _ => ("resourceLogs", "scopeLogs"),
    }
}

/// All spans, metrics or log records of this service.
fn items(out: &Path, signal: &str, list: &str, service: &str) -> Vec<Value> {
    let (_, scopes) = names(signal);
    let resources = taken(out, signal, service);
    let of_scope = resources.iter().flat_map(|resource| resource[scopes].as_array().cloned().unwrap_or_default());
    of_scope
        .flat_map(|scope| {
            assert_eq!(scope["schemaUrl"], "https://opentelemetry.io/schemas/1.44.0");
            scope[list].as_array().cloned().unwrap_or_default()
        })
        .collect()
}

fn attributes(of: &Value) -> HashMap<String, Value> {
    let value = |any: &Value| match any.as_object().and_then(|any| any.iter().next()) {
        Some((kind, number)) if kind == "intValue" => {
            number.as_str().map_or(number.clone(), |text| json!(text.parse::<i64>().unwrap()))
        }
        Some((_, value)) => value.clone(),
        None => Value::Null,
    };
    let all = of["attributes"].as_array().into_iter().flatten();
    all.map(|pair| (pair["key"].as_str().unwrap().to_owned(), value(&pair["value"]))).collect()
}

fn links(span: &Value) -> Vec<(String, String)> {
    let all = span["links"].as_array().into_iter().flatten();
    all.map(|link| (text(&link["traceId"]), text(&link["spanId"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn id(span: &Value) -> (String, String) {
    (text(&span["traceId"]), text(&span["spanId"]))
}

/// The rules of the conventions that hold of every span.
fn is_conventional(span: &Value) {
    let has = attributes(span);
    let kind = span["kind"].as_u64().unwrap();
    let operation = text(&has["messaging.operation.type"]);
    let kinds: &[u64] = match operation.as_str() {
        "send" => &[3, 4],
        "receive" | "settle" => &[3],
        "process" => &[5],
        other => panic!("no operation type: {other}"),
    };
    assert!(kinds.contains(&kind), "{operation} is of kind {kind}");
    assert_eq!(has["messaging.system"], "evenkeel");
    assert_eq!(text(&span["name"]), format!("{} orders", text(&has["messaging.operation.name"])));
    assert_eq!(has["messaging.destination.name"], "orders");
    let failed = span["status"]["code"] == 2;
    assert_eq!(failed, has.contains_key("error.type"), "{span}");
    let batch = has.contains_key("messaging.batch.message_count");
    assert!(batch || !text(&has["messaging.message.id"]).is_empty(), "{span}");
    if !batch {
        assert!(has.contains_key("cloudevents.event_id") && has.contains_key("cloudevents.event_source"), "{span}");
    }
    if operation != "send" {
        assert_eq!(has["messaging.consumer.group.name"], "s");
    }
    let nanos = |name: &str| text(&span[name]).parse::<u64>().unwrap();
    assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"));
    let hex = |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit());
    let (trace, own) = id(span);
    assert!(hex(&trace, 32) && hex(&own, 16) && own.bytes().any(|b| b != b'0'), "{span}");
}

/// The spans of one event, by operation type.
fn of_event<'s>(spans: &'s [Value], event: &str, operation: &str) -> Vec<&'s Value> {
    let is = |span: &&Value| {
        let has = attributes(span);
        has.get("cloudevents.event_id") == Some(&json!(event)) && has["messaging.operation.type"] == *operation
    };
    let mut found: Vec<&Value> = spans.iter().filter(is).collect();
    found.sort_by_key(|span| text(&span["startTimeUnixNano"]));
    found
}

/// The metrics that the conventions ask for, of three events in five deliveries.
async fn counts_every_event(out: &Path, service: &str) {
    let count = |metrics: &[Value], name: &str| {
        let of = metrics.iter().rfind(|metric| metric["name"] == name);
        let points = of.map(|metric| metric["sum"]["dataPoints"].as_array().unwrap().clone()).unwrap_or_default();
        points.iter().map(|point| text(&point["asInt"]).parse::<u64>().unwrap()).sum::<u64>()
    };
    let metrics = until("the metrics", async || {
        let metrics = items(out, "metrics", "metrics", service);
        (count(&metrics, "messaging.client.consumed.messages") == 5).then_some(metrics)
    })
    .await;
    assert_eq!(count(&metrics, "messaging.client.sent.messages"), 3, "of every event, whatever is sampled");
    for (name, unit) in [("messaging.client.operation.duration", "s"), ("messaging.process.duration", "s")] {
        let metric = metrics.iter().rfind(|metric| metric["name"] == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(metric["unit"], unit);
        for point in metric["histogram"]["dataPoints"].as_array().unwrap() {
            let has = attributes(point);
            assert!(has.contains_key("messaging.system") && has.contains_key("messaging.operation.name"), "{point}");
        }
    }
}

async fn whole(protocol: &str, endpoint: &str) {
    let out = PathBuf::from(std::env::var("EVENKEEL_TEST_OTELCOL_OUT").expect("the receiver's folder"));
    let service = format!("{protocol}-{}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    // Its first two calls, whatever number the attempt has: one may not count.
    let calls = AtomicU32::new(0);
    let handler = Handler::start(move |seen| {
        if seen.header("ce-id") == "fails" && calls.fetch_add(1, Ordering::SeqCst) < 2 { 500 } else { 200 }
    })
    .await;
    let otlp =
        format!("endpoint: \"http://{endpoint}\", protocol: {protocol}, sample: 0%, interval: 1s, service: {service}");
    let node = start(folder.path(), &yaml(&handler.url, &otlp)).await;
    let event = |id: &str| json!({ "specversion": "1.0", "id": id, "source": "/shop", "type": "T", "subject": id });
    for id in ["quiet", "fails"] {
        node.publish("orders", event(id)).await;
    }
    let mut told = event("told");
    told["traceparent"] = json!(format!("00-{TRACE}-{SPAN}-01"));
    told["tracestate"] = json!("vendor=1,other=2");
    node.publish("orders", told).await;

    let spans = until("all spans", async || {
        let spans = items(&out, "traces", "spans", &service);
        let settled = ["fails", "told"].iter().all(|event| !of_event(&spans, event, "settle").is_empty());
        settled.then_some(spans)
    })
    .await;
    spans.iter().for_each(is_conventional);
    let ids: HashSet<_> = spans.iter().map(id).collect();
    assert_eq!(ids.len(), spans.len(), "no span twice");

    // What went well and is not in the share leaves no span; what failed leaves its whole story.
    assert!(spans.iter().all(|span| attributes(span).get("cloudevents.event_id") != Some(&json!("quiet"))));
    let (sent, tries) = (of_event(&spans, "fails", "send"), of_event(&spans, "fails", "process"));
    assert_eq!((sent.len(), tries.len()), (1, 3), "{spans:#?}");
    assert_eq!(sent[0]["kind"], 4, "it is the creation");
    for (at, attempt) in tries.iter().enumerate() {
        assert_eq!(attempt["traceId"], sent[0]["traceId"]);
        assert!(links(attempt).contains(&id(sent[0])), "{attempt}");
        let error = attributes(attempt).get("error.type").cloned();
        assert_eq!(error, (at < 2).then(|| json!("500")));
        if at > 0 {
            assert!(links(attempt).contains(&id(tries[at - 1])), "to the attempt before: {attempt}");
        }
    }
    assert_eq!(of_event(&spans, "fails", "settle")[0]["parentSpanId"], tries[2]["spanId"]);
    assert_eq!(
        of_event(&spans, "fails", "receive").len(),
        3,
        "a hand-out for each attempt, the first told after the fact"
    );

    // A trace that is kept elsewhere is followed, and arrives as it was.
    let process = of_event(&spans, "told", "process")[0];
    assert_eq!((text(&process["traceId"]), text(&process["parentSpanId"])), (TRACE.to_owned(), SPAN.to_owned()));
    assert_eq!(process["traceState"], "vendor=1,other=2");
    assert_eq!(of_event(&spans, "told", "receive").len(), 1);
    let call = handler.seen().into_iter().find(|seen| seen.header("ce-id") == "told").unwrap();
    assert_eq!(call.header("ce-traceparent"), format!("00-{TRACE}-{SPAN}-01"));
    assert_eq!(call.header("ce-tracestate"), "vendor=1,other=2");
    assert_eq!(call.header("traceparent"), format!("00-{TRACE}-{}-01", text(&process["spanId"])));

    counts_every_event(&out, &service).await;
    tells_its_own_metrics(&node, &out, &service).await;
    node.node.shutdown().await;
}

/// Every metric of `/metrics` is sent under its own name, with the same numbers.
async fn tells_its_own_metrics(node: &Started, out: &Path, service: &str) {
    let newest = |metrics: &[Value], name: &str| metrics.iter().rfind(|metric| metric["name"] == name).cloned();
    let completed = |metric: &Value| {
        let points = metric["sum"]["dataPoints"].as_array().unwrap().clone();
        let of = points.into_iter().find(|point| attributes(point).get("outcome") == Some(&json!("completed")));
        of.and_then(|point| point["asDouble"].as_f64())
    };
    let metrics = until("the ledger's counts", async || {
        let metrics = items(out, "metrics", "metrics", service);
        let events = newest(&metrics, "evenkeel_events_total")?;
        (completed(&events) == Some(3.0)).then_some(metrics)
    })
    .await;
    let events = newest(&metrics, "evenkeel_events_total").unwrap();
    assert_eq!((&events["sum"]["isMonotonic"], &events["sum"]["aggregationTemporality"]), (&json!(true), &json!(2)));
    assert!(events["sum"]["dataPoints"][0].get("startTimeUnixNano").is_none_or(|start| start == "0"), "{events}");
    let latency = newest(&metrics, "evenkeel_created_to_completed_seconds").unwrap();
    let point = &latency["histogram"]["dataPoints"][0];
    assert_eq!((&latency["unit"], &point["count"]), (&json!("s"), &json!("3")), "{latency}");
    let counts = point["bucketCounts"].as_array().unwrap();
    assert_eq!(counts.len(), point["explicitBounds"].as_array().unwrap().len() + 1);
    assert_eq!(counts.iter().map(|count| text(count).parse::<u64>().unwrap()).sum::<u64>(), 3);
    let page = node.text("/metrics").await;
    let told: HashSet<&str> = metrics.iter().filter_map(|metric| metric["name"].as_str()).collect();
    for name in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(told.contains(name), "`{name}` is in /metrics and was not sent");
    }
    let sent = |signal: &str| format!("evenkeel_otlp_sent_total{{signal=\"{signal}\"}}");
    for signal in ["traces", "metrics"] {
        let line = page.lines().find(|line| line.starts_with(&sent(signal))).unwrap_or_else(|| panic!("{page}"));
        assert!(!line.ends_with(" 0"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_collector_gets_whole_stories_of_what_fails_over_http() {
    let Some(endpoint) = needs("otelcol", "EVENKEEL_TEST_OTELCOL_HTTP") else { return };
    whole("http", &endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_collector_gets_whole_stories_of_what_fails_over_grpc() {
    let Some(endpoint) = needs("otelcol", "EVENKEEL_TEST_OTELCOL") else { return };
    whole("grpc", &endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_collector_gets_the_nodes_own_log_lines() {
    let Some(endpoint) = needs("otelcol", "EVENKEEL_TEST_OTELCOL_HTTP") else { return };
    let out = PathBuf::from(std::env::var("EVENKEEL_TEST_OTELCOL_OUT").expect("the receiver's folder"));
    let service = format!("lines-{}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let otlp = format!("endpoint: \"http://{endpoint}\", signals: [ logs ], service: {service}");
    let yaml = format!("http: {{ listen: \"127.0.0.1:0\" }}\n{}", yaml("http://127.0.0.1:9", &otlp));
    std::fs::write(folder.path().join("evenkeel.yaml"), yaml).unwrap();
    let mut node = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    let mut node = node.arg("up").current_dir(folder.path()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(node.stdout.take().unwrap()), &mut ready).unwrap();
    assert!(ready.contains("ready"), "{ready}");
    // What it says when it goes down is sent before it is gone.
    let told = Command::new("kill").arg("-TERM").arg(node.id().to_string()).status().unwrap();
    assert!(told.success() && node.wait().unwrap().success());
    let lines = until("the lines", async || {
        let lines = items(&out, "logs", "logRecords", &service);
        (!lines.is_empty()).then_some(lines)
    })
    .await;
    let drained = lines.iter().find(|line| line["body"]["stringValue"] == "subscription drained");
    let drained = drained.unwrap_or_else(|| panic!("{lines:#?}"));
    assert_eq!((drained["severityText"].as_str(), drained["severityNumber"].as_u64()), (Some("INFO"), Some(9)));
    assert_eq!(attributes(drained).get("unfinished"), Some(&json!("0")), "{drained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_hangs_holds_nobody_up_and_what_it_misses_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    // It takes connections and never answers.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let otlp = format!("endpoint: \"http://{address}\", sample: 100%, queue: 512, timeout: 60s");
    let node = start(folder.path(), &yaml(&handler.url, &otlp)).await;
    let all = async {
        for batch in 0..10 {
            let events: Vec<Value> = (0..200)
                .map(|n| json!({ "specversion": "1.0", "id": format!("{batch}-{n}"), "source": "/s", "type": "T" }))
                .collect();
            let body = json!(events).to_string();
            let reply = node.post("orders", &[("content-type", "application/cloudevents-batch+json")], body).await;
            assert_eq!(reply.status, 200);
        }
        until("all events handled", async || (handler.seen().len() >= 2_000).then_some(())).await;
    };
    let done = tokio::time::timeout(Duration::from_secs(50), all).await;
    done.expect("nobody waits for a collector's time-out of 60 s");
    let sent = node.get("/v1/telemetry").await;
    let traces = &sent["otlp"]["signals"][0];
    assert_eq!((&traces["signal"], traces["sent"].as_u64()), (&json!("traces"), Some(0)), "{sent}");
    let dropped = traces["dropped"].as_u64().unwrap();
    assert!(dropped > 2_000, "{sent}");
    // Nothing is sent twice or lost without a word: what was made is dropped, waits, or is in the request that hangs.
    assert_eq!(traces["queued"].as_u64(), Some(512), "{sent}");
    let page = node.text("/metrics").await;
    let line = |name: &str| {
        let of = page.lines().find_map(|line| line.strip_prefix(&format!("{name}{{signal=\"traces\"}} ")));
        of.unwrap_or_else(|| panic!("no {name}: {page}")).parse::<u64>().unwrap()
    };
    assert_eq!((line("evenkeel_otlp_sent_total"), line("evenkeel_otlp_queued")), (0, 512));
    assert!(line("evenkeel_otlp_dropped_total") >= dropped);
    node.node.shutdown().await;
}
