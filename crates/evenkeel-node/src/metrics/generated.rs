//! What is generated from the constants of `names`: the reference, and Grafana's dashboards. A test that fails when
//! a file is not what they say; `cargo xtask generate` (`EVENKEEL_GENERATE=1`) writes them.

use std::path::Path;

use super::dashboards;
use super::names::{ALL, Kind};

/// `docs/reference/metrics.md`.
fn reference() -> String {
    let mut text = String::from(
        "# Metrics\n\nGenerated from `crates/evenkeel-node/src/metrics/names.rs` by `cargo xtask generate`; don't edit.\n\n\
         `GET /metrics` gives them as text 0.0.4, OpenMetrics 1.0 (units, exemplars with `event_id` and `trace_id`) or\n\
         protobuf (native histograms), as `Accept` asks, packed with gzip where that is welcome. Counts of events are exact: they come\n\
         from the ledger, survive a restart, and start lower only where the ledger's retention let something go.\n\
         Recording rules under Sloth's names: `evenkeel slo rules`. Dashboards: `docs/grafana/`.\n",
    );
    for (kind, title) in [(Kind::Counter, "Counters"), (Kind::Gauge, "Gauges"), (Kind::Histogram, "Histograms")] {
        text += &format!("\n## {title}\n\n| name | unit | what it says |\n|---|---|---|\n");
        for metric in ALL.iter().filter(|metric| metric.kind == kind) {
            text += &format!("| `{}` | {} | {} |\n", metric.name, metric.unit().unwrap_or("–"), metric.help);
        }
    }
    text
}

/// `docs/reference/happenings.md`.
fn happening_reference() -> String {
    let mut text = String::from(
        "# Happenings\n\nGenerated from the `happenings.rs` of each crate by `cargo xtask generate`; don't edit.\n\n\
         What a node tells its operator: each is one struct, from which the log line and the count\n\
         `evenkeel_happenings_total{kind=…}` derive. Lines are written by `log:`; of one kind at most `log.per_minute` (60).\n\
         The adapter of Kafka adds `kafka-client`, `partitions-not-taken` and `batch-limit-unknown`, that of AWS `queue-found`.\n\n\
         | kind | level | what the line says | fields |\n|---|---|---|---|\n",
    );
    for kind in crate::happenings::without_adapters() {
        let fields: Vec<String> = kind.fields.iter().map(|field| format!("`{field}`")).collect();
        let level = kind.level.as_str().to_ascii_lowercase();
        text += &format!("| `{}` | {level} | {} | {} |\n", kind.name, kind.says, fields.join(" "));
    }
    text
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    let all = crate::happenings::all();
    for (at, kind) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other.name != kind.name), "{} twice", kind.name);
    }
}

#[test]
fn what_is_generated_from_the_metrics_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = [
        ("docs/reference/metrics.md", reference()),
        ("docs/reference/happenings.md", happening_reference()),
        ("docs/grafana/overview.json", dashboards::overview()),
        ("docs/grafana/objectives.json", dashboards::objectives()),
    ];
    for (name, wanted) in files {
        let path = root.join(name);
        if std::env::var_os("EVENKEEL_GENERATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &wanted).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == wanted, "{name} is not what the constants say: `cargo xtask generate` writes it anew");
    }
}
