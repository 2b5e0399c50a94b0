//! The handler: counts arrivals and effects by idempotency key, and honours the key.
//!
//! Its book outlives the node. One event in forty fails its first two calls, so that its key is
//! parked; an effect is done some time before the answer, so that kills fall between them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::support::pass;

const FAILS_ONE_IN: u64 = 40;

pub struct Counting {
    pub url: String,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    in_flight: usize,
    /// Events that failed and have not come again since.
    failed: HashSet<String>,
    calls: HashMap<String, u32>,
    keys: HashMap<String, BTreeSet<String>>,
    done: HashSet<String>,
    effects: BTreeMap<String, u32>,
    last: HashMap<String, u64>,
    disorder: Vec<String>,
}

impl Counting {
    pub async fn start() -> Counting {
        let book: Arc<Mutex<Book>> = Arc::default();
        let routes = Router::new().fallback(handle).with_state(book.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Counting { url, book }
    }

    pub fn in_flight(&self) -> usize {
        held(&self.book).in_flight
    }

    pub fn parked(&self) -> usize {
        held(&self.book).failed.len()
    }

    /// Ids of the events that had exactly one effect; one with more is named with their number.
    pub fn effects(&self) -> BTreeSet<String> {
        let named = |(id, n): (&String, &u32)| if *n == 1 { id.clone() } else { format!("{id} × {n}") };
        held(&self.book).effects.iter().map(named).collect()
    }

    pub fn keys_per_event_max(&self) -> usize {
        held(&self.book).keys.values().map(BTreeSet::len).max().unwrap_or(0)
    }

    pub fn disorder(&self) -> Vec<String> {
        held(&self.book).disorder.clone()
    }
}

/// One call that is counted until it is answered, or given up by the caller.
struct InFlight(Arc<Mutex<Book>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        held(&self.0).in_flight -= 1;
    }
}

async fn handle(State(book): State<Arc<Mutex<Book>>>, headers: HeaderMap) -> StatusCode {
    let text = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    let (id, effect, lane) = (text("ce-id"), text("idempotency-key"), text("ce-partitionkey"));
    let number: u64 = id.rsplit('-').next().unwrap().parse().unwrap();
    let call = {
        let mut book = held(&book);
        book.in_flight += 1;
        book.failed.remove(&id);
        book.keys.entry(id.clone()).or_default().insert(effect.clone());
        let calls = book.calls.entry(id.clone()).or_default();
        *calls += 1;
        *calls
    };
    let _counted = InFlight(book.clone());
    pass(Duration::from_millis(3)).await;
    if number.is_multiple_of(FAILS_ONE_IN) && call <= 2 {
        held(&book).failed.insert(id);
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    {
        let mut book = held(&book);
        if book.done.insert(effect) {
            *book.effects.entry(id.clone()).or_default() += 1;
            let last = book.last.insert(lane.clone(), number);
            if last.is_some_and(|last| last >= number) {
                book.disorder.push(format!("{id} after {last:?} of {lane}"));
            }
        }
    }
    pass(Duration::from_millis(3)).await;
    StatusCode::OK
}

fn held(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
