//! Group commit for stores that have none: one thread that takes what is pending, commits it at
//! once, and then answers, as the log's own writer does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::Outcome;

/// A store that makes a group durable.
pub(crate) trait Commit: Send {
    /// Durable when it returns.
    fn commit(&mut self, group: &[Entry]) -> Outcome<()>;
}

/// A record for one partition.
pub(crate) struct Entry {
    pub(crate) partition: usize,
    pub(crate) value: Bytes,
}

/// The next offset of each partition.
#[derive(Default)]
pub(crate) struct Offsets(Vec<u64>);

impl Offsets {
    pub(crate) fn next(&mut self, partition: usize) -> u64 {
        if self.0.len() <= partition {
            self.0.resize(partition + 1, 0);
        }
        self.0[partition] += 1;
        self.0[partition] - 1
    }
}

type Request = (Entry, oneshot::Sender<Result<(), String>>);

/// The committing thread, as its callers hold it.
#[derive(Clone)]
pub(crate) struct Committer {
    requests: Sender<Request>,
    commits: Arc<AtomicU64>,
}

impl Committer {
    pub(crate) fn start(store: Box<dyn Commit>) -> Outcome<Committer> {
        let (requests, receiver) = channel();
        let commits = Arc::new(AtomicU64::new(0));
        let counted = commits.clone();
        std::thread::Builder::new().name("committer".into()).spawn(move || commit_loop(store, &receiver, &counted))?;
        Ok(Committer { requests, commits })
    }

    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(crate) async fn append(&self, entry: Entry) -> Outcome<()> {
        let (answer, answered) = oneshot::channel();
        self.requests.send((entry, answer)).map_err(|_| "the committing thread is gone")?;
        Ok(answered.await.map_err(|_| "the committing thread is gone")??)
    }
}

fn commit_loop(mut store: Box<dyn Commit>, requests: &Receiver<Request>, commits: &AtomicU64) {
    while let Ok(first) = requests.recv() {
        let (group, answers): (Vec<_>, Vec<_>) = std::iter::once(first).chain(requests.try_iter()).unzip();
        let done = store.commit(&group).map_err(|error| error.to_string());
        commits.fetch_add(1, Ordering::Relaxed);
        for answer in answers {
            // Whoever asked may be gone.
            let _ = answer.send(done.clone());
        }
    }
}
