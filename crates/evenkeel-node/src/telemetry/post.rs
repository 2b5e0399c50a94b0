//! One request to the collector: OTLP over HTTP (protobuf), or over gRPC.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use evenkeel_transport::http::{Roots, client_config};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TE};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::config::telemetry::{Otlp, Protocol, Signal};
use crate::error::{Error, codes};

/// More than this of an answer is not read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How a request failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// The same request would fail again.
    ForGood(String),
    /// It may be taken later; after so long, where the collector said so.
    ForNow(String, Option<Duration>),
}

impl Failed {
    pub(super) fn words(self) -> String {
        match self {
            Failed::ForGood(why) | Failed::ForNow(why, _) => why,
        }
    }
}

/// The way to the collector.
pub(super) struct Post {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: String,
    protocol: Protocol,
    headers: HeaderMap,
    timeout: Duration,
}

impl Post {
    /// Reads what is secret.
    pub(super) fn new(plan: &Otlp) -> Result<Post, Error> {
        let wrong = |why: String| Error::new(codes::CONFIG_VALUE, format!("`telemetry.otlp`: {why}"));
        let mut headers = HeaderMap::new();
        for (name, from) in &plan.headers {
            let key = format!("telemetry.otlp.headers.{name}");
            let secret = from.look_up(&key)?;
            let said = |what| Error::new(codes::CONFIG_VALUE, format!("`{key}`: {what}"));
            let name = HeaderName::try_from(name).map_err(|_| said("is no name of a header"))?;
            let mut value = HeaderValue::try_from(secret.trim()).map_err(|_| said("holds what no header may have"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let tls = client_config(&Roots::System, plan.endpoint.starts_with("https:")).map_err(wrong)?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(plan.timeout));
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let is_grpc = plan.protocol == Protocol::Grpc;
        let connector = match is_grpc {
            true => builder.enable_http2().wrap_connector(connector),
            false => builder.enable_http1().wrap_connector(connector),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_timer(TokioTimer::new())
            .http2_only(is_grpc)
            .build(connector);
        let endpoint = plan.endpoint.trim_end_matches('/').to_owned();
        Ok(Post { client, endpoint, protocol: plan.protocol, headers, timeout: plan.timeout })
    }

    /// Sends a request of a signal.
    pub(super) async fn send(&self, signal: Signal, body: Bytes) -> Result<(), Failed> {
        let later = |why: String| Failed::ForNow(why, None);
        let request = self.request(signal, body).map_err(Failed::ForGood)?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|e| later(format!("no connection: {e}")))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|e| later(format!("its answer broke off: {e}")))?;
            match self.protocol {
                Protocol::Http => by_status(head.status, &head.headers),
                Protocol::Grpc => by_trailers(head.status, &head.headers, body.trailers()),
            }
        };
        let came = tokio::time::timeout(self.timeout, exchange).await;
        came.unwrap_or_else(|_| Err(later(format!("no answer within {:?}", self.timeout))))
    }

    fn request(&self, signal: Signal, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let (path, kind, body) = match self.protocol {
            Protocol::Http => (format!("/v1/{}", signal.name()), "application/x-protobuf", body),
            Protocol::Grpc => (method(signal), "application/grpc", framed(&body)),
        };
        let uri: Uri = format!("{}{path}", self.endpoint).parse().map_err(|e| format!("`{path}`: {e}"))?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self.protocol == Protocol::Grpc {
            request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        }
        Ok(request)
    }
}

fn method(signal: Signal) -> String {
    let (package, service) = match signal {
        Signal::Traces => ("trace", "TraceService"),
        Signal::Metrics => ("metrics", "MetricsService"),
        Signal::Logs => ("logs", "LogsService"),
    };
    format!("/opentelemetry.proto.collector.{package}.v1.{service}/Export")
}

/// A message of gRPC: not compressed, behind its length.
fn framed(body: &Bytes) -> Bytes {
    let mut framed = BytesMut::with_capacity(body.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(body);
    framed.freeze()
}

/// Which may pass, the specification says.
fn by_status(status: StatusCode, headers: &HeaderMap) -> Result<(), Failed> {
    let said = format!("HTTP {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(()),
        429 | 502 | 503 | 504 => {
            let wish = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
            Err(Failed::ForNow(said, wish.map(Duration::from_secs)))
        }
        _ => Err(Failed::ForGood(said)),
    }
}

/// gRPC says it in the trailers, or in the headers where there is nothing else.
fn by_trailers(status: StatusCode, headers: &HeaderMap, trailers: Option<&HeaderMap>) -> Result<(), Failed> {
    let code = trailers.and_then(|t| t.get("grpc-status")).or_else(|| headers.get("grpc-status"));
    let Some(code) = code.and_then(|code| code.to_str().ok()) else {
        return Err(Failed::ForNow(format!("HTTP {} without a gRPC status", status.as_u16()), None));
    };
    match code {
        "0" => Ok(()),
        // Cancelled, deadline, exhausted, aborted, out of range, unavailable, data loss.
        "1" | "4" | "8" | "10" | "11" | "14" | "15" => Err(Failed::ForNow(format!("gRPC status {code}"), None)),
        _ => Err(Failed::ForGood(format!("gRPC status {code}"))),
    }
}
