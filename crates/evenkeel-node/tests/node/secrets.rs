//! Secrets of a configuration, and everything that a node says of itself: none of them is in it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use evenkeel_node::client::Client;

use crate::support::{PATIENCE, until};

const SECRETS: [(&str, &str); 4] = [
    ("SIGN_SECRET", "whsec_c2lnbi1zaWduLXNpZ24tc2lnbi1zaWdu"),
    ("HOOK_SECRET", "whsec_aG9vay1ob29rLWhvb2staG9vay1ob29r"),
    ("PD_KEY", "0123456789abcdefHUNTER2HUNTER2ab"),
    ("OTLP_TOKEN", "Bearer hunter2-of-the-collector"),
];
const SLACK: &str = "http://127.0.0.1:9/services/T000/B000/hunter2-of-the-channel";

const YAML: &str = "http: { listen: \"127.0.0.1:0\" }
log: { level: trace, format: json, per_minute: 0 }
topics: { orders: { partitions: 1 } }
subscriptions:
  s: { topic: orders, handler: { http: { url: \"http://127.0.0.1:9/\", sign: [ { env: SIGN_SECRET } ] } } }
alerts:
  receivers:
    - { name: pager, pagerduty: { routing_key: { env: PD_KEY }, url: \"http://127.0.0.1:9/\" } }
    - { name: channel, slack: { url: { file: ./slack.url } } }
    - { name: hook, webhook: { url: \"http://127.0.0.1:9/\", sign: [ { env: HOOK_SECRET } ] }, heartbeat: 10s }
telemetry: { otlp: { endpoint: \"http://127.0.0.1:9\", headers: { authorization: { env: OTLP_TOKEN } }, interval: 1s } }
";

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn evenkeel(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.current_dir(folder).args(words).envs(SECRETS);
    command
}

/// None of them is in it, nor what makes them secret.
fn is_clean(what: &str, text: &str) {
    for secret in SECRETS.map(|(_, secret)| secret).into_iter().chain([SLACK, "hunter2", "HUNTER2"]) {
        let at = text.find(secret);
        assert!(
            at.is_none(),
            "{what}: `{secret}` in {:?}",
            at.map(|at| &text[at.saturating_sub(200)..at + secret.len()])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_log_line_a_metric_an_answer_or_what_check_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evenkeel.yaml"), YAML).unwrap();
    std::fs::write(folder.path().join("slack.url"), format!("{SLACK}\n")).unwrap();
    let checked = evenkeel(folder.path(), &["check"]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    is_clean("check", &String::from_utf8_lossy(&checked.stdout));

    let lines = folder.path().join("lines.jsonl");
    let stderr = std::fs::File::create(&lines).unwrap();
    let mut node = evenkeel(folder.path(), &["up"]).stdout(Stdio::piped()).stderr(stderr).spawn().map(Killed).unwrap();
    let mut ready = String::new();
    BufReader::new(node.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let address =
        ready.split("http ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{ready}"));
    let client = Client::new(&format!("http://{address}"));
    let event = r#"{"specversion":"1.0","id":"a","source":"/shop","type":"T","data":{"card":4111}}"#;
    let kind = [("content-type".to_owned(), "application/cloudevents+json".to_owned())];
    let sent = client.send("POST", "/v1/topics/orders/events", &kind, event.into(), PATIENCE).await.unwrap();
    assert_eq!(sent.status, 200);
    // The collector was called by then, with its token, and is not there; nor is the handler.
    let told = until("what goes wrong", async || {
        let told = std::fs::read_to_string(&lines).unwrap_or_default();
        told.contains("collector-down").then_some(told)
    })
    .await;
    assert!(told.contains("TRACE") && told.lines().count() > 20, "everything is written: {told}");
    is_clean("the log", &told);
    for path in ["/metrics", "/", "/v1/telemetry", "/v1/subscriptions", "/v1/alerts", "/v1/audit", "/openapi.json"] {
        let answer = client.send("GET", path, &[], Vec::new().into(), PATIENCE).await.unwrap();
        assert_eq!(answer.status, 200, "{path}");
        is_clean(path, &String::from_utf8_lossy(&answer.body));
    }
}
