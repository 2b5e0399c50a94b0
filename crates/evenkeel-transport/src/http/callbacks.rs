//! Answers that come later: a handler that said 202 says what came of it with a callback.
//!
//! Each call carries the URL of its callback, with a token that nobody can guess. The attempt
//! stays under way until the callback comes, or its time is over. Invariants: a token is good
//! for one callback; one that is unknown, late or used changes nothing. In memory only: after a
//! restart the event goes out again, with the same idempotency key and another token.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ::http::HeaderMap;
use bytes::Bytes;
use evenkeel_delivery::ports::PortError;
use rustls::crypto::SecureRandom;
use tokio::sync::oneshot;

/// What a callback says: headers and body, as those of an answer with status 200.
pub(super) type Said = (HeaderMap, Bytes);

/// The callbacks that are waited for.
pub struct Callbacks {
    /// What a callback's URL begins with.
    base: String,
    waiting: Mutex<HashMap<String, oneshot::Sender<Said>>>,
    random: &'static dyn SecureRandom,
}

impl Callbacks {
    /// `base` is the node's own URL, as handlers reach it: `http://127.0.0.1:8080`.
    pub fn new(base: impl Into<String>) -> Callbacks {
        let random = rustls::crypto::ring::default_provider().secure_random;
        Callbacks { base: base.into(), waiting: Mutex::default(), random }
    }

    /// Passes on what a callback says. False: nobody waits for that token, or not any more.
    pub fn answer(&self, token: &str, headers: HeaderMap, body: Bytes) -> bool {
        let waiting = self.waiting().remove(token);
        waiting.is_some_and(|waiting| waiting.send((headers, body)).is_ok())
    }

    /// How many are waited for.
    pub fn len(&self) -> usize {
        self.waiting().len()
    }

    /// True when none is waited for.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A new one, waited for until it is dropped.
    pub(super) fn open(&self) -> Result<Waiting<'_>, PortError> {
        let mut secret = [0; 16];
        self.random.fill(&mut secret).map_err(|_| PortError("the system gives no random numbers".to_owned()))?;
        let token: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let (tell, said) = oneshot::channel();
        self.waiting().insert(token.clone(), tell);
        Ok(Waiting { callbacks: self, token, said })
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Said>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A callback that is waited for.
pub(super) struct Waiting<'c> {
    callbacks: &'c Callbacks,
    token: String,
    pub(super) said: oneshot::Receiver<Said>,
}

impl Waiting<'_> {
    /// Where the handler calls.
    pub(super) fn url(&self) -> String {
        format!("{}/v1/callbacks/{}", self.callbacks.base, self.token)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.callbacks.waiting().remove(&self.token);
    }
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Callbacks({} waited for)", self.len())
    }
}
