//! The real node under SIGKILL at random moments, with a handler that counts for itself.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;
#[path = "kill/counting.rs"]
mod counting;
#[path = "kill/producing.rs"]
mod producing;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use counting::Counting;
use evenkeel_node::client::Client;
use producing::Produced;
use support::{pass, row, until};
use tokio::sync::watch;

/// Kills of a run; `EVENKEEL_KILLS` asks for more (`cargo xtask soak` does).
const KILLS: usize = 20;
const PRODUCERS: usize = 6;
const SEED: u64 = 0x5eed_2026;

/// What was going on when the node was killed.
#[derive(Debug)]
struct Hit {
    unacknowledged: usize,
    in_flight: usize,
    parked: usize,
}

impl Hit {
    fn is_all_three(&self) -> bool {
        self.unacknowledged > 0 && self.in_flight > 0 && self.parked > 0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_killed_twenty_times_under_load_loses_nothing_and_does_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let counting = Counting::start().await;
    write_config(folder.path(), &counting.url);
    let (address, at) = watch::channel(String::new());
    let produced = Arc::new(Produced::default());
    let producers: Vec<_> =
        (0..PRODUCERS).map(|n| tokio::spawn(producing::produce(n, at.clone(), produced.clone()))).collect();

    println!("seed {SEED:#x}");
    let kills = std::env::var("EVENKEEL_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let mut dice = SEED;
    let mut hits = Vec::new();
    for kill in 1..=kills {
        let mut node = up(folder.path()).await;
        address.send_replace(node.url.clone());
        pass(Duration::from_millis(150 + random(&mut dice) % 350)).await;
        let look = || Hit {
            unacknowledged: produced.unacknowledged.load(Ordering::SeqCst),
            in_flight: counting.in_flight(),
            parked: counting.parked(),
        };
        // A fast node is often between two publishes: the next moment with all three, if one comes soon.
        let soon = async {
            while !look().is_all_three() {
                tokio::task::yield_now().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(50), soon).await;
        let hit = look();
        node.child.kill().unwrap();
        node.child.wait().unwrap();
        println!(
            "kill {kill:2}: {} unacknowledged, {} in flight, {} parked",
            hit.unacknowledged, hit.in_flight, hit.parked
        );
        hits.push(hit);
    }
    let all_three = hits.iter().filter(|hit| hit.is_all_three()).count();

    let mut node = up(folder.path()).await;
    address.send_replace(node.url.clone());
    produced.enough.store(true, Ordering::SeqCst);
    for producer in producers {
        producer.await.unwrap();
    }
    let acknowledged = produced.ids();
    println!("{} events acknowledged; {all_three} of {kills} kills hit all three", acknowledged.len());
    drained(&counting, acknowledged.len()).await;
    let client = Client::new(&node.url);
    let audit = until("nothing is in flight, parked or unread", || async {
        let audit = client.json("GET", "/v1/audit", None).await.unwrap();
        let of = row(&audit, "subscriptions", "work");
        let open = ["in_flight", "parked", "unread"].iter().map(|n| of[n].as_u64().unwrap()).sum::<u64>();
        (open == 0).then_some(audit)
    })
    .await;

    let effects = counting.effects();
    assert_eq!(effects, acknowledged, "exactly the acknowledged events have effects");
    assert_eq!(counting.keys_per_event_max(), 1, "an event goes out under one key only");
    assert_eq!(counting.disorder(), Vec::<String>::new(), "order within a key");
    let of = row(&audit, "subscriptions", "work");
    assert_eq!(audit["ok"], true, "{audit}");
    assert_eq!(of["appended"].as_u64().unwrap() as usize, acknowledged.len(), "{of}");
    assert_eq!(of["completed"].as_u64().unwrap() as usize, acknowledged.len(), "{of}");
    assert!(all_three * 2 >= kills, "{all_three} of {kills} kills hit all three: {hits:?}");

    let pid = rustix::process::Pid::from_raw(i32::try_from(node.child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || node.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0), "SIGTERM drains and exits 0");
}

/// Waits until there are so many effects, as long as they keep coming: the keys that fail drain
/// slowly, and there are more of their events the longer it ran.
async fn drained(counting: &Counting, effects: usize) {
    loop {
        let before = counting.effects().len();
        if before >= effects {
            return;
        }
        until("one more effect", || async { (counting.effects().len() > before).then_some(()) }).await;
    }
}

struct Up {
    child: Child,
    url: String,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn up(folder: &Path) -> Up {
    let errors = std::fs::File::options().append(true).create(true).open(folder.join("node.log")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["up", "--config"])
        .arg(folder.join("evenkeel.yaml"))
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        line
    })
    .await
    .unwrap();
    let log = || std::fs::read_to_string(folder.join("node.log")).unwrap_or_default();
    let Some(rest) = line.strip_prefix("evenkeel ready: http ") else { panic!("`{line}`\n{}", log()) };
    let address = rest.split(' ').next().unwrap();
    Up { child, url: format!("http://{address}") }
}

fn write_config(folder: &Path, handler: &str) {
    let yaml = format!(
        "http: {{ listen: \"127.0.0.1:0\" }}
topics: {{ orders: {{ partitions: 4 }} }}
subscriptions:
  work:
    topic: orders
    from: earliest
    handler: {{ http: {{ url: \"{handler}/\", timeout: 5s }} }}
    retry: {{ attempts: 50, initial: 400ms, factor: 1, max: 400ms, inline: 20ms }}
    breaker: {{ min_calls: 1000000, failure_ratio: 1, consecutive: 1000000 }}
    effects: {{ mode: fenced }}
    concurrency: {{ min: 16, max: 64 }}
"
    );
    std::fs::write(folder.join("evenkeel.yaml"), yaml).unwrap();
}

/// xorshift64.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
