//! The proof by the real binary: on the data folder as it is, and on copies of it in which one
//! ledger entry was dropped, doubled or swapped with another.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use evenkeel_log::{Log, Options, ReadLimit, RealDisk, Set, TopicSettings};
use evenkeel_model::ledger::{self, LedgerEntry, LedgerRecord};
use evenkeel_model::{Record, Shard, SystemClock, names};
use serde_json::json;

use crate::support::{Handler, start, until};

fn open(folder: &Path) -> Log {
    Log::open(Arc::new(RealDisk::new(folder)), Options::default(), Arc::new(SystemClock::new())).unwrap()
}

/// A folder with the same records, but for what `change` does to those of the ledger.
fn copy(from: &Log, to: &Path, change: impl Fn(Vec<Record>) -> Vec<Record>) {
    std::fs::create_dir_all(to).unwrap();
    let log = open(to);
    for topic in from.topics().into_iter().filter(|t| &*t.name != names::CONTROL_TOPIC) {
        log.create_topic(&topic.name, TopicSettings::partitions(topic.partitions)).unwrap().wait().unwrap();
        for partition in 0..topic.partitions {
            let shard = Shard::new(topic.name.clone(), partition);
            let stored = from.read(&shard, 0, ReadLimit::default()).unwrap();
            let mut records: Vec<Record> = stored.into_iter().map(|s| s.record).collect();
            if &*topic.name == names::LEDGER_TOPIC {
                records = change(records);
            }
            if !records.is_empty() {
                log.append(Set::of(shard, records)).wait().unwrap();
            }
        }
    }
    log.close();
}

/// Applies `change` to the first ledger record of which it makes something else.
fn once(change: impl Fn(&mut LedgerRecord)) -> impl Fn(Vec<Record>) -> Vec<Record> {
    move |mut records| {
        for record in &mut records {
            let before = ledger::decode(record.value.as_deref().unwrap()).unwrap();
            let mut after = before.clone();
            change(&mut after);
            if after != before {
                record.value = Some(ledger::encode(&after));
                return records;
            }
        }
        panic!("nothing to change");
    }
}

fn audit(folder: &Path, data: &str) -> (Option<i32>, String) {
    let words = ["audit", "--data", data, "--config", "config.yaml"];
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel")).current_dir(folder).args(words).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_one_ledger_entry_dropped_doubled_or_swapped_is_refused_by_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions: {{ s: {{ topic: orders, from: earliest, handler: {{ http: {{ url: \"{}/\" }} }} }} }}
",
        handler.url
    );
    std::fs::write(folder.path().join("config.yaml"), &yaml).unwrap();
    let node = start(folder.path(), &yaml).await;
    let event = |id: &str| json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T", "subject": "one" });
    let both = json!([event("a"), event("b"), event("c")]).to_string();
    let batch = [("content-type", "application/cloudevents-batch+json")];
    assert_eq!(node.post("orders", &batch, both).await.status, 200);
    until("three outcomes", || async { (node.audited("s").await["completed"] == 3).then_some(()) }).await;
    node.node.shutdown().await;

    let log = open(&folder.path().join("evenkeel-data"));
    copy(&log, &folder.path().join("same"), |records| records);
    copy(&log, &folder.path().join("dropped"), once(|record| drop(record.entries.pop())));
    copy(&log, &folder.path().join("doubled"), once(|record| record.entries.extend(record.entries.last().cloned())));
    // One key's events end one round after the other: their offsets change places.
    let swap = |offset: u64| if offset < 2 { 1 - offset } else { offset };
    copy(&log, &folder.path().join("swapped"), |records| {
        let swapped = |mut record: Record| {
            let mut entries = ledger::decode(record.value.as_deref().unwrap()).unwrap();
            for entry in &mut entries.entries {
                if let LedgerEntry::Ended(ended) = entry {
                    ended.offset = swap(ended.offset);
                }
            }
            record.value = Some(ledger::encode(&entries));
            record
        };
        records.into_iter().map(swapped).collect()
    });
    log.close();

    for (data, code) in [("evenkeel-data", 0), ("same", 0), ("dropped", 3), ("doubled", 3), ("swapped", 3)] {
        let (found, said) = audit(folder.path(), data);
        assert_eq!(found, Some(code), "{data}: {said}");
    }
}
