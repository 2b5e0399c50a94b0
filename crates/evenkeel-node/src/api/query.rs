//! The query of a request. Like a body's members, parameters that are not known are refused, never
//! ignored: who goes on by a cursor under a wrong name would read the first page for ever.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Problem;

/// The parameters of a request, all of them known.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Parameters(parameters)),
            Err(e) => {
                let all = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map(|q| q.0).unwrap_or_default();
                Err(problem(&e.body_text(), &all))
            }
        }
    }
}

/// Which parameter it is, and what it has to be, as far as the text says so.
fn problem(said: &str, all: &[(String, String)]) -> Problem {
    let about = |(name, _): &&(String, String)| {
        [format!(": {name}: "), format!("unknown field `{name}`"), format!("duplicate field `{name}`")]
            .iter()
            .any(|mention| said.contains(mention))
    };
    let Some((name, value)) = all.iter().find(about) else { return Problem::parameter("query", "", said) };
    let rule = match said.split_once("expected ") {
        Some((_, known)) if said.contains("unknown field") => format!("is not known; there is {known}"),
        _ if said.contains("duplicate field") => "stands there twice".to_owned(),
        _ => "must be a whole number".to_owned(),
    };
    Problem::parameter(name, value, &rule)
}
