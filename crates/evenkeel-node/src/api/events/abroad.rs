//! Events as they lie in a topic at a broker.

use axum::Json;
use evenkeel_model::Stored;
use serde_json::{Value, json};

use super::{Asked, LIMIT_MAX, Problem, item, place};
use crate::api::cursor::{Cursor, From};
use crate::config::brokers::Home;
use crate::error::{Error, codes};
use crate::wiring::{Begin, Page, Wired, page, places};

/// As of a topic of the node; `address` is what the topic goes by.
pub(super) async fn list(node: &Wired, home: &Home, address: &str, asked: &Asked) -> Result<Json<Value>, Problem> {
    let unknown = || {
        let said = format!("broker `{}` has no topic `{}`", home.broker.name, home.topic);
        Problem::new(404, Error::new(codes::UNKNOWN_TOPIC, said))
    };
    let begin = async |from| {
        let from = match from {
            From::Earliest => Begin::Earliest,
            From::Latest => Begin::Latest,
            From::Offset(offset) => Begin::Offset(offset),
            From::Time(at) => Begin::Time(at),
        };
        let places = places(home, asked.partition, from).await?.ok_or_else(unknown)?;
        if let (Some(partition), true) = (asked.partition, places.is_empty()) {
            let said = format!("topic `{address}` has no partition {partition}");
            return Err(Problem::new(404, Error::new(codes::UNKNOWN_PARTITION, said)));
        }
        Ok::<_, Problem>(Cursor(places))
    };
    let cursor = match place(asked)? {
        Ok(cursor) => cursor,
        Err(from) => begin(from).await?,
    };
    let limit = asked.limit.unwrap_or(100).clamp(1, LIMIT_MAX);
    let Page { records, next } = page(home, &node.clock, cursor.0, limit).await?.ok_or_else(unknown)?;
    let items: Vec<Value> = records.iter().map(|stored: &Stored| item(stored, address)).collect();
    Ok(Json(json!({ "items": items, "next": Cursor(next).to_text() })))
}
