//! Errors as problem documents (RFC 9457), with the code, the hint and what is known besides.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::config::nearest;
use crate::error::{Error, codes};
use crate::wiring::Wired;

/// After so many seconds a client may ask again.
const RETRY_AFTER_S: u64 = 1;

/// An error on its way to a client.
#[derive(Debug)]
pub(crate) struct Problem {
    status: u16,
    error: Error,
    more: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(status: u16, error: Error) -> Problem {
        Problem { status, error, more: Map::new() }
    }

    /// Adds a member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// A parameter of the request that cannot be used.
    pub(crate) fn parameter(name: &str, found: &str, rule: &str) -> Problem {
        Problem::new(400, Error::new(codes::INVALID_PARAMETER, format!("`{name}` {rule}; it was `{found}`")))
            .with("field", name)
            .with("value", found)
            .with("rule", rule)
    }

    pub(crate) fn unknown_topic(node: &Wired, name: &str) -> Problem {
        let topics = node.log.topics();
        let users = topics.iter().map(|t| &*t.name).filter(|n| !n.starts_with(evenkeel_model::names::OWN_PREFIX));
        unknown("topic", codes::UNKNOWN_TOPIC, name, users.collect())
    }

    pub(crate) fn unknown_dependency(name: &str, known: Vec<&str>) -> Problem {
        unknown("dependency", codes::UNKNOWN_DEPENDENCY, name, known)
    }

    pub(crate) fn unknown_agreement(name: &str, known: Vec<&str>) -> Problem {
        unknown("agreement", codes::UNKNOWN_AGREEMENT, name, known)
    }

    /// A silence or an exclusion that is over, or never was; `lists` is the verb that shows those that are.
    pub(crate) fn unknown_id(kind: &str, code: &'static str, id: &str, lists: &str) -> Problem {
        let error = Error::new(code, format!("there is no {kind} `{id}`"));
        Problem::new(404, error.hint(format!("`{lists}` lists them"))).with(kind, id)
    }

    pub(crate) fn unknown_subscription(node: &Wired, name: &str) -> Problem {
        if let Some(damaged) = node.damaged() {
            return damaged.into();
        }
        let wires = node.wires.all();
        let names = wires.iter().map(|w| &*w.plan.name).collect();
        unknown("subscription", codes::UNKNOWN_SUBSCRIPTION, name, names)
    }
}

fn unknown(kind: &str, code: &'static str, name: &str, known: Vec<&str>) -> Problem {
    let error = Error::new(code, format!("there is no {kind} `{name}`"));
    let error = match nearest(name, known.iter().copied()) {
        Some(right) => error.hint(format!("did you mean `{right}`?")),
        None if known.is_empty() => error.hint(format!("no {kind} is declared: add it to the configuration")),
        None => error.hint(format!("there are: {}", known.join(", "))),
    };
    Problem::new(404, error).with(kind, name).with("known", known)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let status = match error.code {
            codes::LOG_FULL | codes::LOG_STOPPED | codes::TOPIC_FULL | codes::DATA_CORRUPT | codes::NOT_READY => 503,
            codes::UNKNOWN_EVENT | codes::UNKNOWN_SUBSCRIPTION => 404,
            codes::OWN_TOPIC => 403,
            codes::TOPIC_IN_USE | codes::SUBSCRIPTION_DECLARED | codes::SUBSCRIPTION_IN_USE => 409,
            codes::CONFIG_VALUE
            | codes::CONFIG_UNKNOWN_KEY
            | codes::CONFIG_UNKNOWN_NAME
            | codes::CONFIG_NOT_LOOPBACK
            | codes::CONFIG_URL => 400,
            _ => 500,
        };
        Problem::new(status, error)
    }
}

/// The code of the problem that a response tells, for the layers around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    code: &'static str,
    has_hint: bool,
}

impl Told {
    /// True when the log's damage may be behind it and is not named with its place and fix.
    pub(super) fn leaves_damage_unnamed(self) -> bool {
        self.code == codes::INTERNAL || (self.code == codes::DATA_CORRUPT && !self.has_hint)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let told = Told { code: self.error.code, has_hint: self.error.hint.is_some() };
        let mut document = json!({
            "type": format!("urn:evenkeel:error:{}", self.error.code),
            "title": status.canonical_reason().unwrap_or("error"),
            "status": self.status,
            "detail": self.error.message,
            "code": self.error.code,
        });
        if let Value::Object(members) = &mut document {
            members.extend(self.error.hint.map(|hint| ("hint".to_owned(), Value::from(hint))));
            members.extend(self.more);
        }
        let mut response = (status, Json(document)).into_response();
        response.extensions_mut().insert(told);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == 503 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}
