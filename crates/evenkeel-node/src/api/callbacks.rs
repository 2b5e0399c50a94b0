//! `POST /v1/callbacks/{token}`: a handler that answered 202 says what came of it.
//!
//! Headers and body mean what they mean in an answer with status 200 (docs/guide/handlers.md).
//! A token is good once; who has it may answer, and nobody can guess it.

use axum::extract::{Path, Request, State};
use http::StatusCode;

use super::{Node, Problem, limits};
use crate::error::{Error, codes};

/// Passes it on to the attempt that waits for it.
pub(super) async fn answer(
    State(node): Node,
    Path(token): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (head, body) = request.into_parts();
    let body = limits::body(&head.headers, body, node.plan().limits.body_bytes_max).await?;
    if node.callbacks.answer(&token, head.headers, body) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let said =
        "nobody waits for this callback: it was answered already, it came too late, or the node was started anew";
    Err(Problem::new(404, Error::new(codes::UNKNOWN_CALLBACK, said)))
}
