//! `/metrics` as a real Prometheus reads it, where there is one: `EVENKEEL_TEST_PROMETHEUS` names the folder of its
//! binaries (`. .ci/servers/prometheus` sets it).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use evenkeel_node::client::Client;
use evenkeel_node::metrics::{Form, names};
use serde_json::{Value, json};

use crate::binary::{err, evenkeel, out};
use crate::support::{Handler, PATIENCE, Started, start, until};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

const OBJECTIVE: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: { name: success }
spec:
  service: shop
  indicator:
    metadata: { name: of-s }
    spec:
      ratioMetric:
        bad: { metricSource: { type: evenkeel, spec: { subscription: s } } }
        total: { metricSource: { type: evenkeel, spec: { subscription: s } } }
  timeWindow: [ { duration: 30d, isRolling: true } ]
  budgetingMethod: Occurrences
  objectives: [ { target: 0.9 } ]
"#;

/// The folder of the binaries; else the test notes itself, or fails where it is required.
fn binaries() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("EVENKEEL_TEST_PROMETHEUS") {
        return Some(PathBuf::from(folder));
    }
    let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == "prometheus"), "EVENKEEL_TEST_PROMETHEUS is required and not set");
    println!("skipped: EVENKEEL_TEST_PROMETHEUS is not set");
    let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/../skipped.txt");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
    let _ = file.and_then(|mut file| writeln!(file, "node: prometheus (EVENKEEL_TEST_PROMETHEUS)"));
    None
}

/// A node that has counted 19 good events and a bad one, and its handler.
async fn counted(folder: &Path) -> Started {
    let handler = Handler::start(|seen| if seen.header("ce-id") == "7" { 422 } else { 200 }).await;
    std::fs::create_dir(folder.join("objectives")).unwrap();
    std::fs::write(folder.join("objectives/a.yaml"), OBJECTIVE).unwrap();
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{}/\" }} }} }} }}
objectives: objectives/*.yaml
",
        handler.url
    );
    std::fs::write(folder.join("evenkeel.yaml"), &yaml).unwrap();
    let node = start(folder, &yaml).await;
    for id in 0..20 {
        let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
        let event = json!({ "specversion": "1.0", "id": id.to_string(), "source": "/shop", "type": "T", "traceparent": parent });
        node.publish("orders", event).await;
    }
    let all = async || node.get("/v1/slos").await["slos"][0]["good"] == 19;
    until("all events ended", || async { all().await.then_some(()) }).await;
    node
}

async fn metrics(node: &Started, form: Form) -> Bytes {
    let accept = [("accept".to_owned(), form.content_type().to_owned())];
    let reply = node.client.send("GET", "/metrics", &accept, Bytes::new(), PATIENCE).await.unwrap();
    assert_eq!(reply.status, 200);
    reply.body
}

/// A real Prometheus that is killed with the test.
struct Prometheus(Child, Client);

impl Prometheus {
    fn start(binaries: &Path, folder: &Path, target: &str, rules: &str, features: &str) -> Prometheus {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        std::fs::write(folder.join("rules.yml"), rules).unwrap();
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [ rules.yml ]
scrape_configs: [ {{ job_name: node, static_configs: [ {{ targets: [ \"{target}\" ] }} ] }} ]
"
        );
        std::fs::write(folder.join("prometheus.yml"), config).unwrap();
        let child = Command::new(binaries.join("prometheus"))
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={free}"))
            .arg(format!("--enable-feature={features}"))
            .arg("--log.level=warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Prometheus(child, Client::new(&format!("http://{free}")))
    }

    /// The exemplars of a metric have this event's trace and an event's id.
    async fn has_exemplars(&self, metric: &str) {
        let query = format!("/api/v1/query_exemplars?query={metric}&start=1700000000&end=4000000000");
        let labels =
            until("exemplars", || async { self.ask(&query).await?.pointer("/data/0/exemplars/0/labels").cloned() })
                .await;
        assert_eq!(labels[names::TRACE_ID], TRACE, "{labels}");
        assert!(labels[names::EVENT_ID].is_string(), "{labels}");
    }

    async fn is_up(&self) {
        let target = until("a scrape", || async {
            let targets = self.ask("/api/v1/targets").await?;
            let target = targets.pointer("/data/activeTargets/0")?.clone();
            (target["health"] != "unknown").then_some(target)
        })
        .await;
        assert_eq!((target["health"].as_str(), target["lastError"].as_str()), (Some("up"), Some("")), "{target}");
    }

    async fn ask(&self, path: &str) -> Option<Value> {
        self.1.json("GET", path, None).await.ok()
    }

    /// The only value of an instant query, once there is one.
    async fn value(&self, query: &str) -> f64 {
        let path = asking(query);
        until(query, || async { self.ask(&path).await?.pointer("/data/result/0/value/1")?.as_str()?.parse().ok() })
            .await
    }

    /// How many series a query has: an error is one of the test.
    async fn series(&self, query: &str) -> usize {
        let reply = self.1.send("GET", &asking(query), &[], Bytes::new(), PATIENCE).await.unwrap();
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        assert_eq!(answer["status"], "success", "{query}: {}", String::from_utf8_lossy(&reply.body));
        answer["data"]["result"].as_array().unwrap().len()
    }

    /// Each query of each panel and variable of a dashboard is understood, and has something to show.
    async fn fills(&self, dashboard: &str) {
        let dashboard: Value = serde_json::from_str(dashboard).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let of = |panel: &Value| panel["targets"].as_array().unwrap().iter().map(|t| t["expr"].clone()).collect();
        let asked: Vec<Value> = panels.iter().flat_map(|panel| -> Vec<Value> { of(panel) }).collect();
        assert!(asked.len() >= panels.len() && !panels.is_empty());
        let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
        let values = variables.filter_map(|variable| {
            let metric = variable["query"].as_str()?.strip_prefix("label_values(")?.split(',').next()?;
            Some(Value::from(metric))
        });
        for query in asked.iter().cloned().chain(values) {
            let query = query.as_str().unwrap();
            let all =
                query.replace("$subscription", ".*").replace("$objective", ".*").replace("$__rate_interval", "1m");
            assert!(!all.contains('$'), "{query}");
            until(query, || async { (self.series(&all).await > 0).then_some(()) }).await;
        }
    }
}

fn asking(query: &str) -> String {
    format!("/api/v1/query?query={}", query.bytes().map(|b| format!("%{b:02X}")).collect::<String>())
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_to_say_of_the_text_form() {
    let Some(binaries) = binaries() else { return };
    let folder = tempfile::tempdir().unwrap();
    let node = counted(folder.path()).await;
    let text = metrics(&node, Form::Text).await;
    let mut child = Command::new(binaries.join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), err(&done).as_str()), (Some(0), ""), "clean");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_scrapes_both_its_forms_and_records_under_the_names_of_sloth() {
    let Some(binaries) = binaries() else { return };
    let folder = tempfile::tempdir().unwrap();
    let node = counted(folder.path()).await;
    let rules = evenkeel(folder.path(), &["slo", "rules"]);
    assert_eq!(rules.status.code(), Some(0), "{}", err(&rules));
    let target = node.node.http.to_string();
    let native = "native-histograms,exemplar-storage";
    let prometheus = Prometheus::start(&binaries, folder.path(), &target, &out(&rules), native);
    prometheus.is_up().await;
    // With native histograms on it asks for protobuf: only there such a histogram can be.
    let count = prometheus.value(&format!("histogram_count({})", names::LATENCY.name)).await;
    assert!((count - 19.0).abs() < 1e-9, "a native histogram of all completed events: {count}");
    let error = prometheus.value("slo:sli_error:ratio_rate5m{sloth_id=\"shop-success\"}").await;
    assert!((error - 0.05).abs() < 1e-9, "{error}");
    let left = prometheus.value("slo:period_error_budget_remaining:ratio{sloth_slo=\"success\"}").await;
    assert!((left - 0.5).abs() < 1e-9, "{left}");
    prometheus.has_exemplars(names::LATENCY.name).await;
    drop(prometheus);

    // Else it asks for OpenMetrics, and has the classic buckets.
    let folder = tempfile::tempdir().unwrap();
    let prometheus = Prometheus::start(&binaries, folder.path(), &target, "groups: []\n", "exemplar-storage");
    prometheus.is_up().await;
    let all = prometheus.value(&format!("sum({}_bucket{{le=\"+Inf\"}})", names::LATENCY.name)).await;
    assert!((all - 19.0).abs() < 1e-9, "{all}");
    prometheus.has_exemplars(&format!("{}_bucket", names::LATENCY.name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboards_has_data_in_a_real_prometheus_with_classic_and_with_native_histograms() {
    let Some(binaries) = binaries() else { return };
    let folder = tempfile::tempdir().unwrap();
    let node = counted(folder.path()).await;
    for features in ["exemplar-storage", "native-histograms,exemplar-storage"] {
        let folder = tempfile::tempdir().unwrap();
        let prometheus =
            Prometheus::start(&binaries, folder.path(), &node.node.http.to_string(), "groups: []\n", features);
        prometheus.is_up().await;
        prometheus.fills(include_str!("../../../../docs/grafana/overview.json")).await;
        prometheus.fills(include_str!("../../../../docs/grafana/objectives.json")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exemplars_name_event_and_trace_in_open_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let node = counted(folder.path()).await;
    let text = String::from_utf8(metrics(&node, Form::OpenMetrics).await.to_vec()).unwrap();
    let bucket = format!("{}_bucket{{subscription=\"s\"", names::LATENCY.name);
    let with: Vec<&str> = text.lines().filter(|l| l.starts_with(&bucket) && l.contains(" # {event_id=\"")).collect();
    assert!(!with.is_empty(), "{text}");
    assert!(with[0].contains(&format!("trace_id=\"{TRACE}\"}}")), "{with:?}");
}
