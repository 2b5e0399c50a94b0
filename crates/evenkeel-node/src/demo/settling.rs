//! Waits until nothing is left to do: bounded, so that a node that never settles is found out.

use std::time::Duration;

use serde_json::Value;

use super::asking::Node;
use super::plan::Plan;
use super::web::Web;

const POLL: Duration = Duration::from_millis(250);

/// How the wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Everything has its outcome, every incident is over.
    Yes,
    /// Patience ran out over this.
    No(String),
}

/// Waits for the order desk to be done, then for the node.
pub(crate) async fn wait(node: &Node, desk: &str, plan: &Plan) -> Result<Settled, String> {
    let published = tokio::time::timeout(plan.load + plan.patience, published(desk)).await;
    match published {
        Ok(done) => done?,
        Err(_) => return Ok(Settled::No("the order desk is not done publishing".to_owned())),
    }
    let mut left = "nothing was heard of the node".to_owned();
    let settling = async {
        loop {
            match unsettled(node).await {
                Ok(None) => return,
                Ok(Some(why)) | Err(why) => left = why,
            }
            tokio::time::sleep(POLL).await;
        }
    };
    match tokio::time::timeout(plan.patience, settling).await {
        Ok(()) => Ok(Settled::Yes),
        Err(_) => Ok(Settled::No(left)),
    }
}

async fn published(desk: &str) -> Result<(), String> {
    let web = Web::patient_for(Duration::from_secs(5));
    loop {
        let status = web.get(&format!("{desk}/status")).await?;
        if let Some(why) = status.get("stopped").and_then(Value::as_str) {
            return Err(format!("the order desk stopped: {why}"));
        }
        if status.get("done") == Some(&Value::Bool(true)) {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What is still to be done. The counters are asked first; only the audit is believed.
async fn unsettled(node: &Node) -> Result<Option<String>, String> {
    let open: u64 = node.flows().await?.iter().map(|flow| flow.open).sum();
    if open > 0 {
        return Ok(Some(format!("{open} events are in flight, parked or unread")));
    }
    let incidents = node.incidents().await?;
    if let Some(incident) = incidents.iter().find(|incident| !incident.resolved) {
        return Ok(Some(format!("the incident of {} is open", incident.objective)));
    }
    let audit = node.audit().await?;
    let left = |account: &super::proof::Account| account.in_flight + account.parked + account.unread;
    Ok(audit
        .subscriptions
        .iter()
        .find(|account| left(account) > 0)
        .map(|account| format!("{} has {} events in flight, parked or unread", account.name, left(account))))
}
