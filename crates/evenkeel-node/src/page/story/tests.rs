//! What the page of a story says.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{EventId, FailureClass, Outcome, Position, Shard, Timestamp};
use evenkeel_transport::story::{
    Story, StoryAttempt, StoryCaused, StoryRecord, StoryRedrive, StoryRelated, StorySubscription,
};

use super::{nobody, page, which};
use crate::wiring::{Unseen, UnseenPart};

const AT: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const URL: &str = "http://127.0.0.1:8080";

fn after(ms: u64) -> Timestamp {
    AT + Duration::from_millis(ms)
}

fn event(id: &str) -> EventId {
    EventId { source: "/shop".to_owned(), id: id.to_owned() }
}

fn place(topic: &str, offset: u64) -> Position {
    Position { shard: Shard::new(topic, 0), offset }
}

fn attempt(delivery: u32, ms: u64, failed: bool) -> StoryAttempt {
    StoryAttempt {
        delivery,
        at: after(ms),
        took: Duration::from_millis(4),
        class: failed.then_some(FailureClass::Failed),
        status: failed.then_some(500),
        message: if failed { "no <b>stock</b>".to_owned() } else { String::new() },
        next_at: None,
    }
}

fn subscription(name: &str, outcome: Option<Outcome>, attempts: Vec<StoryAttempt>) -> StorySubscription {
    StorySubscription {
        name: Arc::from(name),
        at: place("orders", 7),
        outcome,
        ended_at: outcome.and_then(|_| attempts.last().map(|last| last.at)),
        created_to_ended: Some(Duration::from_secs(3)),
        overdue_at: None,
        attempts_counted: 2,
        deliveries: 2,
        handler_version: Arc::from("v9"),
        reason: (outcome == Some(Outcome::Dead)).then(|| "out of attempts".to_owned()),
        redriven: Vec::new(),
        attempts,
    }
}

pub(crate) fn told() -> Story {
    let record = StoryRecord {
        at: place("orders", 7),
        appended: AT,
        kind: "OrderCreated".to_owned(),
        key: None,
        bytes: 812,
        caused_by: None,
    };
    let mut dead = subscription("stock", Some(Outcome::Dead), vec![attempt(1, 9, true), attempt(2, 3_600_000, true)]);
    dead.redriven = vec![StoryRedrive { at: after(7_200_000), job: "r-1".to_owned(), attempts_before: 2 }];
    let caused = StoryCaused {
        event: event("p-1"),
        kind: "Paid".to_owned(),
        at: place("payments", 3),
        appended: after(12),
        subscription: Some("payment".to_owned()),
    };
    let related = StoryRelated {
        event: event("s-1"),
        kind: "Shipped".to_owned(),
        at: place("shipments", 1),
        appended: after(90_000),
    };
    Story {
        event: event("o-1"),
        records: vec![record],
        subscriptions: vec![subscription("payment", Some(Outcome::Completed), vec![attempt(1, 12, false)]), dead],
        caused: vec![caused],
        chain: "o-1".to_owned(),
        related: vec![related],
    }
}

#[test]
fn every_step_of_a_story_is_in_the_picture_and_in_the_table_in_the_order_of_time() {
    let page = page(&told(), &[], URL, after(8_000_000)).into_string();
    assert!(page.contains("Ended badly in stock."), "{page}");
    let steps = [
        "stored at 0/7",
        "delivery 1: failed, status 500",
        "delivery 1: answered",
        "delivery 2: failed",
        "redriven by",
    ];
    let (pictures, table) = page.split_at(page.find("id=\"moments\"").unwrap());
    let (picture, in_a_hand) = pictures.split_at(pictures.find("class=\"narrow\"").unwrap());
    assert_eq!(in_a_hand.matches("<rect").count(), picture.matches("<rect").count(), "the same, narrower");
    let places: Vec<usize> =
        steps.iter().map(|step| table.find(step).unwrap_or_else(|| panic!("{step}: {page}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(picture.matches("<rect").count(), 3, "a bar for each call");
    assert_eq!(picture.matches("<rect class=\"low\"").count(), 2);
    assert_eq!(picture.matches("class=\"waits\"").count(), 1);
    for shape in ["◆", "●", "■", "↻", "◇"] {
        assert!(picture.contains(&format!(">{shape}<title>")), "{shape}");
    }
    assert!(
        page.contains("href=\"/events/p-1?source=%2Fshop\"") && page.contains("href=\"/events/s-1?source=%2Fshop\"")
    );
    assert!(!page.contains("<b>stock</b>") && !page.contains("style="), "escaped, and by the page's policy");
}

#[test]
fn an_event_that_has_not_ended_is_under_way() {
    let story = Story { subscriptions: vec![subscription("stock", None, Vec::new())], ..told() };
    let page = page(&story, &[], URL, after(60_000)).into_string();
    assert!(page.contains("Not ended in stock.") && page.contains("has not ended"), "{page}");
}

#[test]
fn what_was_not_looked_at_is_said_and_is_no_outcome() {
    let unseen = Unseen {
        place: Arc::from("kafka://main/stock.ledger"),
        part: Some(UnseenPart { partition: 3, from: Some(17), below: None }),
        outcomes_of: Some(Arc::from("stock")),
        why: "there was no time for it".to_owned(),
    };
    let of = [unseen];
    let says = "kafka://main/stock.ledger/3 from offset 17 on (there was no time for it): what became of it for `stock` may lie there";
    let open = Story { subscriptions: vec![subscription("stock", None, Vec::new())], ..told() };
    for story in [open, Story { subscriptions: Vec::new(), ..told() }] {
        let page = page(&story, &of, URL, after(60_000)).into_string();
        assert!(page.contains(says) && page.contains("Not all outcomes were looked at."), "{page}");
        assert!(!page.contains("Not ended in") && !page.contains("No subscription has it"), "{page}");
    }
    assert!(nobody("o-1", &of, URL, AT).into_string().contains(says));
    assert!(of[0].hides("stock", 3) && !of[0].hides("stock", 2) && !of[0].hides("payment", 3));
}

#[test]
fn an_id_of_several_sources_or_of_nobody_says_so() {
    let other = Story { event: EventId { source: "/other".to_owned(), id: "o-1".to_owned() }, ..told() };
    let several = which(&[told(), other], URL, AT).into_string();
    assert!(several.contains("2 sources") && several.contains("/events/o-1?source=%2Fother"), "{several}");
    assert!(nobody("<x>", &[], URL, AT).into_string().contains("&lt;x&gt;"));
}

/// With `EVENKEEL_PAGES=folder` the page is left there, beside those of the node.
#[test]
fn the_page_of_a_story_is_whole() {
    let html = page(&told(), &[], URL, after(8_000_000)).into_string();
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"));
    if let Ok(folder) = std::env::var("EVENKEEL_PAGES") {
        std::fs::write(std::path::Path::new(&folder).join("story.html"), html).expect("page");
    }
}
