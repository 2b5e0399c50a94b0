//! `/v1/slas`: agreements, and the reports of their months with all that they are computed from.

use axum::Json;
use axum::extract::{Path, State};
use evenkeel_watch::sla::Month;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Node, Parameters, Problem};
use crate::config::slas;
use crate::forms::sla::Document;

/// Which month, and what it cost.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    month: Option<String>,
    billed: Option<String>,
}

/// All agreements, with the month that runs.
pub(super) async fn list(State(node): Node) -> Result<Json<Value>, Problem> {
    let mut slas = Vec::new();
    for agreement in &node.plan().agreements {
        let Some(monthly) = node.watching.month(agreement.name.clone(), None).await? else { continue };
        let document = Document::of(&monthly, node.clock.now(), None);
        slas.push(json!({
            "name": &*agreement.name,
            "customer": &*agreement.customer,
            "service": &*agreement.service,
            "subscription": &*agreement.scope.subscription,
            "month": document.month,
            "report": document.report,
        }));
    }
    Ok(Json(json!({ "slas": slas })))
}

/// The report of one month.
pub(super) async fn show(
    State(node): Node,
    Path(name): Path<String>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Document>, Problem> {
    let month = asked.month.map(|text| {
        text.parse::<Month>().map_err(|_| Problem::parameter("month", &text, "must be a month, like 2026-10"))
    });
    let billed = asked.billed.map(|text| {
        slas::amount(&text).map_err(|_| Problem::parameter("billed", &text, "must be an amount, like 1234.56"))
    });
    let (month, billed) = (month.transpose()?, billed.transpose()?);
    match node.watching.month(name.as_str().into(), month).await? {
        Some(monthly) => Ok(Json(Document::of(&monthly, node.clock.now(), billed))),
        None => {
            let plan = node.plan();
            Err(Problem::unknown_agreement(&name, plan.agreements.iter().map(|a| &*a.name).collect()))
        }
    }
}
