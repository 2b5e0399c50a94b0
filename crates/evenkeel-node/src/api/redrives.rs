//! Redrives of dead letters: plan, start, watch, pause, resume, cancel; and dropping letters.
//!
//! Who takes up how many events when is decided by the core; here a wish becomes its plan, and its
//! state becomes JSON.

mod rewind;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_delivery::{Command, Redrive, RedriveCommand, RedrivePlan, RedrivesView, letter_place};
use evenkeel_model::{Position, Shard};
use evenkeel_transport::dead::{self, Filter, Groups};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) use rewind::rewind;

use super::dead::{group, unusable};
use super::{Node, Problem, limits};
use crate::config::units;
use crate::error::{Error, codes};
use crate::forms::time;
use crate::wiring::{Wire, Wired, letters};

/// How long an answer waits for what was asked to be durable.
const PATIENCE: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(5);
const BODY_BYTES_MAX: usize = 256 << 10;
/// So many letters are dropped by one request at most.
const DROPPED_MAX: usize = 100_000;

/// What is asked for. Every member has a default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    filter: Map<String, Value>,
    dry_run: bool,
    reason: String,
    canary: u32,
    rate: Option<String>,
    at_once: u32,
    stop: Stop,
    new_key: bool,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked {
            filter: Map::new(),
            dry_run: false,
            reason: String::new(),
            canary: 10,
            rate: None,
            at_once: 64,
            stop: Stop::default(),
            new_key: false,
        }
    }
}

/// When it stops by itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Stop {
    share: f64,
    min: u32,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { share: 0.2, min: 20 }
    }
}

/// `GET …/redrives`.
pub(super) async fn list(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let view = seen(&wire(&node, &name)?).await;
    let jobs: Vec<Value> = (0..view.jobs.len()).map(|nth| form(&view, nth)).collect();
    Ok(Json(json!({ "redrives": jobs })))
}

/// `GET …/redrives/{id}`.
pub(super) async fn show(State(node): Node, Path((name, id)): Path<(String, String)>) -> Result<Json<Value>, Problem> {
    one(&seen(&wire(&node, &name)?).await, &name, &id).map(Json)
}

/// `POST …/redrives`.
pub(super) async fn start(
    State(node): Node,
    Path(name): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let wire = wire(&node, &name)?;
    let asked: Asked = body(request).await?;
    let (plan, planned) = plan(&node, &wire, &asked).await?;
    if asked.dry_run {
        return Ok((StatusCode::OK, Json(planned)));
    }
    let mut begun = begin(&wire, &name, plan).await?;
    if wire.plan.home.is_some() {
        // It reaches the partitions that this node has: who has the others is asked likewise.
        begun["elsewhere"] = planned["elsewhere"].clone();
    }
    Ok((StatusCode::ACCEPTED, Json(begun)))
}

/// Starts it; answers when that is durable.
async fn begin(wire: &Wire, name: &str, plan: RedrivePlan) -> Result<Value, Problem> {
    let id = plan.id.clone();
    match wire.handle.redrive(plan).await {
        Some(Ok(())) => {}
        Some(Err(other)) => return Err(under_way(name, &other)),
        None => return Err(Problem::from(Error::new(codes::NOT_READY, format!("subscription `{name}` has ended")))),
    }
    one(&durable(wire).await?, name, &id)
}

/// `POST …/redrives/{id}/pause`.
pub(super) async fn pause(node: Node, path: Path<(String, String)>) -> Result<Json<Value>, Problem> {
    command(node, path, RedriveCommand::Pause).await
}

/// `POST …/redrives/{id}/resume`.
pub(super) async fn resume(node: Node, path: Path<(String, String)>) -> Result<Json<Value>, Problem> {
    command(node, path, RedriveCommand::Resume).await
}

/// `DELETE …/redrives/{id}`: takes up no more.
pub(super) async fn cancel(node: Node, path: Path<(String, String)>) -> Result<Json<Value>, Problem> {
    command(node, path, RedriveCommand::Cancel { reason: "cancelled by an operator".to_owned() }).await
}

async fn command(
    State(node): Node,
    Path((name, id)): Path<(String, String)>,
    command: RedriveCommand,
) -> Result<Json<Value>, Problem> {
    let wire = wire(&node, &name)?;
    let view = seen(&wire).await;
    one(&view, &name, &id)?;
    let job = view.jobs.last().filter(|job| *job.plan.id == *id && !job.state.is_over());
    if job.is_none() {
        let said = format!("redrive `{id}` of subscription `{name}` is over");
        return Err(Problem::new(409, Error::new(codes::REDRIVE_OVER, said).hint("start another one")));
    }
    wire.handle.command(Command::Redrive(command));
    one(&durable(&wire).await?, &name, &id).map(Json)
}

/// `POST …/dead/drop`.
pub(super) async fn drop_letters(
    State(node): Node,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Drop {
        filter: Map<String, Value>,
        offsets: Option<Vec<u64>>,
        reason: String,
        all: bool,
    }
    let wire = wire(&node, &name)?;
    let asked: Drop = body(request).await?;
    if asked.reason.trim().is_empty() {
        return Err(Problem::parameter("reason", "", "must say why the letters are dropped"));
    }
    if asked.filter.is_empty() && asked.offsets.is_none() && !asked.all {
        return Err(Problem::parameter("filter", "{}", "must choose letters; `\"all\": true` means every one"));
    }
    let (filter, closed) = (filter(&asked.filter)?, seen(&wire).await.closed);
    let wanted = asked.offsets;
    let numbers = letters(&node, &wire, 0, Vec::new(), move |numbers: &mut Vec<u64>, letter| {
        let number = letter.at.offset;
        let meant = wanted.as_ref().is_none_or(|wanted| wanted.contains(&number)) && filter.matches(&letter);
        numbers.extend((meant && !is_closed(&closed, number)).then_some(number));
        numbers.len() < DROPPED_MAX
    })
    .await?;
    let dropped = numbers.len();
    for (partition, offsets) in by_partition(&numbers) {
        let letters = Shard { partition, ..dead::shard_of(&name) };
        wire.handle.command(Command::DropLetters { letters, offsets, reason: asked.reason.clone() });
    }
    durable(&wire).await?;
    Ok(Json(json!({ "dropped": dropped, "reason": asked.reason, "more": dropped == DROPPED_MAX })))
}

fn by_partition(numbers: &[u64]) -> BTreeMap<u32, Vec<u64>> {
    let mut all: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for (partition, offset) in numbers.iter().map(|number| letter_place(*number)) {
        all.entry(partition).or_default().push(offset);
    }
    all
}

fn wire(node: &Wired, name: &str) -> Result<Wire, Problem> {
    node.wire(name).ok_or_else(|| Problem::unknown_subscription(node, name))
}

/// What the subscription says of its redrives; nothing, once it has ended.
pub(super) async fn seen(wire: &Wire) -> RedrivesView {
    wire.handle.redrives().await.unwrap_or_default()
}

pub(super) fn is_closed(closed: &[(u64, u64)], letter: u64) -> bool {
    let after = closed.partition_point(|(from, _)| *from <= letter);
    after > 0 && closed[after - 1].1 > letter
}

/// Waits until all that was asked for is durable.
async fn durable(wire: &Wire) -> Result<RedrivesView, Problem> {
    let waiting = async {
        loop {
            let view = seen(wire).await;
            if view.durable {
                return view;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.map_err(|_| {
        let said = format!("it is not durable after {PATIENCE:?}; what becomes of it is not known yet");
        Problem::new(503, Error::new(codes::NOT_READY, said).hint("look at the list of redrives before asking again"))
    })
}

fn under_way(name: &str, other: &str) -> Problem {
    let said = format!("redrive `{other}` of subscription `{name}` is not over, and there is one at a time");
    let hint = format!("wait for it, or cancel it: `evenkeel dead redrives cancel {name} {other}`");
    Problem::new(409, Error::new(codes::REDRIVE_UNDER_WAY, said).hint(hint)).with("redrive", other)
}

pub(super) async fn body<T: Default + for<'de> Deserialize<'de>>(request: Request) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    let body = limits::body(&parts.headers, body, BODY_BYTES_MAX).await?;
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&body)
        .map_err(|e| Problem::parameter("body", &String::from_utf8_lossy(&body), &format!("cannot be used: {e}")))
}

pub(super) fn filter(conditions: &Map<String, Value>) -> Result<Filter, Problem> {
    let mut filter = Filter::default();
    for (name, value) in conditions {
        let text = match value {
            Value::String(text) => text.clone(),
            other => return Err(Problem::parameter(name, &other.to_string(), "must be a text")),
        };
        filter.set(name, &text).map_err(|e| unusable(&e))?;
    }
    Ok(filter)
}

/// The plan of what is asked for, and what it comes to.
async fn plan(node: &Wired, wire: &Wire, asked: &Asked) -> Result<(RedrivePlan, Value), Problem> {
    let every = between(asked.rate.as_deref())?;
    if !(0.0..=1.0).contains(&asked.stop.share) {
        return Err(Problem::parameter("stop.share", &asked.stop.share.to_string(), "must lie between 0 and 1"));
    }
    if asked.at_once == 0 {
        return Err(Problem::parameter("at_once", "0", "must be at least 1"));
    }
    let now = node.clock.now();
    let (letters, until) = (dead::shard_of(&wire.plan.name), ends(node, wire));
    let mut conditions = asked.filter.clone();
    if until.is_none() {
        // Its letters have no common end: what dies from now on is for another redrive.
        conditions.entry("until").or_insert_with(|| format_rfc3339(now).into());
    }
    let (filter, until) = (filter(&conditions)?, until.unwrap_or(u64::MAX));
    let chosen = choose(node, wire, &filter, until).await?;
    let plan = RedrivePlan {
        id: Arc::from(format!("r{}", now.micros() / 1000)),
        selection: Arc::from(filter.to_text()),
        letters,
        until,
        selected: chosen.events,
        reason: asked.reason.clone(),
        canary: asked.canary,
        every,
        at_once: asked.at_once,
        stop_permille: (asked.stop.share * 1000.0).round() as u32,
        stop_min: asked.stop.min,
        new_key: asked.new_key,
        started_at: now,
    };
    let events = u32::try_from(chosen.events).unwrap_or(u32::MAX);
    let planned = json!({
        "dry_run": true, "events": chosen.events, "letters": chosen.letters, "passed_over": chosen.passed_over,
        "elsewhere": chosen.elsewhere, "groups": chosen.groups, "canary": asked.canary.min(events), "new_key": asked.new_key,
        "takes_at_least_s": every.saturating_mul(events).as_secs_f64(),
        "stops_when": format!("more than {} of at least {} events fail", asked.stop.share, asked.stop.min),
    });
    Ok((plan, planned))
}

/// Where the letters end that are there now, if they lie in one partition.
fn ends(node: &Wired, wire: &Wire) -> Option<u64> {
    let here = wire.plan.home.is_none();
    here.then(|| node.log.ends(&dead::shard_of(&wire.plan.name)).map_or(0, |ends| ends.high_watermark))
}

#[derive(Default)]
struct Chosen {
    /// Events that would be taken up.
    events: u64,
    /// Open letters that are meant.
    letters: u64,
    /// Letters that are meant, and dealt with already.
    passed_over: u64,
    /// Letters that are meant, of partitions that other nodes have.
    elsewhere: u64,
    groups: Vec<Value>,
}

/// What is found while letters are read.
#[derive(Default)]
struct Choosing {
    chosen: Chosen,
    groups: Groups,
    /// The newest letter of each event.
    newest: HashMap<Position, u64>,
}

async fn choose(node: &Wired, wire: &Wire, filter: &Filter, until: u64) -> Result<Chosen, Error> {
    let RedrivesView { closed, parts, .. } = seen(wire).await;
    let (filter, name, known) = (filter.clone(), wire.plan.name.clone(), closed.clone());
    let found = letters(node, wire, 0, Choosing::default(), move |found, letter| {
        let number = letter.at.offset;
        if number >= until || !filter.matches(&letter) {
            return number < until;
        }
        let here = parts.as_ref().is_none_or(|parts| parts.contains(&letter.at.shard.partition));
        match (here, is_closed(&closed, number)) {
            (false, _) => found.chosen.elsewhere += 1,
            (true, true) => found.chosen.passed_over += 1,
            (true, false) => {
                found.chosen.letters += 1;
                found.groups.add(&letter);
            }
        }
        if here && *letter.subscription == *name {
            found.newest.extend(letter.origin.map(|origin| (origin, number)));
        }
        true
    })
    .await?;
    let Choosing { chosen, groups, newest } = found;
    let events = newest.values().filter(|letter| !is_closed(&known, **letter)).count() as u64;
    Ok(Chosen { events, groups: groups.finish().iter().map(group).collect(), ..chosen })
}

/// The time between two events at that rate.
fn between(rate: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = rate else { return Ok(Duration::ZERO) };
    match units::rate(text) {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(Duration::from_secs_f64((1.0 / rate).min(86_400.0))),
        Ok(_) => Err(Problem::parameter("rate", text, "must be more than nothing, like `50/s`")),
        Err(rule) => Err(Problem::parameter("rate", text, &rule)),
    }
}

fn one(view: &RedrivesView, name: &str, id: &str) -> Result<Value, Problem> {
    let nth = view.jobs.iter().position(|job| *job.plan.id == *id);
    nth.map(|nth| form(view, nth)).ok_or_else(|| {
        let known: Vec<&str> = view.jobs.iter().map(|job| &*job.plan.id).collect();
        let said = format!("subscription `{name}` has no redrive `{id}`");
        Problem::new(404, Error::new(codes::UNKNOWN_REDRIVE, said)).with("known", known)
    })
}

fn form(view: &RedrivesView, nth: usize) -> Value {
    let Redrive { plan, .. } = &view.jobs[nth];
    let job = &view.jobs[nth];
    let newest = nth + 1 == view.jobs.len();
    let phase = if job.proven { "all" } else { "canary" };
    json!({
        "id": &*plan.id, "state": job.state.name(), "why": job.why, "phase": phase, "reason": plan.reason,
        "filter": &*plan.selection, "started_at": time(plan.started_at), "ended_at": job.ended_at.map(time),
        "selected": plan.selected, "taken": job.taken, "completed": job.completed, "dead": job.dead,
        "otherwise": job.otherwise, "open": job.open(), "failing": if newest { view.failing } else { 0 },
        "passed_over": job.skipped, "canary": plan.canary, "new_key": plan.new_key, "at_once": plan.at_once,
        "rate_per_s": (!plan.every.is_zero()).then(|| 1.0 / plan.every.as_secs_f64()),
        "stop": { "share": f64::from(plan.stop_permille) / 1000.0, "min": plan.stop_min },
    })
}
