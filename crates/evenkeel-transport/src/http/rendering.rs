//! Another body than the event's own: what a service with an interface of its own is told.
//!
//! A rendering makes the body of a request from the event, or says why it can't be told. How the request is made, what its answer means and when it is made
//! again stays the handler's business.

use std::fmt;
use std::sync::Arc;

use ::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, Uri};
use bytes::Bytes;
use evenkeel_delivery::ports::Call;
use evenkeel_model::{Event, Timestamp};

use super::{HttpSettings, request};

type Render = dyn Fn(&Event, Timestamp) -> Result<Bytes, String> + Send + Sync;

/// How events are told.
#[derive(Clone)]
pub struct Rendering {
    render: Arc<Render>,
    /// A path that is a secret: requests go there, and nothing shows it.
    secret_path: Option<PathAndQuery>,
}

impl Rendering {
    /// The JSON that `render` makes of an event, now; where it can't, the event is a dead letter. It must do no
    /// I/O and not block.
    pub fn new(render: impl Fn(&Event, Timestamp) -> Result<Bytes, String> + Send + Sync + 'static) -> Rendering {
        Rendering { render: Arc::new(render), secret_path: None }
    }

    /// To this path of each URL, which no message, view or log shows.
    #[must_use]
    pub fn at_secret_path(self, path: PathAndQuery) -> Rendering {
        Rendering { secret_path: Some(path), ..self }
    }

    pub(super) fn of(&self, event: &Event, now: Timestamp) -> Result<Bytes, String> {
        (self.render)(event, now)
    }

    /// Where requests really go.
    pub(super) fn target(&self, shown: Uri) -> Uri {
        let Some(path) = &self.secret_path else { return shown };
        let mut parts = shown.clone().into_parts();
        parts.path_and_query = Some(path.clone());
        Uri::from_parts(parts).unwrap_or(shown)
    }
}

impl fmt::Debug for Rendering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rendering")
    }
}

/// The headers that go with a rendered body.
pub(super) fn headers(settings: &HttpSettings, call: &Call, body: &Bytes, now: Timestamp) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    request::common(&mut headers, settings, call, now)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let key = HeaderValue::try_from(format!("\"{}\"", call.key.to_hex())).map_err(|e| e.to_string())?;
    headers.insert(HeaderName::from_static(evenkeel_model::names::IDEMPOTENCY_KEY), key);
    settings.signing.sign(&mut headers, std::slice::from_ref(call), body, now)?;
    Ok(headers)
}
