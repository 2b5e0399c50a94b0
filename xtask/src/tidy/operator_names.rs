//! Every name that an operator sees is a constant in one file: metric names stand in the node's
//! `metrics/names.rs` (and in its parts), headers and topics in the model's `names.rs`.

use super::tree::Tree;

const METRICS: &str = "crates/evenkeel-node/src/metrics/names";
const NAMES: &str = "crates/evenkeel-model/src/names.rs";

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for source in tree.rust.iter().filter(|s| !s.is_test() && s.path.starts_with("crates/")) {
        for (number, line) in source.production_lines().iter().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            let mut say = |what: &str| found.push(format!("{}:{}: {what}", source.path, number + 1));
            if !source.path.starts_with(METRICS) && literal_begins(code, "evenkeel_") && !code.contains("evenkeel_node")
            {
                say("a metric's name is a constant in metrics/names.rs");
            }
            if source.path != NAMES && (literal_begins(code, "evk-dlq") || literal_begins(code, "evenkeel.ledger")) {
                say("a header's or topic's name is a constant in evenkeel-model/src/names.rs");
            }
        }
    }
    found
}

fn literal_begins(code: &str, prefix: &str) -> bool {
    code.contains(&format!("\"{prefix}"))
}
