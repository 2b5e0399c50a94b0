//! What a topic keeps, as flags: they become the keys of the configuration file.

use serde_json::{Map, Value, json};

/// Takes a setting away.
const NONE: &str = "none";

#[derive(Debug, Default, clap::Args)]
pub(super) struct Settings {
    /// Events older than this go: 7d, 12h; `none` keeps them
    #[arg(long, value_name = "TIME")]
    retention_age: Option<String>,
    /// The oldest events go when a partition holds more than this: 10GiB; `none` keeps them
    #[arg(long, value_name = "SIZE")]
    retention_size: Option<String>,
    /// A partition never holds more than this, whatever is still owed; `none`: no limit
    #[arg(long, value_name = "SIZE")]
    limit: Option<String>,
    /// What happens at the limit: refuse, expire
    #[arg(long, value_name = "WHAT")]
    at_limit: Option<String>,
    /// delete, or compact: of each key the newest event stays
    #[arg(long, value_name = "HOW")]
    cleanup: Option<String>,
    /// With compact: the share that is not compacted yet, from which on it is worth while
    #[arg(long, value_name = "SHARE")]
    dirty_ratio: Option<f64>,
    /// With compact: how long the mark of a deleted key is kept
    #[arg(long, value_name = "TIME")]
    delete_retention: Option<String>,
    /// With compact: events younger than this are left alone
    #[arg(long, value_name = "TIME")]
    min_lag: Option<String>,
}

impl Settings {
    /// Whether any is given.
    pub(super) fn is_empty(&self) -> bool {
        let texts = [
            &self.retention_age,
            &self.retention_size,
            &self.limit,
            &self.at_limit,
            &self.cleanup,
            &self.delete_retention,
            &self.min_lag,
        ];
        texts.iter().all(|t| t.is_none()) && self.dirty_ratio.is_none()
    }

    /// The topic `there` with these flags laid over it, as a request's body.
    pub(super) fn over(&self, there: &Value) -> Value {
        let member = |name: &str| there.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut retention = member("retention");
        set(&mut retention, "age", &self.retention_age);
        set(&mut retention, "size", &self.retention_size);
        set(&mut retention, "limit", &self.limit);
        set(&mut retention, "at_limit", &self.at_limit);
        if retention.get("limit").is_none_or(Value::is_null) && self.at_limit.is_none() {
            retention.remove("at_limit");
        }
        let cleanup = self.cleanup.as_deref().or(there.get("cleanup").and_then(Value::as_str)).unwrap_or("delete");
        let mut compact = if cleanup == "compact" { member("compact") } else { Map::new() };
        set(&mut compact, "delete_retention", &self.delete_retention);
        set(&mut compact, "min_lag", &self.min_lag);
        if let Some(ratio) = self.dirty_ratio {
            compact.insert("dirty_ratio".to_owned(), json!(ratio));
        }
        let mut body = json!({ "retention": retention, "cleanup": cleanup });
        if let (Value::Object(members), false) = (&mut body, compact.is_empty()) {
            members.insert("compact".to_owned(), Value::Object(compact));
        }
        body
    }
}

fn set(into: &mut Map<String, Value>, name: &str, value: &Option<String>) {
    match value.as_deref() {
        None => {}
        Some(NONE) => drop(into.remove(name)),
        Some(text) => drop(into.insert(name.to_owned(), Value::from(text))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::Settings;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn over(flags: &str, there: serde_json::Value) -> serde_json::Value {
        let line = Line::try_parse_from(format!("x {flags}").split_whitespace()).unwrap();
        line.settings.over(&there)
    }

    #[test]
    fn a_flag_changes_its_own_key_and_none_takes_it_away() {
        let there = json!({ "name": "orders", "partitions": 3, "cleanup": "delete",
            "retention": { "age": "7d", "limit": "1GiB", "at_limit": "expire" } });
        assert_eq!(
            over("--retention-age 1d", there.clone()),
            json!({ "retention": { "age": "1d", "limit": "1GiB", "at_limit": "expire" }, "cleanup": "delete" })
        );
        assert_eq!(over("--limit none", there.clone())["retention"], json!({ "age": "7d" }));
        let compacted = over("--cleanup compact --dirty-ratio 0.2", there);
        assert_eq!(compacted["compact"], json!({ "dirty_ratio": 0.2 }));
        let again = over("--cleanup delete", compacted);
        assert_eq!(again.get("compact"), None, "what compacts goes with it");
    }
}
