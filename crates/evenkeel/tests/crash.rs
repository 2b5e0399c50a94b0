//! A handler that aborts the process takes nobody with it: its event is dead after three crashes
//! of its own, and all others are done. A real process, on a real disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod house;

use std::path::Path;
use std::process::{Command, Stdio};

use evenkeel::{Context, Evenkeel, HandlerError, Subscribe};

use house::{all_ended, event};

/// Says to the test binary that it is the process that may die, and where its data are.
const FOLDER: &str = "EVENKEEL_CRASHING";
const THIS: &str = "an_event_that_aborts_the_process_is_dead_after_three_crashes_alone_and_its_neighbours_are_done";
const NEIGHBOURS: u64 = 40;

#[test]
fn an_event_that_aborts_the_process_is_dead_after_three_crashes_alone_and_its_neighbours_are_done() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return live(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut crashes = 0;
    while !lives_on(folder.path()) {
        crashes += 1;
        assert!(crashes < 10, "it dies again and again");
    }
    assert_eq!(crashes, 4, "once among others, three times alone");
}

/// Runs the shop in a process of its own; false when that aborts.
fn lives_on(folder: &Path) -> bool {
    let binary = std::env::current_exe().unwrap();
    let mut command = Command::new(binary);
    command.args(["--exact", THIS]).env(FOLDER, folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// One life: everything is published (what is there already is known by its id) and handled.
#[tokio::main(flavor = "current_thread")]
async fn live(folder: &Path) {
    let shop = Evenkeel::builder()
        .data(folder)
        .topic("orders", 2)
        .subscribe(Subscribe::new("shop", "orders", handle).uid("shop"))
        .start()
        .await
        .unwrap();
    for number in 0..=NEIGHBOURS {
        let data = if number == NEIGHBOURS / 2 { "true" } else { "false" };
        let order = event(number.to_string(), &format!("customer-{}", number % 7), data);
        shop.publish("orders", order).await.unwrap();
    }
    let audit = all_ended(&shop, NEIGHBOURS + 1).await;
    let shop_audit = &audit.subscriptions[0];
    assert_eq!((shop_audit.completed, shop_audit.dead), (NEIGHBOURS, 1));
    let letters = evenkeel_transport::dead::list(shop.log(), "shop", &Default::default(), 0, 9).unwrap();
    assert_eq!(letters.items[0].reason, "suspected_crash");
    assert_eq!(letters.items[0].id, (NEIGHBOURS / 2).to_string());
}

async fn handle(_: Context, deadly: bool) -> Result<(), HandlerError> {
    if deadly {
        std::process::abort();
    }
    tokio::task::yield_now().await;
    Ok(())
}
