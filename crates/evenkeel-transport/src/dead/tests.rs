//! What a filter means, and how letters are grouped.

use evenkeel_model::{Position, Record, Shard, Timestamp};

use super::{DeadLetter, Filter, Groups};

fn letter(offset: u64, fingerprint: &str, key: &str, version: &str) -> DeadLetter {
    DeadLetter {
        at: Position { shard: Shard::new("payment.dead", 0), offset },
        appended: Timestamp::from_millis(1_790_000_000_000 + i64::try_from(offset).unwrap() * 1000),
        source: "/shop".into(),
        id: format!("e{offset}"),
        kind: "OrderCreated".into(),
        key: Some(key.to_owned().into()),
        origin: Some(Position { shard: Shard::new("orders", 0), offset }),
        subscription: "payment".into(),
        reason: "attempts_exhausted".into(),
        class: "failed".into(),
        fingerprint: fingerprint.into(),
        message: format!("card {offset}0 & co refused"),
        attempts: 3,
        first_failed_at: String::new(),
        last_failed_at: String::new(),
        handler_version: version.into(),
        written_by: "evenkeel",
        from: String::new(),
        event: None,
        record: Record::default(),
    }
}

#[test]
fn a_filter_is_read_back_from_its_text_whatever_stands_in_it() {
    let mut filter = Filter::default();
    for (name, value) in [
        ("reason", "attempts_exhausted"),
        ("key", "a&b=c d+%41ü"),
        ("contains", "card 10"),
        ("since", "2026-11-21T10:00:00Z"),
        ("until", "2026-11-21T11:00:00.5Z"),
    ] {
        filter.set(name, value).unwrap();
    }
    assert_eq!(Filter::parse(&filter.to_text()), Ok(filter));
    assert_eq!(Filter::parse(""), Ok(Filter::default()));
}

#[test]
fn all_conditions_must_hold() {
    let found = |text: &str| {
        let filter = Filter::parse(text).unwrap();
        (1..=4).filter(|n| filter.matches(&letter(*n, if *n < 3 { "f1" } else { "f2" }, "k", "v1"))).collect::<Vec<_>>()
    };
    assert_eq!(found(""), [1, 2, 3, 4]);
    assert_eq!(found("fingerprint=f1"), [1, 2]);
    assert_eq!(found("fingerprint=f1&contains=card%2020"), [2]);
    assert_eq!(found("since=2026-09-21T14:13:22Z"), [2, 3, 4]);
    assert_eq!(found("since=2026-09-21T14:13:22Z&until=2026-09-21T14:13:24Z"), [2, 3]);
    assert_eq!(found("key=k&version=v1&type=OrderCreated&source=%2Fshop&id=e3&class=failed"), [3]);
    assert_eq!(found("reason=rejected"), [0; 0]);
}

#[test]
fn a_condition_that_cannot_be_used_says_which_why_and_what_would_do() {
    let of = |text: &str| Filter::parse(text).unwrap_err().to_string();
    assert!(of("colour=red").starts_with("`colour` is not one of reason, class,"), "{}", of("colour=red"));
    assert_eq!(of("since=noon"), "`since` must be a time, as 2026-11-30T12:00:00Z; it was `noon`");
}

#[test]
fn letters_that_died_alike_are_one_group_and_the_largest_comes_first() {
    let mut groups = Groups::default();
    for n in 0..10 {
        groups.add(&letter(n, if n % 5 == 0 { "rare" } else { "often" }, &format!("k{}", n % 3), "v2"));
    }
    let groups = groups.finish();
    assert_eq!(groups.len(), 2);
    let often = &groups[0];
    assert_eq!((often.fingerprint.as_str(), often.count, often.keys, often.sample), ("often", 8, 3, 9));
    assert_eq!(often.versions, ["v2"]);
    assert_eq!(often.last_died_at.since(often.first_died_at).as_secs(), 8);
}
