//! A small HTTP client: for the verbs that speak to a node, and for the calls of playbooks.
//!
//! Follows no redirect, retries nothing, and bounds what it reads.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::error::{Error, codes};

/// More than this of an answer is not read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A client of one node, or of anybody when its base is empty.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// `Retry-After` in seconds, where it was given so.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// A client whose paths are relative to `base`, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Client {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(4))
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .build(connector);
        Client { base: base.trim_end_matches('/').to_owned(), http }
    }

    /// One exchange. An answer of any status is a reply.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Bytes,
        timeout: Duration,
    ) -> Result<Reply, Error> {
        let url = format!("{}{path}", self.base);
        let mut request = http::Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|e| Error::new(codes::NODE_UNREACHABLE, format!("`{url}` cannot be asked: {e}")).exit(2))?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|e| self.unreachable(&url, &deepest(&e)))?;
            let status = response.status().as_u16();
            let retry_after = response.headers().get(http::header::RETRY_AFTER).and_then(seconds);
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|e| self.unreachable(&url, &e.to_string()))?.to_bytes();
            Ok(Reply { status, retry_after, body })
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(self.unreachable(&url, &format!("no answer within {timeout:?}"))))
    }

    /// Asks for a JSON document; a problem document becomes its error.
    pub async fn json(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, Error> {
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let bytes = body.map(|b| Bytes::from(b.to_string())).unwrap_or_default();
        let reply = self.send(method, path, &headers, bytes, Duration::from_secs(60)).await?;
        reply.json()
    }

    fn unreachable(&self, url: &str, why: &str) -> Error {
        let error = Error::new(codes::NODE_UNREACHABLE, format!("`{url}` does not answer: {why}"));
        if self.base.is_empty() {
            error
        } else {
            error.hint("is the node up? `--node URL` or EVENKEEL_NODE says where")
        }
    }
}

impl Reply {
    /// The document of a 2xx answer; else the error that the problem document names.
    pub fn json(&self) -> Result<Value, Error> {
        if (200..300).contains(&self.status) {
            return serde_json::from_slice(&self.body)
                .map_err(|e| Error::new(codes::NODE_ANSWER, format!("the answer is not JSON: {e}")));
        }
        Err(self.problem())
    }

    /// The error that the problem document of this answer names.
    pub fn problem(&self) -> Error {
        let document: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let code = text("code").and_then(|code| codes::known(&code)).unwrap_or(codes::NODE_ANSWER);
        let message = text("detail").unwrap_or_else(|| format!("the node answered {}", self.status));
        Error { code, message, hint: text("hint"), exit: 1 }
    }
}

fn seconds(value: &http::HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The innermost cause says what happened; those around it say where.
fn deepest(e: &dyn std::error::Error) -> String {
    let mut cause = e;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
