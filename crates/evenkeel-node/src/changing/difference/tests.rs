//! From two files to the lines that are shown.

use std::path::Path;

use evenkeel_log::Topic;

use super::{Now, difference};
use crate::config::{self, Plan};
use crate::error::Error;
use crate::wiring::with_own;

const URL: &str = "handler: { http: { url: \"http://127.0.0.1:9/\" } }";

fn plan(text: &str) -> Plan {
    config::parse(&text.replace("URL", URL), Path::new("/")).unwrap()
}

/// What `after` changes where `before` runs, with these in the registry.
fn lines(before: &str, registered: &[(&str, bool)], after: &str, prune: bool) -> Result<Vec<String>, Error> {
    let (now, wanted) = (plan(before), plan(after));
    let topics: Vec<Topic> = now
        .topics
        .iter()
        .map(|t| Topic { name: t.name.clone(), partitions: t.settings.partitions, settings: t.settings })
        .collect();
    let registered: Vec<(String, bool)> = registered.iter().map(|(n, left)| ((*n).to_owned(), *left)).collect();
    let now = Now { plan: &now, topics: &topics, running: &with_own(&now), registered: &registered };
    let changes = difference(&now, &wanted, &with_own(&wanted), prune)?;
    Ok(changes
        .iter()
        .map(|c| {
            let keys: Vec<String> = c.keys.iter().map(|k| format!(" {} {}>{}", k.key, k.from, k.to)).collect();
            format!("{:?} {:?} {}{}", c.kind, c.what, c.name, keys.concat())
        })
        .collect())
}

const BEFORE: &str =
    "topics: { orders: {} }\nsubscriptions: { a: { topic: orders, URL }, b: { topic: orders, URL } }\n";

#[test]
fn the_same_file_changes_nothing() {
    assert_eq!(lines(BEFORE, &[], BEFORE, true).unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_new_and_what_has_other_keys_is_shown_and_nothing_else() {
    let after = "limits: { body: 1MiB }\ntopics: { orders: { partitions: 5 }, more: {} }\nsubscriptions:\n  a: { topic: orders, URL, from: earliest }\n  b: { topic: orders, retry: { attempts: 3 }, URL }\n  c: { topic: more, URL }\n";
    let lines = lines(BEFORE, &[], after, false).unwrap();
    assert_eq!(
        lines,
        [
            "Topic Make more",
            "Topic Change orders partitions 4>5",
            "Subscription Change b retry.attempts 8>3",
            "Subscription Make c",
            "NextStart Change limits.body limits.body \"4MiB\">\"1MiB\"",
        ]
    );
}

#[test]
fn what_leaves_the_file_is_kept_until_it_is_pruned_and_a_request_s_own_is_never_touched() {
    let after = "topics: { other: {} }\nsubscriptions: { a: { topic: other.x, URL } }".replace("other.x", "other");
    let after = after.replace("a:", "z:");
    let kept = lines(BEFORE, &[], &after, false).unwrap();
    assert_eq!(kept[1..], ["Topic Keep orders", "Subscription Make z", "Subscription Keep a", "Subscription Keep b"]);
    let pruned = lines(BEFORE, &[("b", false)], &after, true).unwrap();
    assert_eq!(pruned[1..], ["Topic Keep orders", "Subscription Make z", "Subscription Remove a"]);
    let later = lines(BEFORE, &[("a", true), ("b", true)], &after, false).unwrap();
    assert_eq!(later[2..], ["Subscription Make z"], "said once");
    let later = lines(BEFORE, &[("a", true), ("b", true)], &after, true).unwrap();
    assert_eq!(later[3..], ["Subscription Remove a", "Subscription Remove b"]);
}

#[test]
fn what_a_request_made_is_taken_over_when_the_file_declares_it() {
    assert_eq!(lines(BEFORE, &[("a", false)], BEFORE, false).unwrap(), ["Subscription TakeOver a"]);
}

#[test]
fn what_cannot_be_is_refused_as_a_whole() {
    let moved =
        BEFORE.replace("orders: {}", "orders: {}, other: {}").replace("b: { topic: orders", "b: { topic: other");
    let refused = lines(BEFORE, &[], &moved, false).unwrap_err();
    assert!(refused.message.contains("`subscriptions.b.topic`: it is `orders`"), "{refused}");
    let fewer = BEFORE.replace("orders: {}", "orders: { partitions: 1 }");
    let refused = lines(BEFORE, &[], &fewer, false).unwrap_err();
    assert!(refused.message.contains("`topics.orders.partitions`: the topic has 4, and the file says 1"), "{refused}");
}
