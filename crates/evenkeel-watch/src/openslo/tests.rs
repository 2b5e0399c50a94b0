//! OpenSLO v1 documents as people write them: every rule accepts and refuses one, and each check that is left out
//! turns one of these tests red (`control`).

#[path = "../../../evenkeel-node/src/config/objectives/yaml.rs"]
mod yaml;

mod documents;
mod executed;
mod rules;
mod control;

use std::sync::Arc;

use evenkeel_watch::openslo::{Document, Executable, Finding, Known, objectives, read};
use jiff::tz::TimeZone;

/// The documents of a file, and what is wrong with the others.
fn parse(text: &str) -> (Vec<Document>, Vec<Finding>) {
    let file = Arc::from("a.yaml");
    let (mut sound, mut findings) = (Vec::new(), Vec::new());
    for tree in yaml::documents(text).unwrap_or_else(|(line, why)| panic!("{line}: {why}\n{text}")) {
        match read(&file, &tree) {
            Ok(document) => sound.push(document),
            Err(found) => findings.extend(found),
        }
    }
    (sound, findings)
}

/// What can be executed of a file that is sound OpenSLO.
fn execute(text: &str) -> Executable {
    let (documents, findings) = parse(text);
    assert_eq!(findings, [], "{text}");
    let subscriptions = [Arc::from("payment"), Arc::from("inventory"), Arc::from("chain:orders")];
    let zone = |name: &str| TimeZone::get(name).ok();
    objectives(&documents, Known { zone: &zone, subscriptions: Some(&subscriptions) })
}

fn said(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
