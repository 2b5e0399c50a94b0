//! For sinks: many events on their way at a time, and those of a key one after the other.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use evenkeel_delivery::ports::{Outgoing, Placed, SinkError, Unsent};

/// What came of one event.
type Sent = Result<Placed, SinkError>;

/// Publishes each event with `publish`, at most `together` at a time. Those of a key go in their order;
/// behind one that failed none of its key is tried, so that none overtakes it.
pub async fn by_key<'a, F>(events: &'a [Outgoing], together: usize, publish: impl Fn(&'a Outgoing) -> F) -> Vec<Sent>
where
    F: Future<Output = Sent>,
{
    let one = |batch: Vec<&'a Outgoing>| {
        let sent: Vec<F> = batch.into_iter().map(&publish).collect();
        all(sent)
    };
    batches_by_key(events, 1, together, one).await
}

/// As [`by_key`], `batch` events at a time: `publish` answers each of them, in their order. No two of a
/// batch have one key.
pub async fn batches_by_key<'a, F>(
    events: &'a [Outgoing],
    batch: usize,
    together: usize,
    publish: impl Fn(Vec<&'a Outgoing>) -> F,
) -> Vec<Sent>
where
    F: Future<Output = Vec<Sent>>,
{
    let mut answers: Vec<Option<Sent>> = events.iter().map(|_| None).collect();
    let mut failed: HashSet<&Bytes> = HashSet::new();
    for wave in waves(events) {
        for part in wave.chunks((batch * together).max(1)) {
            let behind = |i: &usize| events[*i].key.as_ref().is_some_and(|key| failed.contains(key));
            let (late, tried): (Vec<usize>, Vec<usize>) = part.iter().copied().partition(behind);
            for i in late {
                answers[i] = Some(Err(overtaking()));
            }
            let calls = tried.chunks(batch.max(1)).map(|call| publish(call.iter().map(|i| &events[*i]).collect()));
            let came = all(calls.collect()).await;
            for (i, answer) in tried.into_iter().zip(came.into_iter().flatten()) {
                if answer.is_err() {
                    failed.extend(events[i].key.as_ref());
                }
                answers[i] = Some(answer);
            }
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(overtaking()))).collect()
}

fn overtaking() -> SinkError {
    let message = "an earlier event of its key was not published".to_owned();
    SinkError { unsent: Unsent::Unreachable, message }
}

/// The numbers of the events in turns: in each no two of one key.
fn waves(events: &[Outgoing]) -> Vec<Vec<usize>> {
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut seen: HashMap<&Bytes, usize> = HashMap::new();
    for (i, event) in events.iter().enumerate() {
        let nth = event.key.as_ref().map_or(0, |key| {
            let count = seen.entry(key).or_default();
            *count += 1;
            *count - 1
        });
        waves.resize_with(waves.len().max(nth + 1), Vec::new);
        waves[nth].push(i);
    }
    waves
}

/// All of them, side by side.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut open = false;
        for (future, done) in running.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(came) => *done = Some(came),
                Poll::Pending => open = true,
            }
        }
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use evenkeel_delivery::Mark;
    use evenkeel_delivery::ports::{Outgoing, Placed, SinkError, Unsent};
    use evenkeel_model::{Event, Timestamp};

    use super::{batches_by_key, by_key};

    fn event(key: &str, n: usize) -> Outgoing {
        Outgoing {
            event: Event::new("/s", n.to_string(), "T"),
            key: (!key.is_empty()).then(|| Bytes::from(key.to_owned())),
            headers: Vec::new(),
            created: Timestamp::EPOCH,
            id: Mark([0; 16]),
        }
    }

    #[tokio::test]
    async fn behind_an_event_that_failed_none_of_its_key_is_published() {
        let keys = ["a", "b", "a", "", "a", "b", ""];
        let events: Vec<Outgoing> = keys.iter().enumerate().map(|(n, key)| event(key, n)).collect();
        let tried = Mutex::new(Vec::new());
        let answers = by_key(&events, 2, |event| {
            tried.lock().unwrap().push(event.event.id.id.clone());
            let fails = event.event.id.id == "2";
            async move {
                tokio::task::yield_now().await;
                let error = SinkError { unsent: Unsent::Unknown, message: String::new() };
                if fails { Err(error) } else { Ok(Placed::default()) }
            }
        })
        .await;
        let ok: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(ok, [true, true, false, true, false, true, true]);
        assert_eq!(tried.into_inner().unwrap(), ["0", "1", "3", "6", "2", "5"], "4 was not tried");
    }
    #[tokio::test]
    async fn no_two_of_a_key_are_in_one_batch() {
        let keys = ["a", "b", "a", "", "c", "b", "", "a"];
        let events: Vec<Outgoing> = keys.iter().enumerate().map(|(n, key)| event(key, n)).collect();
        let calls = Mutex::new(Vec::new());
        let answers = batches_by_key(&events, 3, 2, |batch| {
            calls.lock().unwrap().push(batch.iter().map(|e| e.event.id.id.clone()).collect::<String>());
            let error = SinkError { unsent: Unsent::Unknown, message: String::new() };
            let answers =
                batch.iter().map(|e| if e.event.id.id == "1" { Err(error.clone()) } else { Ok(Placed::default()) });
            std::future::ready(answers.collect())
        })
        .await;
        let ok: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(ok, [true, false, true, true, true, false, true, true]);
        assert_eq!(calls.into_inner().unwrap(), ["013", "46", "2", "7"], "5 comes behind 1, which failed");
    }
}
