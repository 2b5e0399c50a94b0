//! Attempts that are done at once, that wait, that block, that are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::Runners;
use crate::runtime::happening::Back;

async fn all_back(runners: &mut Runners, count: usize) -> Vec<Back> {
    let mut all = Vec::new();
    while all.len() < count {
        runners.came().await;
        all.extend(runners.take());
    }
    all
}

fn nothing() -> Back {
    Back::Many(Vec::new())
}

#[tokio::test(start_paused = true)]
async fn what_is_done_at_once_and_what_waits_all_comes_back() {
    let mut runners = Runners::new();
    for n in 0..200_u64 {
        runners.push(async move {
            if n % 3 == 0 {
                tokio::time::sleep(Duration::from_millis(n)).await;
            }
            nothing()
        });
        if n % 7 == 0 {
            runners.go();
        }
    }
    runners.go();
    assert!(!runners.is_idle());
    assert_eq!(all_back(&mut runners, 200).await.len(), 200);
    assert!(runners.is_idle());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_holds_up_no_other_event() {
    let mut runners = Runners::new();
    let (free, blocked) = mpsc::channel::<()>();
    runners.push(async move {
        let _ = blocked.recv();
        nothing()
    });
    for _ in 0..50 {
        runners.push(async { nothing() });
    }
    runners.go();
    let mut all = all_back(&mut runners, 50).await.len();
    assert_eq!(all, 50, "all but the one that blocks");
    free.send(()).expect("it waits");
    all += all_back(&mut runners, 1).await.len();
    assert_eq!(all, 51);
}

#[tokio::test(start_paused = true)]
async fn dropped_runners_end_what_waits_and_what_was_not_begun() {
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut runners = Runners::new();
    let (b, e) = (begun.clone(), ended.clone());
    runners.push(async move {
        b.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        e.store(true, Ordering::Relaxed);
        nothing()
    });
    runners.go();
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    assert_eq!(begun.load(Ordering::Relaxed), 1);
    runners.push(async { nothing() });
    drop(runners);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!ended.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_panic_that_is_not_the_handlers_is_told() {
    let mut runners = Runners::new();
    runners.push(async { panic!("a fault of ours") });
    runners.go();
    let back = all_back(&mut runners, 1).await;
    assert!(matches!(&back[..], [Back::Broke(_)]));
}
