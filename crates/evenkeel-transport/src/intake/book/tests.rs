use std::time::Duration;

use evenkeel_delivery::Remembered;
use evenkeel_model::{Outcome, Position, Record, Shard, Timestamp};

use super::{Book, Name, Sorted};
use crate::contract::rounds::{ended, progress};
use crate::intake::queue::{Taken, Terms, Ticket};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn orders() -> Shard {
    Shard::new("orders", 0)
}

fn taken(ticket: &str, again: bool) -> Taken {
    Taken { record: Record::default(), id: None, ticket: Ticket(ticket.into()), again, last: false }
}

fn named(name: &str) -> Name {
    Name::Broker(name.into())
}

fn tickets(all: &[Ticket]) -> Vec<&str> {
    all.iter().map(|ticket| &*ticket.0).collect()
}

#[test]
fn every_reader_must_have_let_go_of_a_place() {
    let mut book = Book::new(Terms::default(), 100);
    let (a, b) = ("a", "b");
    [a, b].iter().for_each(|name| book.add_reader(name));
    book.placed((0, 0), named("m0"), &taken("t0", false), NOW);
    book.placed((0, 1), named("m1"), &taken("t1", false), NOW);
    assert!(!book.committed(a, "orders", &[ended(&orders(), 0, Outcome::Completed, 0), progress(&orders(), 1)]));
    assert!(!book.committed(b, "orders", &[ended(&Shard::new("others", 0), 0, Outcome::Completed, 0)]));
    assert!(book.committed(b, "orders", &[ended(&orders(), 0, Outcome::Filtered, 0)]));
    assert_eq!((tickets(&book.take_settled()), book.held()), (vec!["t0"], 1));
    let at = Position { shard: orders(), offset: 1 };
    book.remembered(a, "orders", &[Remembered::Progress { shard: orders(), below: 2 }]);
    assert!(book.take_settled().is_empty());
    book.remembered(b, "orders", &[Remembered::Done { at, mark: None, when: NOW }]);
    assert_eq!(tickets(&book.take_settled()), ["t1"], "what a journal remembers counts as well");
    book.placed((0, 2), named("m2"), &taken("t2", false), NOW);
    book.committed(a, "orders", &[progress(&orders(), 3)]);
    assert!(book.take_settled().is_empty());
    book.remove_reader(b);
    assert_eq!(tickets(&book.take_settled()), ["t2"], "nobody else owed it");
}

#[test]
fn what_nobody_reads_is_settled_when_it_is_placed() {
    let mut book = Book::new(Terms::default(), 100);
    book.placed((0, 0), named("m0"), &taken("t0", false), NOW);
    assert_eq!(tickets(&book.take_settled()), ["t0"]);
}

#[test]
fn a_lease_is_renewed_at_half_its_time_and_one_that_can_be_renewed_no_more_is_settled() {
    let terms = Terms {
        lease: Some(Duration::from_secs(30)),
        hold_max: Some(Duration::from_secs(3600)),
        tickets_outlive_connections: true,
    };
    let mut book = Book::new(terms, 100);
    book.add_reader("payment");
    book.placed((0, 0), named("m0"), &taken("t0", false), NOW);
    let at = |seconds| NOW + Duration::from_secs(seconds);
    assert!(book.due(at(14)).is_empty());
    assert_eq!(tickets(&book.due(at(15))), ["t0"]);
    assert!(book.due(at(16)).is_empty(), "it was renewed a second ago");
    assert_eq!(tickets(&book.due(at(30))), ["t0"]);
    assert!(book.take_settled().is_empty());
    assert!(book.due(at(3600)).is_empty());
    assert_eq!((tickets(&book.take_settled()), book.held()), (vec!["t0"], 0), "its copy is durable");
}

#[test]
fn of_two_tickets_for_a_message_the_newer_counts() {
    let mut book = Book::new(Terms { tickets_outlive_connections: true, ..Terms::default() }, 100);
    let reader = "payment";
    book.add_reader(reader);
    book.placed((0, 7), named("m0"), &taken("old", false), NOW);
    assert_eq!(book.sort(&taken("new", true), &named("m0"), NOW), Sorted::Known);
    book.lost();
    book.committed(reader, "orders", &[ended(&orders(), 7, Outcome::Completed, 0)]);
    assert_eq!(tickets(&book.take_settled()), ["new"]);
    assert_eq!(book.sort(&taken("late", true), &named("m0"), NOW), Sorted::Known);
    assert_eq!(tickets(&book.take_settled()), ["late"], "it has its outcome");
}

#[test]
fn a_message_without_a_name_is_never_taken_for_one_that_has_its_outcome_or_for_one_that_is_held() {
    let mut book = Book::new(Terms::default(), 100);
    let reader = "payment";
    book.add_reader(reader);
    let content = Name::Content([7; 16]);
    book.placed((0, 0), content.clone(), &taken("t0", false), NOW);
    book.placed((0, 1), content.clone(), &taken("t1", false), NOW);
    assert_eq!(book.sort(&taken("t2", true), &content, NOW), Sorted::New, "both are held: this is a third");
    book.committed(reader, "orders", &[ended(&orders(), 0, Outcome::Completed, 0)]);
    assert_eq!(book.sort(&taken("t2", true), &content, NOW), Sorted::New, "the first one has its outcome");
    book.lost();
    assert_eq!(book.sort(&taken("t2", false), &content, NOW), Sorted::New, "it was not given before");
    assert_eq!(book.sort(&taken("t2", true), &content, NOW), Sorted::Known, "it is the second one");
    assert_eq!(book.sort(&taken("t3", true), &content, NOW), Sorted::New);
}

#[test]
fn names_are_forgotten_oldest_first() {
    let mut book = Book::new(Terms::default(), 2);
    book.add_reader("payment");
    for n in 0..3 {
        book.placed((n % 2, u64::from(n)), named(&n.to_string()), &taken("t", false), NOW);
    }
    let known: Vec<bool> =
        (0..3).map(|n| book.sort(&taken("t", true), &named(&n.to_string()), NOW) == Sorted::Known).collect();
    assert_eq!(known, [false, true, true]);
}
