//! Dead letters that other frameworks wrote, and events that come too late, as an operator meets them.

use std::path::Path;
use std::sync::Arc;

use evenkeel_log::{Log, Options, RealDisk, Set};
use evenkeel_model::{Record, Shard, SystemClock, Timestamp};
use serde_json::{Value, json};

use crate::binary::{err, evenkeel, out};
use crate::support::{Handler, start, until};

const FILE: &str = "topics: { orders-dlt: { partitions: 2 } }\n";

fn letter(headers: &[(&str, &[u8])]) -> Record {
    let created = Timestamp::from_millis(1_790_000_000_000);
    let mut record = Record { key: Some("k".into()), value: Some("{}".into()), created, ..Record::default() };
    headers.iter().for_each(|(name, value)| record.push_header(*name, value.to_vec()));
    record
}

/// Spring's, Connect's and a record that is none, as they would have come in by Kafka.
fn write(folder: &Path) {
    let disk = Arc::new(RealDisk::new(folder.join("evenkeel-data")));
    let log = Log::open(disk, Options::default(), Arc::new(SystemClock::new())).unwrap();
    let spring = |offset: i64| {
        letter(&[
            ("kafka_dlt-original-topic", b"orders"),
            ("kafka_dlt-original-partition", &1_i32.to_be_bytes()),
            ("kafka_dlt-original-offset", &offset.to_be_bytes()),
            ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalStateException"),
            ("kafka_dlt-exception-message", b"no funds"),
        ])
    };
    let connect = letter(&[
        ("__connect.errors.topic", b"orders"),
        ("__connect.errors.partition", b"0"),
        ("__connect.errors.offset", b"99"),
        ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
    ]);
    log.append(Set::of(Shard::new("orders-dlt", 0), vec![spring(41), spring(42), letter(&[])])).wait().unwrap();
    log.append(Set::of(Shard::new("orders-dlt", 1), vec![connect])).wait().unwrap();
    log.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_of_other_frameworks_are_listed_shown_grouped_and_exported_from_any_topic() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), FILE).await.node.shutdown().await;
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || write(&path)).await.unwrap();
    let node = start(folder.path(), FILE).await;
    let url = format!("http://{}", node.node.http);
    let run = |words: &[&str]| {
        let words = [&["dead"], words, &["--node", &url, "--output", "json"]].concat();
        let done = evenkeel(folder.path(), &words);
        assert_eq!(done.status.code(), Some(0), "{words:?}: {}", err(&done));
        out(&done)
    };
    let listed: Value = serde_json::from_str(&run(&["list", "--topic", "orders-dlt"])).unwrap();
    let of = |n: usize, member: &str| listed["items"][n][member].clone();
    assert_eq!(
        (of(0, "written_by"), of(0, "topic"), of(0, "partition")),
        (json!("spring-kafka"), json!("orders"), json!(1))
    );
    assert_eq!((of(1, "offset"), of(1, "reason")), (json!(42), json!("java.lang.IllegalStateException")));
    assert_eq!((of(2, "written_by"), of(2, "topic")), (json!(""), Value::Null), "it says nothing of a death");
    assert_eq!(
        (of(3, "written_by"), of(3, "dead_partition"), of(3, "offset")),
        (json!("kafka-connect"), json!(1), json!(99))
    );
    let groups: Value =
        serde_json::from_str(&run(&["groups", "--topic", "orders-dlt", "--reason", "java.lang.IllegalStateException"]))
            .unwrap();
    assert_eq!((&groups["letters"], &groups["groups"][0]["count"]), (&json!(2), &json!(2)), "{groups}");
    let shown: Value = serde_json::from_str(&run(&["show", "0:1", "--topic", "orders-dlt"])).unwrap();
    assert_eq!((&shown["message"], &shown["dead_offset"]), (&json!("no funds"), &json!(1)));
    assert_eq!(run(&["export", "--topic", "orders-dlt"]).lines().count(), 4);
    let page = node.get("/v1/topics/orders-dlt/dead?limit=2").await;
    assert_eq!(page["next"], "0:2");
    let rest = node.get("/v1/topics/orders-dlt/dead?from=0:2").await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
    for (path, code) in [
        ("/v1/topics/nowhere/dead", "unknown-topic"),
        ("/v1/topics/orders-dlt/dead?from=17", "invalid-parameter"),
        ("/v1/topics/orders-dlt/dead?colour=red", "invalid-parameter"),
        ("/v1/topics/orders-dlt/dead/0:77", "unknown-event"),
    ] {
        assert_eq!(node.client.json("GET", path, None).await.unwrap_err().code, code, "{path}");
    }
    let both = evenkeel(folder.path(), &["dead", "list", "s", "--topic", "t", "--node", &url]);
    assert_eq!(both.status.code(), Some(2), "{}", err(&both));
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_of_other_frameworks_go_back_once_to_where_they_came_from() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), FILE).await.node.shutdown().await;
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || write(&path)).await.unwrap();
    let handler = Handler::start(|_| 200).await;
    let subscription =
        format!("subscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{}\" }} }} }} }}", handler.url);
    let yaml = format!("topics: {{ orders-dlt: {{ partitions: 2 }}, orders: {{ partitions: 2 }} }}\n{subscription}\n");
    let node = start(folder.path(), &yaml).await;
    let url = format!("http://{}", node.node.http);
    let redrive = |words: &[&str]| {
        let words = [&["dead", "redrive", "--topic", "orders-dlt", "--node", &url], words].concat();
        let done = evenkeel(folder.path(), &words);
        (done.status.code(), out(&done), err(&done))
    };
    let (code, said, _) = redrive(&["--dry-run"]);
    let stays = "1 stay: it does not say where it came from";
    assert_eq!((code, said.trim()), (Some(0), format!("3 letters would go back to orders\n{stays}").as_str()));
    let mended = ["--because", "mended", "--rate", "10/s"];
    let springs = [&mended[..], &["--reason", "java.lang.IllegalStateException"]].concat();
    assert_eq!(redrive(&springs).1.trim(), "2 letters went back to orders");
    assert_eq!(redrive(&mended).1.trim(), format!("1 letters went back to orders\n{stays}\n2 went back before"));
    until("they are handled", || async { (node.audited("s").await["completed"] == 3).then_some(()) }).await;
    let places: Vec<_> = handler.seen().iter().map(|call| call.header("ce-source")).collect();
    assert_eq!(places.iter().filter(|source| *source == "/orders/1").count(), 2, "where they lay before: {places:?}");
    let open = node.get("/v1/topics/orders-dlt/dead?state=open").await;
    assert_eq!(open["items"].as_array().unwrap().len(), 1, "{open}");
    assert_eq!(node.get("/v1/topics/orders-dlt/dead?state=closed").await["items"].as_array().unwrap().len(), 3);
    let (code, _, why) = redrive(&[]);
    assert!(code == Some(1) && why.contains("reason"), "{why}");
    let (code, _, why) = redrive(&["--because", "x", "--to", "nowhere"]);
    assert!(code == Some(1) && why.contains("nowhere"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_late_is_stale_and_another_identity_is_a_duplicate_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let yaml = format!(
        "topics: {{ stock: {{ partitions: 1 }} }}
subscriptions:
  s:
    topic: stock
    handler: {{ http: {{ url: \"{}\" }} }}
    identity: {{ pointer: /movement }}
    sequence: {{ attribute: sequence }}
",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    for (id, sequence, movement) in [("a", "007", 1), ("b", "6", 2), ("c", "8", 1), ("d", "eight", 3)] {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "/s", "type": "T", "partitionkey": "sku-1", "sequence": sequence,
            "datacontenttype": "application/json", "data": { "movement": movement },
        });
        node.publish("stock", event).await;
    }
    until("all have ended", || async {
        let audit = node.audited("s").await;
        (audit["completed"] == 2 && audit["stale"] == 1 && audit["duplicate"] == 1).then_some(())
    })
    .await;
    assert_eq!(handler.seen().iter().map(|call| call.header("ce-id")).collect::<Vec<_>>(), ["a", "d"]);
    let shown = node.get("/v1/subscriptions/s").await;
    assert_eq!((&shown["versions"], &shown["unversioned"]), (&json!(1), &json!(1)), "{shown}");
    assert_eq!(shown["written"]["identity"], json!({ "pointer": "/movement" }));
    let story = node.get("/v1/events/b").await.to_string();
    assert!(story.contains("stale"), "{story}");
}
