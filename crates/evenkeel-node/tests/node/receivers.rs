//! Alerts on their way to those who are told: PagerDuty and Slack by what they document, a webhook,
//! and a real Alertmanager, which must take them for over in the end.
//!
//! Wants `EVENKEEL_TEST_ALERTMANAGER=127.0.0.1:PORT` (`. .ci/servers/alertmanager`) for the last.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use evenkeel_node::client::Client;
use serde_json::{Value, json};

use crate::binary::{err, evenkeel, out};
use crate::support::{Handler, Started, needs, start, until};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Fires when three of the last events were bad, in a second or two.
fn objective(name: &str) -> String {
    format!(
        r#"
apiVersion: openslo/v1
kind: SLO
metadata: {{ name: {name} }}
spec:
  service: shop
  indicator:
    metadata: {{ name: {name} }}
    spec:
      ratioMetric:
        bad: {{ metricSource: {{ type: evenkeel, spec: {{ subscription: s }} }} }}
        total: {{ metricSource: {{ type: evenkeel, spec: {{ subscription: s }} }} }}
  timeWindow: [ {{ duration: 1h, isRolling: true }} ]
  budgetingMethod: Occurrences
  objectives: [ {{ target: 0.99 }} ]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {{ name: quick }}
      spec:
        alertWhenBreaching: true
        alertWhenResolved: true
        conditions:
          - kind: AlertCondition
            metadata:
              name: quick
              annotations: {{ evenkeel/budget-share: "1%", evenkeel/long-window: 4s, evenkeel/short-window: 1s }}
            spec: {{ severity: page, condition: {{ kind: burnrate, op: gt, threshold: 9, lookbackWindow: 1m }} }}
        notificationTargets: [ {{ kind: AlertNotificationTarget, metadata: {{ name: nobody }}, spec: {{ target: x }} }} ]
"#
    )
}

/// A node whose handler fails while the switch says so.
struct House {
    folder: tempfile::TempDir,
    fails: Arc<AtomicBool>,
    handler: Handler,
    events: AtomicU64,
}

impl House {
    async fn new(name: &str) -> House {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("objectives")).unwrap();
        std::fs::write(folder.path().join("objectives/a.yaml"), objective(name)).unwrap();
        let fails = Arc::new(AtomicBool::new(false));
        let switch = fails.clone();
        let handler = Handler::start(move |_| if switch.load(Ordering::SeqCst) { 422 } else { 200 }).await;
        House { folder, fails, handler, events: AtomicU64::new(0) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn yaml(&self, receivers: &str) -> String {
        format!(
            "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions:
  s: {{ topic: orders, handler: {{ http: {{ url: \"{}/\" }} }}, dead_letter_budget: {{ run: 100000, share: 1.0 }} }}
objectives: objectives/*.yaml
alerts:
  receivers:
{receivers}",
            self.handler.url
        )
    }

    /// Publishes until `ready` says something.
    async fn busy<T, F: Future<Output = Option<T>>>(
        &self,
        node: &Started,
        what: &str,
        mut ready: impl FnMut() -> F,
    ) -> T {
        until(what, || {
            let found = ready();
            async {
                let id = self.events.fetch_add(1, Ordering::SeqCst).to_string();
                let event = json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T", "subject": id });
                node.publish("orders", event).await;
                found.await
            }
        })
        .await
    }
}

fn bodies(handler: &Handler) -> Vec<Value> {
    handler.seen().iter().map(|seen| serde_json::from_slice(&seen.body).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_reaches_every_kind_of_receiver_once_and_so_does_its_end() {
    let house = House::new("told").await;
    let slack = Handler::start(|_| 200).await;
    let pagerduty = Handler::start(|_| 202).await;
    let first = AtomicBool::new(true);
    let hook = Handler::start(move |_| if first.swap(false, Ordering::SeqCst) { 500 } else { 200 }).await;
    std::fs::write(house.path().join("slack.url"), format!("{}/services/T0/B0/secretpath\n", slack.url)).unwrap();
    std::fs::write(house.path().join("pd.key"), KEY).unwrap();
    let yaml = house.yaml(&format!(
        "    - {{ name: team, slack: {{ url: {{ file: slack.url }} }} }}
    - {{ name: on-call, pagerduty: {{ url: \"{}/v2/enqueue\", routing_key: {{ file: pd.key }} }} }}
    - {{ name: hook, webhook: {{ url: \"{}/\" }}, heartbeat: 1s }}
    - {{ name: tickets, webhook: {{ url: \"{}/\" }}, matches: [ {{ severity: ticket }} ] }}
",
        pagerduty.url, hook.url, hook.url
    ));
    let node = start(house.path(), &yaml).await;
    house.fails.store(true, Ordering::SeqCst);
    house.busy(&node, "the alert at PagerDuty", async || (!pagerduty.seen().is_empty()).then_some(())).await;
    let alerts = node.get("/v1/alerts").await;
    let firing = alerts["alerts"].as_array().unwrap().iter().find(|a| a["state"] == "firing").expect("it fires");
    let names: Vec<&str> =
        firing["receivers"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["team", "on-call", "hook"], "the one for tickets is not told of a page: {firing}");

    // A restart neither repeats the word nor forgets that it was said.
    node.node.shutdown().await;
    let node = start(house.path(), &yaml).await;
    house.fails.store(false, Ordering::SeqCst);
    house.busy(&node, "the end at PagerDuty", async || (pagerduty.seen().len() >= 2).then_some(())).await;
    until("the end at Slack", async || (slack.seen().len() >= 2).then_some(())).await;
    let told = bodies(&pagerduty);
    let actions: Vec<&str> = told.iter().map(|event| event["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "resolve"], "{told:?}");
    assert_eq!((&told[0]["dedup_key"], &told[0]["routing_key"]), (&told[1]["dedup_key"], &json!(KEY)));
    assert_eq!(bodies(&slack).iter().filter(|message| message["text"].is_string()).count(), 2);
    let ends = || {
        let seen = hook.seen().into_iter().filter(|s| s.header("ce-type") == "evenkeel.notice");
        let states = seen.map(|s| serde_json::from_slice::<Value>(&s.body).unwrap()["state"].clone());
        states.collect::<Vec<_>>()
    };
    until("the end at the webhook", async || ends().contains(&json!("resolved")).then_some(())).await;
    let beats = || hook.seen().iter().filter(|s| s.header("ce-type") == "evenkeel.heartbeat").count();
    until("heartbeats", async || (beats() >= 2).then_some(())).await;

    // Nothing that anybody may read shows a secret.
    let subscriptions = node.get("/v1/subscriptions").await.to_string();
    assert!(subscriptions.contains("evenkeel.notices.team"), "{subscriptions}");
    assert!(!subscriptions.contains("secretpath") && !subscriptions.contains(KEY), "{subscriptions}");
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silenced_alert_is_told_to_nobody_until_the_silence_ends_also_over_a_restart() {
    let house = House::new("quiet").await;
    let hook = Handler::start(|_| 200).await;
    let yaml = house.yaml(&format!("    - {{ name: hook, webhook: {{ url: \"{}/\" }} }}\n", hook.url));
    let node = start(house.path(), &yaml).await;
    let url = format!("http://{}", node.node.http);
    let run = |url: &str, words: &[&str]| {
        let words: Vec<&str> = words.iter().copied().chain(["--node", url]).collect();
        let done = evenkeel(house.path(), &words);
        assert_eq!(done.status.code(), Some(0), "{words:?}: {}", err(&done));
        out(&done)
    };
    let said =
        run(&url, &["alerts", "silence", "--objective", "quiet", "--for", "1h", "--reason", "r7", "--by", "ann"]);
    assert!(said.contains("objective quiet") && said.contains("ann"), "{said}");
    house.fails.store(true, Ordering::SeqCst);
    let silenced = async || {
        let alerts = node.get("/v1/alerts").await;
        alerts["alerts"].as_array().unwrap().iter().any(|a| a["state"] == "silenced").then_some(())
    };
    house.busy(&node, "the silenced alert", silenced).await;
    assert!(run(&url, &["alerts", "show", "quiet"]).contains("hook was not told"));
    node.node.shutdown().await;

    let node = start(house.path(), &yaml).await;
    let url = format!("http://{}", node.node.http);
    let silences = node.get("/v1/alerts/silences").await;
    let id = silences["silences"][0]["id"].as_str().unwrap().to_owned();
    let silenced = async || {
        let alerts = node.get("/v1/alerts").await;
        alerts["alerts"].as_array().unwrap().iter().any(|a| a["silenced_by"] == *id).then_some(())
    };
    house.busy(&node, "the silenced alert after a restart", silenced).await;
    assert!(hook.seen().is_empty(), "nobody was told: {:?}", hook.seen());
    run(&url, &["alerts", "unsilence", &id]);
    house.busy(&node, "the word after the silence", async || (!hook.seen().is_empty()).then_some(())).await;
    assert_eq!(bodies(&hook)[0]["firing"][0]["objective"], "quiet");
    let gone = evenkeel(house.path(), &["alerts", "unsilence", &id, "--node", &url]);
    assert_eq!(gone.status.code(), Some(1), "it is over already");
    let said = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert!(said.contains("unknown-silence") && said.contains("`evenkeel alerts silences` lists them"), "{said}");
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_alertmanager_takes_an_alert_keeps_it_while_it_fires_and_takes_it_for_over() {
    let Some(address) = needs("alertmanager", "EVENKEEL_TEST_ALERTMANAGER") else { return };
    let name = format!("am-{}", std::process::id());
    let house = House::new(&name).await;
    let yaml = house.yaml(&format!(
        "    - {{ name: am, alertmanager: {{ url: \"http://{address}\" }}, repeat: 1s, heartbeat: 1s }}\n"
    ));
    let node = start(house.path(), &yaml).await;
    let am = Client::new(&format!("http://{address}"));
    let known = async || -> Vec<Value> {
        let alerts = am.json("GET", "/api/v2/alerts", None).await.expect("an answer");
        alerts.as_array().unwrap().iter().filter(|a| a["labels"]["slo"] == *name).cloned().collect()
    };
    house.fails.store(true, Ordering::SeqCst);
    let alert = house.busy(&node, "the alert there", async || known().await.pop()).await;
    assert_eq!(alert["labels"]["alertname"], "ErrorBudgetBurn", "{alert}");
    assert_eq!(alert["labels"]["severity"], "page", "{alert}");
    let began = alert["startsAt"].clone();
    let later = |alerts: Vec<Value>| alerts.into_iter().find(|a| a["updatedAt"] != alert["updatedAt"]);
    let again = house.busy(&node, "the alert said again", async || later(known().await)).await;
    assert_eq!(again["startsAt"], began, "it is the same one");
    house.fails.store(false, Ordering::SeqCst);
    house.busy(&node, "its end", async || known().await.is_empty().then_some(())).await;
    let alerts = am.json("GET", "/api/v2/alerts", None).await.expect("an answer");
    let alive = alerts.as_array().unwrap().iter().any(|a| a["labels"]["alertname"] == "EvenkeelHeartbeat");
    assert!(alive, "{alerts}");
    node.node.shutdown().await;
}
