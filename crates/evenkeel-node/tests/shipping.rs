//! The shipping service, in Rust and in Python: the same promises, tried in the same way.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop/shipping.py");

/// A running service; it ends with the test.
struct Shipping {
    process: Child,
    dir: tempfile::TempDir,
    port: u16,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Drop for Shipping {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn rust() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.args(["shop-service", "shipping"]);
    command
}

/// None without Python, which is noted, and a failure where it is required.
fn python() -> Option<Command> {
    let version = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "python3"), "python3 is required and not there");
        let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/../skipped.txt");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
        let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, b"shipping: python3\n"));
        return None;
    }
    let mut command = Command::new("python3");
    command.arg(PYTHON);
    Some(command)
}

impl Shipping {
    async fn start(mut command: Command, dir: tempfile::TempDir) -> Shipping {
        let port_file = dir.path().join("shipping.port");
        let _ = std::fs::remove_file(&port_file);
        let process = command.arg("--dir").arg(dir.path()).spawn().unwrap();
        let port = tokio::time::timeout(Duration::from_secs(60), port_in(&port_file)).await.unwrap();
        Shipping { process, dir, port, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    async fn post(&self, path: &str, key: &str, kind: &str, body: Value) -> (u16, Value) {
        let request = Request::post(format!("http://127.0.0.1:{}{path}", self.port))
            .header("content-type", "application/json")
            .header("idempotency-key", format!("\"{key}\""))
            .header("ce-id", "payment-7")
            .header("ce-type", kind)
            .header("ce-partitionkey", "17850")
            .header("evenkeel-attempt", "2")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn book(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("shipping.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

async fn port_in(path: &Path) -> u16 {
    loop {
        if let Ok(Ok(port)) = std::fs::read_to_string(path).map(|text| text.trim().parse()) {
            return port;
        }
        tokio::task::yield_now().await;
    }
}

fn payment() -> Value {
    json!({ "order": "7", "units": 3, "pence": 1999 })
}

async fn keeps_its_promises(command: impl Fn() -> Command) {
    let shipping = Shipping::start(command(), tempfile::tempdir().unwrap()).await;
    let first = shipping.post("/events", "k1", "PaymentCaptured", payment()).await;
    assert_eq!(first, (200, json!({ "order": "7", "shipped": 3 })));
    assert_eq!(shipping.post("/events", "k1", "PaymentCaptured", payment()).await, first);
    let book = shipping.book();
    assert_eq!(book.len(), 1);
    for (field, value) in [("key", "k1"), ("effect", "ship"), ("order", "7"), ("customer", "17850")] {
        assert_eq!(book[0][field], value, "{field}");
    }
    assert_eq!((book[0]["units"].as_i64(), book[0]["pence"].as_i64()), (Some(3), Some(1999)));
    assert_eq!(shipping.post("/events", "k2", "OrderCreated", payment()).await.0, 422);
    assert_eq!(shipping.post("/events", "k2", "PaymentCaptured", json!({ "order": "8" })).await.0, 422);

    shipping.post("/faults", "-", "-", json!({ "mode": "wedged" })).await;
    shipping.post("/faults", "-", "-", json!({ "mode": "ok" })).await;
    assert_eq!(shipping.post("/events", "k3", "PaymentCaptured", payment()).await.0, 500);
    shipping.post("/recycle", "-", "-", json!({})).await;
    assert_eq!(shipping.post("/events", "k3", "PaymentCaptured", payment()).await.0, 200);
    assert_eq!(shipping.book().len(), 2);
    remembers_after_a_kill(shipping, command()).await;
}

/// Killed with a torn line at the end of its book, it comes back and knows its keys.
async fn remembers_after_a_kill(mut shipping: Shipping, command: Command) {
    shipping.process.kill().unwrap();
    shipping.process.wait().unwrap();
    let dir = std::mem::replace(&mut shipping.dir, tempfile::tempdir().unwrap());
    let path = dir.path().join("shipping.jsonl");
    let torn = [std::fs::read(&path).unwrap(), b"{\"key\":\"k9\",".to_vec()].concat();
    std::fs::write(&path, torn).unwrap();
    let again = Shipping::start(command, dir).await;
    assert_eq!(again.post("/events", "k1", "PaymentCaptured", payment()).await.0, 200);
    assert_eq!(again.book().len(), 2);
    assert_eq!(again.post("/events", "k9", "PaymentCaptured", payment()).await.0, 200);
    assert_eq!(again.book().len(), 3);
}

#[tokio::test]
async fn shipping_in_rust_keeps_its_promises() {
    keeps_its_promises(rust).await;
}

#[tokio::test]
async fn shipping_in_python_keeps_its_promises() {
    if python().is_some() {
        keeps_its_promises(|| python().unwrap()).await;
    }
}
