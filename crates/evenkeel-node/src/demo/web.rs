//! HTTP as the demo's processes speak it: JSON to and from 127.0.0.1, with a bound on every wait.
//!
//! No redirects, no retries: whoever asks decides what to do with a failure.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A client; clones share its connections.
#[derive(Clone)]
pub(crate) struct Web {
    client: Client<HttpConnector, Full<Bytes>>,
    patience: Duration,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Web {
    pub(crate) fn patient_for(patience: Duration) -> Web {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Web { client: Client::builder(TokioExecutor::new()).build(connector), patience }
    }

    /// The JSON behind a URL; an answer other than 2xx is an error.
    pub(crate) async fn get(&self, url: &str) -> Result<Value, String> {
        self.ok(Method::GET, url, Bytes::new(), "application/json").await
    }

    /// Posts JSON; an answer other than 2xx is an error.
    pub(crate) async fn post(&self, url: &str, body: &Value) -> Result<Value, String> {
        self.ok(Method::POST, url, body.to_string().into(), "application/json").await
    }

    /// Sends, and gives back whatever was answered.
    pub(crate) async fn send(&self, method: Method, url: &str, body: Bytes, kind: &str) -> Result<Answer, String> {
        let sending = self.exchange(method, url, body, kind);
        match tokio::time::timeout(self.patience, sending).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("{url}: no answer within {:?}", self.patience)),
        }
    }

    async fn ok(&self, method: Method, url: &str, body: Bytes, kind: &str) -> Result<Value, String> {
        let answer = self.send(method, url, body, kind).await?;
        match answer.status.is_success() {
            true => Ok(answer.body),
            false => Err(format!("{url}: {} {}", answer.status, answer.body)),
        }
    }

    async fn exchange(&self, method: Method, url: &str, body: Bytes, kind: &str) -> Result<Answer, String> {
        let request = Request::builder().method(method).uri(url).header(header::CONTENT_TYPE, kind);
        let request = request.body(Full::new(body)).map_err(|e| format!("{url}: {e}"))?;
        let response = self.client.request(request).await.map_err(|e| format!("{url}: {}", root(&e)))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|e| format!("{url}: {e}"))?.to_bytes();
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        Ok(Answer { status, body })
    }
}

/// The innermost cause: "Connection refused" says more than "client error".
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(deeper) = error.source() {
        error = deeper;
    }
    error.to_string()
}
