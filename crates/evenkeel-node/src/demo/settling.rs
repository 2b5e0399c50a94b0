//! Waits until nothing is left to do, for as long as anything is still being done: a node that
//! never settles is found out, and a slow machine is no failure.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::asking::Node;
use super::plan::Plan;
use super::screen;
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
    if !published(desk, Patience::of(plan)).await? {
        return Ok(Settled::No("the order desk is not done publishing".to_owned()));
    }
    let mut patience = Patience::of(plan);
    let mut told = false;
    loop {
        let left = match unsettled(node).await {
            Ok(None) => return Ok(Settled::Yes),
            Ok(Some(Left::Events(why))) | Err(why) => why,
            Ok(Some(Left::Incident(why))) => {
                if !std::mem::replace(&mut told, true) {
                    screen::say(&format!("every event has its outcome; {why} while its alerts fire"));
                }
                patience.lasts = plan.incident_patience;
                why
            }
        };
        if patience.is_over(Instant::now(), done(node).await.unwrap_or_default()) {
            return Ok(Settled::No(left));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Lasts while something is done: a slow machine takes its time, a stuck one is found out.
struct Patience {
    lasts: Duration,
    most: u64,
    since: Instant,
}

impl Patience {
    fn of(plan: &Plan) -> Patience {
        Patience { lasts: plan.patience, most: 0, since: Instant::now() }
    }

    /// Whether so much was done long ago, and nothing since.
    fn is_over(&mut self, now: Instant, done: u64) -> bool {
        if done > self.most {
            (self.most, self.since) = (done, now);
        }
        now.duration_since(self.since) > self.lasts
    }
}

/// Whether it came to its end, rather than to a stop.
async fn published(desk: &str, mut patience: Patience) -> Result<bool, String> {
    let web = Web::patient_for(Duration::from_secs(5));
    loop {
        let status = web.get(&format!("{desk}/status")).await?;
        if let Some(why) = status.get("stopped").and_then(Value::as_str) {
            return Err(format!("the order desk stopped: {why}"));
        }
        if status.get("done") == Some(&Value::Bool(true)) {
            return Ok(true);
        }
        if patience.is_over(Instant::now(), status.get("acked").and_then(Value::as_u64).unwrap_or_default()) {
            return Ok(false);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// How much the shop's subscriptions and the incidents have behind them.
async fn done(node: &Node) -> Result<u64, String> {
    let flows: u64 = node.flows().await?.iter().filter(|flow| !flow.own).map(|flow| flow.completed + flow.dead).sum();
    let over = node.incidents().await?.iter().filter(|incident| incident.resolved).count();
    Ok(flows + over as u64)
}

/// What keeps it from being settled.
enum Left {
    Events(String),
    Incident(String),
}

/// What is still to be done. The counters are asked first; only the audit is believed.
async fn unsettled(node: &Node) -> Result<Option<Left>, String> {
    let open: u64 = node.flows().await?.iter().map(|flow| flow.open).sum();
    if open > 0 {
        return Ok(Some(Left::Events(format!("{open} events are in flight, parked or unread"))));
    }
    let incidents = node.incidents().await?;
    if let Some(incident) = incidents.iter().find(|incident| !incident.resolved) {
        return Ok(Some(Left::Incident(format!("the incident of {} is open", incident.objective))));
    }
    let audit = node.audit().await?;
    let left = |account: &super::proof::Account| account.in_flight + account.parked + account.unread;
    Ok(audit.subscriptions.iter().find(|account| left(account) > 0).map(|account| {
        Left::Events(format!("{} has {} events in flight, parked or unread", account.name, left(account)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_lasts_while_something_is_done_and_ends_when_nothing_is() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let mut patience = Patience { lasts: Duration::from_secs(30), most: 0, since: begun };
        for done in 1..100 {
            assert!(!patience.is_over(at(done * 29), done), "a slow machine, {done} done");
        }
        assert!(!patience.is_over(at(99 * 29 + 30), 99));
        assert!(patience.is_over(at(99 * 29 + 31), 98), "less than before is nothing done");
    }
}
