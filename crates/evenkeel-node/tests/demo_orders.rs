//! The demo on the real orders: every one of them is accounted for, in every subscription.
//!
//! How fast an incident resolves depends on the machine, and a test build on a busy one is slow:
//! the accounts must be right here, the demo's exit code is `.ci/run`'s business.

use std::path::PathBuf;
use std::process::Command;

/// The file of real orders, where it is; else the test notes itself, or fails where it is required.
fn orders() -> Option<PathBuf> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/orders/orders.jsonl.gz");
    let path = std::env::var_os("EVENKEEL_ORDERS").map_or_else(|| PathBuf::from(root), PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == "orders"), "{} is required and not there", path.display());
    note("demo_orders: the file of real orders (EVENKEEL_ORDERS)");
    None
}

fn note(line: &str) {
    use std::io::Write as _;
    let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/../skipped.txt");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
    let _ = file.and_then(|mut file| writeln!(file, "{line}"));
}

#[test]
fn the_demo_accounts_for_every_real_order_in_every_subscription() {
    let Some(orders) = orders() else { return };
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["demo", "--for", "120s", "--patience", "40s", "--events"])
        .arg(orders)
        .arg("--data")
        .arg(dir.path().join("run"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    // One order is poison and is cancelled by compensation: one event more, one payment less.
    for sentence in [
        "acknowledged: 12468 of 12468 orders (10522 created, 1946 cancelled)",
        "audit: the node finds that its own log adds up",
        "outcomes of inventory: 12469 appended = 12469 completed + 0 filtered + 0 dead",
        "outcomes of payment: 12469 appended = 10521 completed + 1947 filtered + 1 dead",
        "outcomes of shipping: 10521 appended = 10521 completed + 0 filtered + 0 dead",
        "outcomes of compensation: 1 appended = 1 completed",
        "effects at inventory: 12469 written for 12469 expected",
        "effects at payment: 10521 written for 10521 expected",
        "effects at shipping: 10521 written for 10521 expected",
        "order at inventory: 10436 effects of known customers, 0 violations",
    ] {
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(said.contains(&format!("  ok  {sentence}")), "`{sentence}` does not hold in\n{said}\n{told}");
    }
}
