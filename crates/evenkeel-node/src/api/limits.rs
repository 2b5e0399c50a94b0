//! Limits of what is taken in: how many requests at once, and how large a body.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;

use super::Problem;
use crate::config::plan::Limits;
use crate::config::units::show_size;
use crate::error::{Error, codes};

/// A body beyond the limit is read and thrown away up to this, so that a client gets to read the
/// answer; beyond it the connection is cut.
const DISCARDED_BYTES_MAX: usize = 64 << 20;

/// `limits.requests` and `limits.headers`.
#[derive(Clone)]
pub(super) struct Gate {
    open: Arc<Semaphore>,
    limits: Limits,
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Gate {
        Gate { open: Arc::new(Semaphore::new(limits.requests_max)), limits }
    }
}

/// Lets a request pass while there are fewer than the limit, and its headers are within theirs.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let limits = gate.limits;
    let Ok(_permit) = gate.open.try_acquire() else {
        let said = format!("{} requests are being answered, and `limits.requests` allows no more", limits.requests_max);
        return Problem::new(503, Error::new(codes::NOT_READY, said)).into_response();
    };
    let headers_bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers_bytes > limits.headers_bytes_max {
        let most = show_size(limits.headers_bytes_max as u64);
        let error = Error::new(codes::TOO_LARGE, format!("the headers are larger than `limits.headers`, {most}"));
        return Problem::new(431, error)
            .with("limit", "limits.headers")
            .with("limit_bytes", limits.headers_bytes_max)
            .into_response();
    }
    next.run(request).await
}

/// The whole body, when it is within `limits.body`.
pub(super) async fn body(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let mut stream = body;
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

async fn next(stream: &mut Body) -> Result<Option<Bytes>, Problem> {
    match std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_frame(cx)).await {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(e)) => {
            let error = Error::new(codes::INVALID_EVENT, format!("the body broke off: {e}"));
            Err(Problem::new(400, error).with("field", "body").with("rule", "must arrive whole"))
        }
    }
}

async fn discard(stream: &mut Body, already: usize) {
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
