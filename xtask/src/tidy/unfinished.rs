//! Nothing unfinished, nothing asleep: no stubs, no ignored tests, no sleeps in tests, no
//! comments that admit that something is missing.

use super::tree::{Source, Tree};

/// Spelled in halves, so that this file does not find itself.
const STUBS: &[(&str, &str)] = &[("todo", "!("), ("unimplemented", "!("), ("#[", "ignore")];
const ADMISSIONS: &[(&str, &str)] =
    &[("for ", "now"), ("TO", "DO"), ("FIX", "ME"), ("HA", "CK:"), ("place", "holder"), ("in a real ", "system")];

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    tree.rust.iter().flat_map(file).collect()
}

fn file(source: &Source) -> Vec<String> {
    // Under tokio's paused clock a sleep moves the clock and takes no time.
    let virtual_time = source.text.contains("start_paused = true") || source.text.contains("tokio's paused clock");
    let mut found = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let mut say = |what: &str| found.push(format!("{}:{}: {what}", source.path, number + 1));
        if STUBS.iter().any(|(a, b)| line.contains(&format!("{a}{b}"))) {
            say("a stub, or a test that is never run");
        }
        if source.is_test() && !virtual_time && (line.contains("thread::sleep(") || line.contains("time::sleep(")) {
            say("a test that sleeps: use virtual time, or wait on a condition");
        }
        let Some(comment) = line.split_once("//").map(|(_, c)| c) else { continue };
        if ADMISSIONS.iter().any(|(a, b)| comment.contains(&format!("{a}{b}"))) {
            say("a comment that admits something unfinished: finish it, or write it in an issue");
        }
    }
    found
}
