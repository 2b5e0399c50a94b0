//! A place at the end of the line, for a task that woke another on its thread.

use std::task::Poll;

/// Lets others run first. A task that wakes itself gets a place from which other threads take;
/// `tokio::task::yield_now` keeps it for this thread, until there is nothing else to do here.
pub(super) async fn give_way() {
    let mut gave = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::give_way;

    /// Whoever holds up the thread ends only when the task that gave way has gone on elsewhere.
    #[test]
    fn who_gave_way_goes_on_in_another_thread_while_the_one_it_woke_holds_up_this_one() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
        let (went_on, hears) = mpsc::channel::<()>();
        let held_up = runtime.block_on(async {
            tokio::spawn(async move {
                let holds_up = tokio::spawn(async move { hears.recv_timeout(Duration::from_secs(60)) });
                give_way().await;
                went_on.send(()).expect("somebody listens");
                holds_up.await
            })
            .await
        });
        let heard = held_up.expect("it ends").expect("it ends as well");
        assert_eq!(heard, Ok(()), "nobody took it away from the thread that was held up");
    }
}
