//! What is printed while it goes: plain lines, one for each second and one for each happening.

use std::time::Duration;

use serde_json::Value;

use super::asking::{Flow, Node};
use super::proof::{Budget, Incident};
use super::web::Web;

/// A subscription with fewer events says nothing of how fast the shop is.
const FEW: u64 = 20;

/// A happening.
pub(crate) fn say(text: &str) {
    println!("      >> {text}");
}

/// The line of each second, until it is dropped.
pub(crate) async fn tell(node: Node, desk: String) {
    let web = Web::patient_for(Duration::from_millis(900));
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let (mut second, mut acked) = (0_u64, 0);
    loop {
        ticks.tick().await;
        let desk = web.get(&format!("{desk}/status")).await.unwrap_or_default();
        let seen = look(&node).await;
        let now = desk.get("acked").and_then(Value::as_u64).unwrap_or(acked);
        println!("{}", line(second, now.saturating_sub(acked), seen.as_ref()));
        (acked, second) = (now, second + 1);
    }
}

/// What the node shows at one moment.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    flows: Vec<Flow>,
    alerts: Vec<String>,
    incidents: Vec<Incident>,
    budgets: Vec<Budget>,
}

async fn look(node: &Node) -> Option<Seen> {
    let looking = async {
        let (flows, alerts, incidents, budgets) =
            tokio::join!(node.flows(), node.alerts(), node.incidents(), node.budgets());
        Some(Seen { flows: flows.ok()?, alerts: alerts.ok()?, incidents: incidents.ok()?, budgets: budgets.ok()? })
    };
    tokio::time::timeout(Duration::from_millis(900), looking).await.ok().flatten()
}

fn line(second: u64, acked: u64, seen: Option<&Seen>) -> String {
    let head = format!("{second:>4}s  {acked:>5} ev/s");
    let Some(seen) = seen else { return format!("{head}  | the node does not answer") };
    let sum = |of: fn(&Flow) -> u64| seen.flows.iter().map(of).sum::<u64>();
    let shop = seen.flows.iter().filter(|flow| !flow.own);
    let done: Vec<String> = shop.map(|flow| format!("{} {}", flow.name, flow.completed)).collect();
    let breakers: Vec<&str> = seen.flows.iter().flat_map(|flow| &flow.breakers).map(String::as_str).collect();
    let open: Vec<&str> = seen.incidents.iter().filter(|i| !i.resolved).map(|i| i.objective.as_str()).collect();
    let budgets: Vec<String> = seen.budgets.iter().map(|b| format!("{:.0} %", b.remaining * 100.0)).collect();
    format!(
        "{head}  | completed {} | parked {} | dead {} | breaker {} | p50/p99 {} ms | budget {} | alert {} | incident {}",
        done.join(", "),
        sum(|flow| flow.parked),
        sum(|flow| flow.dead),
        or_none(&breakers),
        latency(&seen.flows),
        budgets.join(" "),
        or_none(&seen.alerts),
        or_none(&open),
    )
}

/// The slowest subscription's, among those that have more than a few events.
fn latency(flows: &[Flow]) -> String {
    let busy = |flow: &&Flow| !flow.own && flow.completed >= FEW;
    let most = |of: fn(&Flow) -> Option<f64>| flows.iter().filter(busy).filter_map(of).reduce(f64::max);
    let show = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.0}"));
    format!("{}/{}", show(most(|flow| flow.p50_ms)), show(most(|flow| flow.p99_ms)))
}

fn or_none<T: AsRef<str>>(of: &[T]) -> String {
    if of.is_empty() { "-".to_owned() } else { of.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::{Seen, line};
    use crate::demo::asking::Flow;

    #[test]
    fn a_line_says_what_is_wrong_and_a_dash_what_is_not() {
        let flow = Flow { name: "payment".into(), completed: 70, parked: 2, p50_ms: Some(4.2), ..Flow::default() };
        let broken = Flow { breakers: vec!["payment-provider open".into()], ..flow };
        let seen = Seen { flows: vec![broken], ..Seen::default() };
        let line = line(12, 201, Some(&seen));
        assert!(line.contains("201 ev/s") && line.contains("payment 70") && line.contains("parked 2"), "{line}");
        assert!(line.contains("breaker payment-provider open") && line.contains("p50/p99 4/- ms"), "{line}");
        assert!(line.ends_with("alert - | incident -"), "{line}");
    }

    #[test]
    fn a_node_that_is_down_is_said_to_be() {
        assert!(line(3, 0, None).contains("does not answer"));
    }
}
