//! `evenkeel dead redrive --topic`: letters of other frameworks go back to where they came from, at the pace that is
//! asked for. Each step is on record before the next: whoever is cut off asks again, and no letter goes back twice.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::redrive::{Start, filter};
use crate::cli::output::{cell, print};
use crate::config::units;
use crate::error::{Error, codes};

/// Letters of one request.
const STEP: u32 = 500;

pub(super) async fn give_back(start: Start) -> Result<(), Error> {
    let rate = start.rate.as_deref().map(|text| {
        let rule = |rule: String| Error::new(codes::INPUT, format!("--rate `{text}` {rule}"));
        let rate = units::rate(text).map_err(rule)?;
        if rate > 0.0 { Ok(rate) } else { Err(rule("must be more than nothing, like `50/s`".to_owned())) }
    });
    let rate = rate.transpose()?;
    // At a rate, twice a second.
    let limit = rate.and_then(|rate| (1..STEP).find(|n| f64::from(*n) >= rate / 2.0)).unwrap_or(STEP);
    let mut conditions = filter(&start.conditions);
    let (mut sum, mut from) = (Sum::default(), Value::Null);
    loop {
        let body = json!({
            "filter": conditions, "from": from, "limit": limit, "to": start.to,
            "reason": start.because, "dry_run": start.dry_run,
        });
        let answer = start.node.post(&start.whose.path("/redrives"), Some(body)).await?;
        let given = sum.add(&answer);
        conditions.insert("until".to_owned(), answer["until"].clone());
        from = answer["next"].clone();
        if from.is_null() {
            break;
        }
        if let Some(rate) = rate.filter(|_| !start.dry_run) {
            tokio::time::sleep(Duration::from_secs_f64(f64::from(given) / rate)).await;
        }
    }
    let whole = json!({
        "dry_run": start.dry_run, "given": sum.given, "stayed": sum.stayed, "passed_over": sum.passed_over,
    });
    print(start.node.output, &whole, told);
    Ok(())
}

/// What all requests came to.
#[derive(Default)]
struct Sum {
    given: Map<String, Value>,
    stayed: Map<String, Value>,
    passed_over: u64,
}

impl Sum {
    /// Adds an answer; gives how many letters went back by it.
    fn add(&mut self, answer: &Value) -> u32 {
        self.passed_over += answer["passed_over"].as_u64().unwrap_or(0);
        add(&mut self.stayed, &answer["stayed"]);
        u32::try_from(add(&mut self.given, &answer["given"])).unwrap_or(u32::MAX)
    }
}

fn add(sum: &mut Map<String, Value>, counts: &Value) -> u64 {
    let mut all = 0;
    for (name, count) in counts.as_object().into_iter().flatten() {
        let count = count.as_u64().unwrap_or(0);
        let before = sum.get(name).and_then(Value::as_u64).unwrap_or(0);
        sum.insert(name.clone(), (before + count).into());
        all += count;
    }
    all
}

fn told(answer: &Value) -> String {
    let verb = if answer["dry_run"] == true { "would go back" } else { "went back" };
    let lines = |counts: &Value, say: &dyn Fn(&str, &Value) -> String| -> Vec<String> {
        counts.as_object().into_iter().flatten().map(|(name, count)| say(name, count)).collect()
    };
    let mut all = lines(&answer["given"], &|topic, count| format!("{count} letters {verb} to {topic}"));
    if all.is_empty() {
        all.push(format!("no letter {verb}"));
    }
    all.extend(lines(&answer["stayed"], &|why, count| format!("{count} stay: {why}")));
    if answer["passed_over"].as_u64().unwrap_or(0) > 0 {
        all.push(format!("{} went back before", cell(answer.get("passed_over"))));
    }
    all.join("\n")
}
