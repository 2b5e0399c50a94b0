//! Limits of what is taken in: how many requests at once, and how large a body.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;

use super::Problem;
use crate::config::units::show_size;
use crate::error::{Error, codes};

/// A body beyond the limit is read and thrown away up to this, so that a client gets to read the
/// answer; beyond it the connection is cut.
const DISCARDED_BYTES_MAX: usize = 64 << 20;

/// `limits.requests`.
#[derive(Clone)]
pub(super) struct Gate(Arc<Semaphore>, usize);

impl Gate {
    pub(super) fn new(requests_max: usize) -> Gate {
        Gate(Arc::new(Semaphore::new(requests_max)), requests_max)
    }
}

/// Lets a request pass while there are fewer than the limit.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Ok(_permit) = gate.0.try_acquire() else {
        let said = format!("{} requests are being answered, and `limits.requests` allows no more", gate.1);
        return Problem::new(503, Error::new(codes::NOT_READY, said)).into_response();
    };
    next.run(request).await
}

/// The whole body, when it is within `limits.body`.
pub(super) async fn body(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let mut stream = body.into_data_stream();
    if declared.is_some_and(|n: usize| n > bytes_max) {
        discard(&mut stream, 0).await;
        return Err(too_large(bytes_max));
    }
    let mut whole = BytesMut::with_capacity(declared.unwrap_or(0));
    while let Some(chunk) = next(&mut stream).await? {
        if whole.len() + chunk.len() > bytes_max {
            discard(&mut stream, whole.len()).await;
            return Err(too_large(bytes_max));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

async fn next(stream: &mut BodyDataStream) -> Result<Option<Bytes>, Problem> {
    use http_body_util::BodyExt as _;
    let _ = &stream;
    match std::pin::Pin::new(stream).frame().await {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(e)) => {
            let error = Error::new(codes::INVALID_EVENT, format!("the body broke off: {e}"));
            Err(Problem::new(400, error).with("field", "body").with("rule", "must arrive whole"))
        }
    }
}

async fn discard(stream: &mut BodyDataStream, already: usize) {
    let mut read = already;
    while let Ok(Some(chunk)) = next(stream).await {
        read += chunk.len();
        if read > DISCARDED_BYTES_MAX {
            return;
        }
    }
}

fn too_large(bytes_max: usize) -> Problem {
    let said = format!("the body is larger than `limits.body`, {}", show_size(bytes_max as u64));
    Problem::new(413, Error::new(codes::TOO_LARGE, said).hint("send the events in smaller batches"))
        .with("limit", "limits.body")
        .with("limit_bytes", bytes_max)
}
