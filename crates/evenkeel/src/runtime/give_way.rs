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
