//! Fetches the three books from where each was written, for the proof.

use super::asking::Node;
use super::house::House;
use super::plan::Plan;
use super::proof::{Books, Mishap, read_acks, read_alerts, read_effects};
use super::web::Web;

/// The objective whose incident only the playbook can end.
const HEALED: &str = "shipping-latency";

pub(crate) async fn gather(node: &Node, house: &House, plan: &Plan, mishaps: Vec<Mishap>) -> Result<Books, String> {
    let web = Web::patient_for(std::time::Duration::from_secs(5));
    let desk = web.get(&format!("{}/status", house.url("order"))).await?;
    let again_sent = desk.get("again_sent").and_then(serde_json::Value::as_u64);
    Ok(Books {
        total: plan.desk.total as u64,
        poison: vec![plan.poison.id.clone()],
        again_sent: again_sent.ok_or("the order desk does not say how many duplicates it sent")?,
        acks: read_acks(&house.book("acks"))?,
        inventory: read_effects(&house.book("inventory"))?,
        payment: read_effects(&house.book("payment"))?,
        shipping: read_effects(&house.book("shipping"))?,
        cancels: read_effects(&house.book("cancels"))?,
        audit: node.audit().await?,
        dead: node.dead("payment").await?,
        incidents: node.incidents().await?,
        alerts: read_alerts(&house.book("hooks"))?,
        budgets: node.budgets().await?,
        mishaps,
        healed_objective: HEALED.to_owned(),
    })
}
