//! `POST /v1/callbacks/{token}`: a handler that answered 202 says what came of it.
//!
//! Headers and body mean what they mean in an answer with status 200 (docs/guide/handlers.md).
//! It is on the medium before it is answered 204. A token is good once; who has it may answer, and nobody can guess it.

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
    let unknown = "it is not known whether the callback counts: say it again";
    match node.callbacks.answer(&token, head.headers, body).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => {
            let said = "nobody waits for this callback: it was answered already, or it came too late";
            Err(Problem::new(404, Error::new(codes::UNKNOWN_CALLBACK, said)))
        }
        Err(problem) => Err(Problem::new(503, Error::new(codes::LOG_STOPPED, format!("{unknown} ({problem})")))),
    }
}
