use std::sync::Arc;
use std::time::Duration;

use evenkeel_log::sim::Fault;
use evenkeel_model::{Event, Position, Shard, partition_for_key};

use super::{Ingress, PublishError, Published, held, seal};
use crate::bench::{Bench, event};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn ingress(bench: &Bench) -> Arc<Ingress> {
    Ingress::open(bench.log.clone(), bench.clock(), DAY).unwrap()
}

fn place(published: &Published) -> (u32, u64, bool) {
    (published.partition, published.offset, published.duplicate)
}

async fn one(ingress: &Ingress, event: Event) -> Result<Published, PublishError> {
    ingress.publish("orders", vec![event]).await.map(|mut all| all.remove(0))
}

#[tokio::test]
async fn an_event_that_is_published_twice_is_stored_once_at_the_first_ones_place() {
    let bench = Bench::new(&[("orders", 6)]);
    let ingress = ingress(&bench);
    let first = one(&ingress, event("a", "k")).await.unwrap();
    assert_eq!(place(&first), (partition_for_key(b"k", 6), 0, false));
    // Another partition key would go elsewhere: identity is decided before the partition.
    let again = one(&ingress, event("a", "other")).await.unwrap();
    assert_eq!(place(&again), (first.partition, 0, true));
    assert_eq!(bench.records("orders").len(), 1);
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_and_knows_its_own_repeats() {
    let bench = Bench::new(&[("orders", 1)]);
    let ingress = ingress(&bench);
    one(&ingress, event("old", "k")).await.unwrap();
    let batch = ["a", "b", "a", "old", "b", "c"].map(|id| event(id, "k")).to_vec();
    let all = ingress.publish("orders", batch).await.unwrap();
    let places: Vec<_> = all.iter().map(place).collect();
    assert_eq!(places, [(0, 1, false), (0, 2, false), (0, 1, true), (0, 0, true), (0, 2, true), (0, 3, false)]);
    assert_eq!(all.iter().map(|p| p.id.id.as_str()).collect::<Vec<_>>(), ["a", "b", "a", "old", "b", "c"]);
    assert_eq!(ingress.publish("orders", vec![]).await, Ok(vec![]));
}

#[tokio::test]
async fn the_same_id_with_other_contents_refuses_the_whole_batch_and_names_the_first() {
    let bench = Bench::new(&[("orders", 4), ("payments", 1)]);
    let ingress = ingress(&bench);
    let first = one(&ingress, event("a", "k")).await.unwrap();
    let mut other = event("a", "k");
    other.kind = "OrderCancelled".into();
    let refused = ingress.publish("orders", vec![event("new", "k"), other.clone()]).await.unwrap_err();
    let at = Position { shard: Shard::new("orders", first.partition), offset: 0 };
    assert_eq!(refused, PublishError::Conflict { id: other.id.clone(), first: Some(at) });
    assert!(refused.to_string().contains(&format!("orders/{} offset 0", first.partition)), "{refused}");
    let mut third = event("new", "k");
    third.data = Some("2".into());
    let refused = ingress.publish("orders", vec![event("new", "k"), third]).await.unwrap_err();
    assert!(matches!(&refused, PublishError::Conflict { first: None, id } if id.id == "new"), "{refused}");
    assert_eq!(bench.records("orders").len(), 1, "nothing of the refused batches is stored");
    // Neither left a claim behind, and another topic is another world.
    assert!(!one(&ingress, event("new", "k")).await.unwrap().duplicate);
    assert!(!ingress.publish("payments", vec![other]).await.unwrap()[0].duplicate);
}

#[tokio::test]
async fn many_at_once_store_one_and_none_is_answered_before_it_is_durable() {
    let bench = Bench::new(&[("orders", 4)]);
    let ingress = ingress(&bench);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let ingress = ingress.clone();
            let log = bench.log.clone();
            tokio::spawn(async move {
                let published = one(&ingress, event("a", "k")).await.unwrap();
                let shard = Shard::new("orders", published.partition);
                assert!(log.ends(&shard).unwrap().high_watermark > published.offset, "answered too early");
                published
            })
        })
        .collect();
    let mut firsts = 0;
    for task in tasks {
        let published = task.await.unwrap();
        assert_eq!(published.offset, 0);
        firsts += usize::from(!published.duplicate);
    }
    assert_eq!((firsts, bench.records("orders").len()), (1, 1));
}

#[tokio::test]
async fn a_repeat_after_a_restart_is_still_a_repeat_until_the_window_ends() {
    let mut bench = Bench::new(&[("orders", 4)]);
    let first = one(&ingress(&bench), event("a", "k")).await.unwrap();
    bench.crash();
    let ingress = self::ingress(&bench);
    let again = one(&ingress, event("a", "k")).await.unwrap();
    assert_eq!(place(&again), (first.partition, first.offset, true));
    let mut other = event("a", "k");
    other.data = None;
    assert!(matches!(one(&ingress, other.clone()).await, Err(PublishError::Conflict { first: Some(_), .. })));
    bench.clock.advance(DAY);
    assert!(!one(&ingress, other).await.unwrap().duplicate, "after the window it is a new record");
    bench.clock.advance(DAY);
    one(&ingress, event("b", "k")).await.unwrap();
    assert_eq!(super::held(&ingress.index).len(), 1, "what the window left behind is forgotten");
}

#[tokio::test]
async fn what_a_handler_returned_is_not_held_against_producers() {
    let bench = Bench::new(&[("orders", 1)]);
    let mut record = evenkeel_cloudevents::kafka::to_record(&event("a", "k"), crate::bench::START);
    record.push_header(evenkeel_model::names::CAUSED_BY, "payment;orders;0;1");
    bench.append("orders", 0, vec![record]);
    assert!(!one(&ingress(&bench), event("a", "k")).await.unwrap().duplicate);
}

#[tokio::test]
async fn events_without_a_key_are_spread() {
    let bench = Bench::new(&[("orders", 4)]);
    let ingress = ingress(&bench);
    let batch = (0..8).map(|n| event(&n.to_string(), "")).collect();
    let mut partitions: Vec<u32> =
        ingress.publish("orders", batch).await.unwrap().iter().map(|p| p.partition).collect();
    partitions.sort_unstable();
    assert_eq!(partitions, [0, 0, 1, 1, 2, 2, 3, 3]);
}

#[tokio::test]
async fn an_append_that_failed_leaves_no_trace() {
    let bench = Bench::new(&[("orders", 1)]);
    let ingress = ingress(&bench);
    let unknown = ingress.publish("nope", vec![event("a", "k")]).await.unwrap_err();
    assert_eq!(unknown, PublishError::UnknownTopic { topic: "nope".into() });
    let mut huge = event("huge", "k");
    huge.data = Some(vec![b'x'; 9 << 20].into());
    let refused = ingress.publish("orders", vec![event("a", "k"), huge]).await.unwrap_err();
    assert!(matches!(refused, PublishError::TooLarge { max, .. } if max <= 8 << 20), "{refused}");
    assert!(!one(&ingress, event("a", "k")).await.unwrap().duplicate);
    bench.disk.inject(Fault::DurableWrite, 0);
    let stopped = one(&ingress, event("b", "k")).await.unwrap_err();
    assert!(matches!(stopped, PublishError::Stopped(_)), "{stopped}");
    assert!(stopped.to_string().contains("repeat with the same ids"));
    assert_eq!(super::held(&ingress.index).len(), 1, "only `a` is remembered");
}

#[tokio::test]
async fn a_publish_whose_caller_went_away_is_still_followed_to_its_end() {
    let bench = Bench::new(&[("orders", 1)]);
    let ingress = ingress(&bench);
    {
        let publishing = one(&ingress, event("a", "k"));
        tokio::pin!(publishing);
        let _ = std::future::poll_fn(|cx| std::task::Poll::Ready(publishing.as_mut().poll(cx))).await;
    }
    let again = one(&ingress, event("a", "k")).await.unwrap();
    assert_eq!(place(&again), (0, 0, true));
}

/// Publishes these ids, then seals all of them but the last, with memory for no more.
async fn sealed(bench: &Bench, ingress: &Arc<Ingress>, ids: &[&str]) -> Vec<Published> {
    let mut all = Vec::new();
    for id in ids {
        all.push(one(ingress, event(id, "k")).await.unwrap());
        bench.clock.advance(Duration::from_secs(5));
    }
    let sealed = ingress.sealed.as_ref().unwrap();
    seal(&ingress.index, sealed, bench.clock().now() - Duration::from_secs(5), DAY);
    assert_eq!(held(&ingress.index).len(), 1, "only the last one is in memory");
    all
}

#[tokio::test]
async fn what_is_sealed_is_known_with_its_place_and_its_contents_over_restarts() {
    let mut bench = Bench::new(&[("orders", 3)]);
    let ingress = self::ingress(&bench);
    let first = sealed(&bench, &ingress, &["a", "b", "c", "d"]).await;
    for restart in [false, true] {
        let ingress = match restart {
            false => ingress.clone(),
            true => {
                bench.crash();
                self::ingress(&bench)
            }
        };
        for (id, first) in ["a", "b", "c", "d"].iter().zip(&first) {
            let again = one(&ingress, event(id, "k")).await.unwrap();
            assert_eq!(place(&again), (first.partition, first.offset, true), "{id}");
        }
        let mut other = event("a", "k");
        other.data = None;
        assert!(matches!(one(&ingress, other).await, Err(PublishError::Conflict { first: Some(_), .. })));
        assert_eq!(held(&ingress.index).len(), 1, "what is sealed is not read again");
    }
    bench.clock.advance(DAY + Duration::from_secs(1));
    assert!(!one(&self::ingress(&bench), event("a", "k")).await.unwrap().duplicate, "the window is over");
}

#[tokio::test]
async fn without_its_files_what_was_published_is_read_from_the_topics_again() {
    use evenkeel_log::Disk;
    let mut bench = Bench::new(&[("orders", 3)]);
    sealed(&bench, &ingress(&bench), &["a", "b", "c", "d"]).await;
    for file in bench.disk.list("seen/published").unwrap() {
        bench.disk.remove(&format!("seen/published/{file}")).unwrap();
    }
    bench.disk.sync_folder("seen/published").unwrap();
    bench.crash();
    let ingress = self::ingress(&bench);
    assert_eq!(held(&ingress.index).len(), 4);
    assert!(one(&ingress, event("a", "k")).await.unwrap().duplicate);
}

#[tokio::test]
async fn what_a_deleted_topic_held_is_no_duplicate_of_what_comes_to_one_of_its_name() {
    let mut bench = Bench::new(&[("orders", 1)]);
    let ingress = self::ingress(&bench);
    sealed(&bench, &ingress, &["a", "b", "c"]).await;
    bench.log.delete_topic("orders").unwrap().wait().unwrap();
    bench.log.create_topic("orders", evenkeel_log::TopicSettings::partitions(1)).unwrap().wait().unwrap();
    assert!(!one(&ingress, event("a", "k")).await.unwrap().duplicate);
    bench.crash();
    let ingress = self::ingress(&bench);
    assert!(one(&ingress, event("a", "k")).await.unwrap().duplicate);
    assert!(!one(&ingress, event("b", "k")).await.unwrap().duplicate);
}

#[tokio::test]
async fn memory_is_relieved_by_itself_and_no_repeat_passes_meanwhile() {
    let bench = Bench::new(&[("orders", 3)]);
    let ingress = Arc::new(Ingress::open_with(bench.log.clone(), bench.clock(), DAY, 8).unwrap());
    for n in 0..200 {
        one(&ingress, event(&n.to_string(), "k")).await.unwrap();
        bench.clock.advance(Duration::from_millis(500));
        let earlier = (n / 2).to_string();
        assert!(one(&ingress, event(&earlier, "k")).await.unwrap().duplicate, "{earlier} at {n}");
    }
    assert_eq!(bench.records("orders").len(), 200);
    while held(&ingress.index).len() > 100 {
        tokio::task::yield_now().await;
        one(&ingress, event(&bench.clock().now().micros().to_string(), "k")).await.unwrap();
        bench.clock.advance(Duration::from_secs(1));
    }
}
