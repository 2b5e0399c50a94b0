//! A broker's queue in memory, for the intake: lends messages, counts deliveries, loses connections.
//!
//! Invariants: a message is lent to one connection at a time; what was lent over a connection that
//! was cut comes back to its old place in the queue; a settled message is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_model::Record;
use tokio::sync::Notify;

use crate::intake::{Queue, Taken, Terms, Ticket, note_given};

/// An empty queue is looked at for so long.
const WAIT: Duration = Duration::from_millis(20);

/// The queue; a clone is the same one.
#[derive(Clone)]
pub struct Broker(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    bell: Notify,
    /// Whether it names its messages.
    named: bool,
    /// After so many deliveries a message is thrown away.
    deliveries_max: Option<u32>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Message>,
    lent: BTreeMap<u64, Message>,
    /// Grows with each cut.
    connection: u64,
    published: u64,
    tickets: u64,
    settled: BTreeSet<u64>,
    thrown_away: u64,
    /// So many settlements fail from here on.
    refusals: usize,
}

struct Message {
    number: u64,
    record: Record,
    deliveries: u32,
}

impl Broker {
    /// An empty queue that names its messages.
    pub fn new() -> Broker {
        Broker::with(true, None)
    }

    /// An empty queue; `deliveries_max` is when it throws a message away.
    pub fn with(named: bool, deliveries_max: Option<u32>) -> Broker {
        Broker(Arc::new(Shared { state: Mutex::default(), bell: Notify::new(), named, deliveries_max }))
    }

    /// Puts a message at its end.
    pub fn publish(&self, record: Record) {
        let mut state = self.0.state();
        let number = state.published;
        state.published += 1;
        state.waiting.push_back(Message { number, record, deliveries: 0 });
        drop(state);
        self.0.bell.notify_waiters();
    }

    /// A consumer.
    pub fn connect(&self) -> Connection {
        Connection { shared: self.0.clone(), connection: Mutex::new(self.0.state().connection) }
    }

    /// All connections are lost: what was lent comes back.
    pub fn cut(&self) {
        let mut state = self.0.state();
        state.connection += 1;
        let mut back: Vec<Message> = std::mem::take(&mut state.lent).into_values().collect();
        back.sort_by_key(|message| message.number);
        for message in back.into_iter().rev() {
            self.0.put_back(&mut state, message);
        }
        drop(state);
        self.0.bell.notify_waiters();
    }

    /// The next `count` settlements are lost on their way.
    pub fn refuse(&self, count: usize) {
        self.0.state().refusals = count;
    }

    /// The numbers of the messages that were settled, in the order of their publication from 0.
    pub fn settled(&self) -> Vec<u64> {
        self.0.state().settled.iter().copied().collect()
    }

    /// How many messages are lent.
    pub fn lent(&self) -> usize {
        self.0.state().lent.len()
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.0.state().waiting.len()
    }

    /// How many messages were thrown away at its limit.
    pub fn thrown_away(&self) -> u64 {
        self.0.state().thrown_away
    }
}

impl Default for Broker {
    fn default() -> Broker {
        Broker::new()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_back(&self, state: &mut State, message: Message) {
        if self.deliveries_max.is_some_and(|max| message.deliveries >= max) {
            state.thrown_away += 1;
            return;
        }
        state.waiting.push_front(message);
    }
}

/// One consumer's view of it.
pub struct Connection {
    shared: Arc<Shared>,
    connection: Mutex<u64>,
}

impl Connection {
    /// An error once after each cut.
    fn check(&self, state: &State) -> Result<(), PortError> {
        let mut mine = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if *mine == state.connection {
            return Ok(());
        }
        *mine = state.connection;
        Err(PortError("the connection was cut".to_owned()))
    }

    fn lend(&self, max: usize) -> Result<Vec<Taken>, PortError> {
        let mut state = self.shared.state();
        self.check(&state)?;
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(mut message) = state.waiting.pop_front() else { break };
            message.deliveries += 1;
            state.tickets += 1;
            let ticket = state.tickets;
            let mut record = message.record.clone();
            note_given(&mut record, message.deliveries);
            taken.push(Taken {
                record,
                id: self.shared.named.then(|| message.number.to_string().into()),
                ticket: Ticket(ticket.to_string().into()),
                again: message.deliveries > 1,
                last: self.shared.deliveries_max.is_some_and(|max| message.deliveries >= max),
            });
            state.lent.insert(ticket, message);
        }
        Ok(taken)
    }
}

fn number(ticket: &Ticket) -> u64 {
    ticket.0.parse().unwrap_or(u64::MAX)
}

impl Queue for Connection {
    fn terms(&self) -> Terms {
        Terms::default()
    }

    fn receive(&self, max: usize) -> BoxFuture<'_, Result<Vec<Taken>, PortError>> {
        Box::pin(async move {
            let bell = self.shared.bell.notified();
            let taken = self.lend(max)?;
            if !taken.is_empty() {
                return Ok(taken);
            }
            let _ = tokio::time::timeout(WAIT, bell).await;
            self.lend(max)
        })
    }

    fn settle(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, Vec<Ticket>> {
        let mut state = self.shared.state();
        let mut again = Vec::new();
        for ticket in tickets {
            if state.refusals > 0 {
                state.refusals -= 1;
                again.push(ticket);
            } else if let Some(message) = state.lent.remove(&number(&ticket)) {
                state.settled.insert(message.number);
            }
        }
        Box::pin(std::future::ready(again))
    }

    fn renew(&self, _: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn give_back(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()> {
        let mut state = self.shared.state();
        let mut back: Vec<Message> = tickets.iter().filter_map(|ticket| state.lent.remove(&number(ticket))).collect();
        back.sort_by_key(|message| message.number);
        for message in back.into_iter().rev() {
            self.shared.put_back(&mut state, message);
        }
        Box::pin(std::future::ready(()))
    }
}
