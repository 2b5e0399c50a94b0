//! A started node, a handler of the test's own, and a way to wait for what must become true.
#![allow(dead_code, reason = "each test uses a part of it")]

#[cfg(unix)]
pub mod up;

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use evenkeel_node::client::{Client, Reply};
use evenkeel_node::config;
use evenkeel_node::node::{Means, Node, RunningNode};
use serde_json::Value;

/// Long enough for a loaded machine; nothing is asserted about it.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until `ready` says something.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ready: impl FnMut() -> F) -> T {
    let asking = async {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        loop {
            every.tick().await;
            if let Some(found) = ready().await {
                return found;
            }
        }
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(found) => found,
        Err(_) => panic!("still waiting: {what}"),
    }
}

/// Lets time pass for somebody else.
pub async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// A node of this process on a free port, with its data in `folder`.
pub async fn start(folder: &Path, yaml: &str) -> Started {
    start_with(folder, yaml, Means::default()).await
}

pub async fn start_with(folder: &Path, yaml: &str, means: Means) -> Started {
    let node = Node::start(plan(folder, yaml), means).await.expect("the node starts");
    let client = Client::new(&format!("http://{}", node.http));
    Started { node, client }
}

/// What a file says, on a free port.
pub fn plan(folder: &Path, yaml: &str) -> config::Plan {
    let text = format!("http: {{ listen: \"127.0.0.1:0\" }}\n{yaml}");
    config::parse(&text, folder).expect("a sound configuration")
}

pub struct Started {
    pub node: RunningNode,
    pub client: Client,
}

impl Started {
    pub async fn get(&self, path: &str) -> Value {
        self.client.json("GET", path, None).await.unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// What stands there, as it is.
    pub async fn text(&self, path: &str) -> String {
        let reply = self.client.send("GET", path, &[], Bytes::new(), PATIENCE).await.expect("an answer");
        String::from_utf8_lossy(&reply.body).into_owned()
    }

    /// Publishes with these headers.
    pub async fn post(&self, topic: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        let headers: Vec<(String, String)> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let path = format!("/v1/topics/{topic}/events");
        self.client.send("POST", &path, &headers, body.into(), PATIENCE).await.expect("an answer")
    }

    /// Publishes one event in structured mode, which must be taken.
    pub async fn publish(&self, topic: &str, event: Value) -> Value {
        let reply = self.post(topic, &[("content-type", "application/cloudevents+json")], event.to_string()).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        reply.json().expect("JSON")
    }

    /// The row of a subscription in the audit.
    pub async fn audited(&self, subscription: &str) -> Value {
        let audit = self.get("/v1/audit").await;
        row(&audit, "subscriptions", subscription)
    }
}

/// The row of that name in a list.
pub fn row(answer: &Value, list: &str, name: &str) -> Value {
    let rows = answer[list].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|r| r["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {answer}"))
}

/// What a handler saw.
#[derive(Clone, Debug)]
pub struct Seen {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
    }
}

/// A handler of the test's own.
pub struct Handler {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Handler {
    /// Answers every call with the status that `answer` gives.
    pub async fn start(answer: impl Fn(&Seen) -> u16 + Send + Sync + 'static) -> Handler {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (record, answer) = (seen.clone(), Arc::new(answer));
        let routes = axum::Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
            let (record, answer) = (record.clone(), answer.clone());
            async move {
                let call = Seen { headers, body };
                let status = answer(&call);
                record.lock().unwrap_or_else(PoisonError::into_inner).push(call);
                axum::http::StatusCode::from_u16(status).expect("a status")
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Handler { url, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where a real server listens, by the variable that says so; without it the test notes that it was skipped, or
/// fails where `EVENKEEL_REQUIRE` names the server.
pub fn needs(server: &str, variable: &str) -> Option<String> {
    if let Ok(address) = std::env::var(variable) {
        return Some(address);
    }
    let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == server), "{variable} is not set, and {server} is required");
    println!("skipped: {variable} is not set");
    let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/../skipped.txt");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
    let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{variable}\n").as_bytes()));
    None
}
