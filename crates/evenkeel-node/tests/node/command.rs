//! The real binary: exit codes, what is on stdout and what on stderr.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::binary::{err, evenkeel, out, up};

#[test]
fn check_prints_yaml_on_stdout_and_a_typo_exits_3_with_the_right_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evenkeel.yaml");
    std::fs::write(&file, "topics: { orders: { partitions: 3 } }\n").unwrap();
    let good = evenkeel(folder.path(), &["check"]);
    assert_eq!(good.status.code(), Some(0), "{}", err(&good));
    assert!(out(&good).contains("partitions: 3"));
    assert!(err(&good).contains("nothing is bound there"), "{}", err(&good));
    std::fs::write(&file, "topics: { orders: { partitons: 3 } }\n").unwrap();
    let typo = evenkeel(folder.path(), &["check"]);
    assert_eq!(typo.status.code(), Some(3));
    assert!(
        err(&typo).contains("`topics.orders.partitons`") && err(&typo).contains("`topics.orders.partitions`"),
        "{}",
        err(&typo)
    );
    assert_eq!(evenkeel(folder.path(), &["check", "absent.yaml"]).status.code(), Some(2));
}

#[test]
fn wrong_usage_exits_2_and_an_unreachable_node_1() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(evenkeel(folder.path(), &["publsh"]).status.code(), Some(2));
    assert_eq!(evenkeel(folder.path(), &["up", "--http", "0.0.0.0:80"]).status.code(), Some(2));
    let nobody = evenkeel(folder.path(), &["audit", "--node", "http://127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(err(&nobody).contains("error[node-unreachable]") && err(&nobody).contains("hint:"), "{}", err(&nobody));
}

#[test]
fn a_data_folder_that_cannot_be_written_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    // The administrator may write anywhere, but not below a file.
    std::fs::write(folder.path().join("file"), "").unwrap();
    let refused = evenkeel(folder.path(), &["up", "--data", "file/data", "--http", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("error[data-folder]") && err(&refused).contains("file/data"), "{}", err(&refused));
    assert_eq!(out(&refused), "");
}

#[test]
fn a_second_node_on_the_same_folder_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let first = up(folder.path());
    assert!(first.1.starts_with("evenkeel ready: http 127.0.0.1:"), "{}", first.1);
    assert!(first.1.contains("(data ./evenkeel-data, ") && first.1.ends_with(" ms)\n"), "{}", first.1);
    let second = evenkeel(folder.path(), &["up", "--http", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(err(&second).contains("error[data-in-use]") && err(&second).contains("evenkeel-data"), "{}", err(&second));
}

#[test]
fn publish_and_tail_carry_lines_through_and_a_wrong_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evenkeel.yaml"), "topics: { orders: { partitions: 2 } }\n").unwrap();
    let node = up(folder.path());
    let url = node.url();
    let publish = |lines: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
            .args(["publish", "orders", "--node", &url, "--type", "T", "--id-from", "/id", "--output", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let done = publish("{\"id\":1}\n\n{\"id\":2}\n");
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert_eq!(out(&done).lines().count(), 2);
    let again = publish("{\"id\":2}");
    assert!(out(&again).contains("\"duplicate\":true"), "{}", out(&again));
    let wrong = publish("{\"id\":3}\n{\"nothing\":4}\n");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(err(&wrong).contains("line 2") && err(&wrong).contains("/id"), "{}", err(&wrong));
    let tail = evenkeel(folder.path(), &["tail", "orders", "--node", &url, "--output", "json"]);
    assert!(out(&tail).lines().count() >= 2, "{}", out(&tail));
    let audit = evenkeel(folder.path(), &["audit", "--node", &url, "--output", "json"]);
    assert_eq!(audit.status.code(), Some(0));
    assert!(out(&audit).contains("\"ok\": true"));
}
