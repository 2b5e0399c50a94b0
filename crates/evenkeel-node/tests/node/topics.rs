//! Topics at run time, and what the file says of them. On the real binary.

use serde_json::Value;

use crate::binary::{err, evenkeel, out, up};

const FILE: &str = "topics: { orders: { partitions: 2, retention: { age: 7d } } }\n";

fn folder(file: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evenkeel.yaml"), file).unwrap();
    folder
}

#[test]
fn a_topic_is_made_configured_grown_emptied_and_deleted_at_run_time_and_it_lasts() {
    let folder = folder(FILE);
    let node = up(folder.path());
    let url = node.url();
    let topics = |words: &[&str]| evenkeel(folder.path(), &[&["topics"], words, &["--node", &url]].concat());
    let show = |url: &str| -> Value {
        let shown = evenkeel(folder.path(), &["topics", "show", "returns", "--node", url, "--output", "json"]);
        serde_json::from_str(&out(&shown)).unwrap_or_else(|_| panic!("{}", err(&shown)))
    };
    let made = topics(&["create", "returns", "--partitions", "3", "--retention-age", "30d"]);
    assert_eq!(made.status.code(), Some(0), "{}", err(&made));
    assert!(out(&made).contains("returns: 3 partitions; events older than 30d go"), "{}", out(&made));
    let again = topics(&["create", "returns"]);
    assert!(again.status.code() == Some(1) && err(&again).contains("error[topic-exists]"), "{}", err(&again));
    let changed =
        topics(&["configure", "returns", "--retention-size", "1MiB", "--limit", "2MiB", "--at-limit", "expire"]);
    assert_eq!(changed.status.code(), Some(0), "{}", err(&changed));
    let kept = show(&url)["retention"].clone();
    assert_eq!((kept["age"].as_str(), kept["limit"].as_str()), (Some("30d"), Some("2MiB")), "{kept}");
    let wrong = topics(&["configure", "returns", "--limit", "1KiB"]);
    assert!(wrong.status.code() == Some(1) && err(&wrong).contains("returns.retention.limit"), "{}", err(&wrong));
    assert_eq!(topics(&["configure", "returns"]).status.code(), Some(2), "nothing to change");
    let grown = topics(&["add-partitions", "returns", "--to", "4"]);
    assert_eq!(grown.status.code(), Some(0), "{}", err(&grown));
    assert_eq!(show(&url)["ends"].as_array().unwrap().len(), 4);
    assert_eq!(topics(&["add-partitions", "returns", "--to", "2"]).status.code(), Some(2), "never fewer");
    drop(node);
    let node = up(folder.path());
    let lasting = show(&node.url());
    assert_eq!((lasting["partitions"].as_u64(), lasting["retention"]["size"].as_str()), (Some(4), Some("1MiB")));
    let url = node.url();
    let topics = |words: &[&str]| evenkeel(folder.path(), &[&["topics"], words, &["--node", &url]].concat());
    let asked = topics(&["delete", "returns"]);
    assert!(asked.status.code() == Some(2) && err(&asked).contains("--yes"), "{}", err(&asked));
    let deleted = topics(&["delete", "returns", "--yes"]);
    assert_eq!((deleted.status.code(), out(&deleted).as_str()), (Some(0), "deleted returns\n"), "{}", err(&deleted));
    let gone = topics(&["show", "returns"]);
    assert!(err(&gone).contains("error[unknown-topic]"), "{}", err(&gone));
    drop(node);
    let node = up(folder.path());
    let gone = evenkeel(folder.path(), &["topics", "show", "returns", "--node", &node.url()]);
    assert!(err(&gone).contains("error[unknown-topic]"), "it stays gone: {}", err(&gone));
}

#[test]
fn what_the_file_declares_only_the_file_changes_and_a_start_applies_it() {
    let folder = folder(FILE);
    let node = up(folder.path());
    let url = node.url();
    let words: [&[&str]; 3] = [
        &["topics", "configure", "orders", "--retention-age", "1d"],
        &["topics", "add-partitions", "orders", "--to", "9"],
        &["topics", "delete", "orders", "--yes"],
    ];
    for words in words {
        let refused = evenkeel(folder.path(), &[words, &["--node", &url]].concat());
        assert_eq!(refused.status.code(), Some(1), "{words:?}");
        assert!(err(&refused).contains("error[topic-declared]"), "{}", err(&refused));
    }
    let own = evenkeel(folder.path(), &["topics", "delete", "evenkeel.ledger", "--yes", "--node", &url]);
    assert!(err(&own).contains("error[own-topic]"), "{}", err(&own));
    drop(node);
    let more = "topics: { orders: { partitions: 5, retention: { size: 1GiB }, cleanup: compact } }\n";
    std::fs::write(folder.path().join("evenkeel.yaml"), more).unwrap();
    let node = up(folder.path());
    let shown = evenkeel(folder.path(), &["topics", "show", "orders", "--node", &node.url(), "--output", "json"]);
    let shown: Value = serde_json::from_str(&out(&shown)).unwrap();
    assert_eq!((shown["partitions"].as_u64(), shown["cleanup"].as_str()), (Some(5), Some("compact")), "{shown}");
    assert_eq!((shown["retention"]["age"].as_str(), shown["retention"]["size"].as_str()), (None, Some("1GiB")));
    assert_eq!(shown["declared"], true);
    drop(node);
    std::fs::write(folder.path().join("evenkeel.yaml"), FILE).unwrap();
    let fewer = evenkeel(folder.path(), &["up", "--http", "127.0.0.1:0"]);
    assert_eq!(fewer.status.code(), Some(1));
    assert!(err(&fewer).contains("topics.orders.partitions") && err(&fewer).contains("5"), "{}", err(&fewer));
}

#[test]
fn records_are_deleted_up_to_an_offset_a_time_or_the_end_and_an_event_may_come_again_to_a_new_topic() {
    let folder = folder(FILE);
    let node = up(folder.path());
    let url = node.url();
    let run = |words: &[&str]| evenkeel(folder.path(), &[words, &["--node", &url]].concat());
    std::fs::write(folder.path().join("events.jsonl"), "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n").unwrap();
    let publish = || {
        run(&[
            "publish",
            "returns",
            "events.jsonl",
            "--type",
            "T",
            "--source",
            "/s",
            "--id-from",
            "/id",
            "--output",
            "json",
        ])
    };
    assert_eq!(run(&["topics", "create", "returns", "--partitions", "1"]).status.code(), Some(0));
    assert_eq!(publish().status.code(), Some(0));
    let cut = run(&["topics", "delete-records", "returns", "--before", "2", "--output", "json"]);
    assert_eq!(cut.status.code(), Some(0), "{}", err(&cut));
    let shown: Value = serde_json::from_str(&out(&cut)).unwrap();
    assert_eq!((shown["ends"][0]["start"].as_u64(), shown["records"].as_u64()), (Some(2), Some(1)), "{shown}");
    let tail = run(&["tail", "returns", "--output", "json"]);
    assert_eq!(out(&tail).lines().count(), 1, "{}", out(&tail));
    let wrong = run(&["topics", "delete-records", "returns", "--before", "earliest"]);
    assert!(err(&wrong).contains("error[invalid-parameter]"), "{}", err(&wrong));
    let all = run(&["topics", "delete-records", "returns", "--before", "latest", "--output", "json"]);
    assert!(out(&all).contains("\"records\": 0"), "{}{}", out(&all), err(&all));
    assert!(out(&publish()).contains("\"duplicate\":true"), "what was deleted was published all the same");
    assert_eq!(run(&["topics", "delete", "returns", "--yes"]).status.code(), Some(0));
    assert_eq!(run(&["topics", "create", "returns", "--partitions", "1"]).status.code(), Some(0));
    let anew = publish();
    assert!(!out(&anew).contains("\"duplicate\":true"), "a new topic of that name knows nothing: {}", out(&anew));
}

#[test]
fn nothing_goes_that_a_subscription_still_owes_unless_it_is_said_and_then_it_expires() {
    // Nothing of it is parked, which would be kept aside: then the topic owes it no more.
    let file = "topics: { other: { partitions: 1 } }\nsubscriptions:\n  slow: { topic: other, retry: { inline: 1h }, handler: { http: { url: \"http://127.0.0.1:9/\" } } }\n";
    let folder = folder(file);
    let node = up(folder.path());
    let url = node.url();
    let run = |words: &[&str]| evenkeel(folder.path(), &[words, &["--node", &url]].concat());
    std::fs::write(folder.path().join("events.jsonl"), "{\"id\":1}\n{\"id\":2}\n").unwrap();
    let done = run(&["publish", "other", "events.jsonl", "--type", "T", "--source", "/s", "--id-from", "/id"]);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    let refused = run(&["topics", "delete-records", "other", "--before", "latest"]);
    assert_eq!(refused.status.code(), Some(1), "{}", out(&refused));
    assert!(err(&refused).contains("error[topic-in-use]") && err(&refused).contains("slow"), "{}", err(&refused));
    let shown = run(&["topics", "show", "other", "--output", "json"]);
    assert!(out(&shown).contains("\"records\": 2"), "{}", out(&shown));
    let said = run(&["topics", "delete-records", "other", "--before", "latest", "--owed", "--output", "json"]);
    assert!(out(&said).contains("\"records\": 0"), "{}{}", out(&said), err(&said));
}
