//! One trial: this program again, as a process of its own, which prints its figures as JSON.

use super::backlog::{Reach, TOGETHER, backlog};
use super::parked::Before;
use super::{DeliveryTrial, Figures, parked, shop, steady};
use crate::sink::Sink;
use crate::{Outcome, bare};

/// Requests at once, as a subscription's limit is by default.
const AT_ONCE: u32 = 64;
/// Batches at once.
const BATCHES_AT_ONCE: u32 = 16;
/// Events that flow beside those that are parked.
const HEALTHY: u64 = 200_000;

/// Runs a trial and prints its figures.
pub(crate) async fn trial(plan: &DeliveryTrial) -> Outcome<()> {
    println!("{}", serde_json::to_string(&figures(plan).await?)?);
    Ok(())
}

async fn figures(plan: &DeliveryTrial) -> Outcome<Figures> {
    let (folder, events) = (plan.folder.as_path(), plan.events);
    if plan.name == "in-process" {
        return backlog(folder, events, Reach::InProcess).await;
    }
    match plan.name.as_str() {
        "healthy" => return parked::parked(folder, Before::Handled(0), HEALTHY).await,
        "handled" => return parked::parked(folder, Before::Handled(plan.parked), HEALTHY).await,
        "parked" => return parked::parked(folder, Before::Parked(plan.parked), HEALTHY).await,
        _ => {}
    }
    let sink = Sink::start().await?;
    let url = sink.url.clone();
    match plan.name.as_str() {
        "http" => backlog(folder, events / 4, Reach::Http { url }).await,
        "http-batch" => backlog(folder, events, Reach::Batches { url }).await,
        "bare" => Ok(rate(bare::bare(&url, events / 4, AT_ONCE, &shop::body).await?)),
        "bare-batch" => {
            let requests = events / TOGETHER as u64;
            let per_second = bare::bare(&url, requests, BATCHES_AT_ONCE, &together).await?;
            Ok(rate(per_second * TOGETHER as f64))
        }
        "steady" => steady::steady(folder, &url).await,
        other => Err(format!("there is no trial `{other}`").into()),
    }
}

fn rate(per_second: f64) -> Figures {
    Figures::from([("events_per_second".to_owned(), per_second)])
}

/// The bodies of one batch.
fn together(number: u64) -> String {
    let first = number * TOGETHER as u64;
    let bodies: Vec<String> = (first..first + TOGETHER as u64).map(shop::body).collect();
    format!("[{}]", bodies.join(","))
}
