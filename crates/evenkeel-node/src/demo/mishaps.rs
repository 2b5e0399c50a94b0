//! The mishaps: one experiment file, whose steps are faults with an undo.
//!
//! Writes the file for a plan, and reads an experiment file into what the engine runs. The file
//! that was written is the one that is read: whoever changes it has another bad day.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_respond::{Guard, Kind, Lease, Playbook, Step, StepAction, Trigger};
use serde::Deserialize;

use super::house::House;
use super::plan::{AGAIN_PERCENT, Plan};

const FILE: &str = include_str!("files/experiment.yaml");

/// What the engine runs, and what is said of each step.
pub(crate) struct Experiment {
    pub(crate) playbook: Playbook,
    pub(crate) says: Vec<String>,
}

/// The experiment file of a plan.
pub(crate) fn file(house: &House, plan: &Plan) -> String {
    let mut text = house.fill(FILE).replace("@POISON@", &plan.poison.id);
    text = text.replace("@AGAIN@", &AGAIN_PERCENT.to_string());
    let overlapping = plan.duplicates;
    text = text
        .replace("@WAIT_DUPLICATES@", &millis(overlapping.at))
        .replace("@HOLD_DUPLICATES@", &millis(overlapping.lasts));
    let mut reached = overlapping.at;
    let moments = [
        ("PROVIDER", plan.provider_down),
        ("SPIKE", plan.spike),
        ("SLOW", plan.slow),
        ("DEATH", plan.death),
        ("NODE", plan.node_killed),
    ];
    for (name, moment) in moments {
        text = text.replace(&format!("@WAIT_{name}@"), &millis(moment.at.saturating_sub(reached)));
        text = text.replace(&format!("@HOLD_{name}@"), &millis(moment.lasts));
        reached = moment.at + moment.lasts;
    }
    text.replace("@WAIT_WEDGED@", &millis(plan.wedged_at.saturating_sub(reached)))
}

fn millis(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

/// Reads an experiment file.
pub(crate) fn read(text: &str) -> Result<Experiment, String> {
    let raw: Raw = serde_saphyr::from_str(text).map_err(|e| format!("the experiment file: {e}"))?;
    if raw.kind != "Experiment" {
        return Err(format!("the experiment file: kind is `{}`, not `Experiment`", raw.kind));
    }
    let says = raw.steps.iter().map(|step| step.say.clone().or(step.name.clone()).unwrap_or_default()).collect();
    let steps = raw.steps.into_iter().map(step).collect::<Result<_, _>>()?;
    let playbook = Playbook {
        name: Arc::from(raw.name),
        description: raw.hypothesis,
        kind: Kind::Experiment,
        trigger: Trigger::Manual,
        scope: Arc::from("shop"),
        steps,
        guard: Guard::default(),
    };
    let problems = |problems: Vec<evenkeel_respond::Problem>| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        format!("the experiment file: {}", told.join("; "))
    };
    playbook.check().map_err(problems)?;
    Ok(Experiment { playbook, says })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    kind: String,
    name: String,
    hypothesis: String,
    steps: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    name: Option<String>,
    say: Option<String>,
    wait: Option<String>,
    #[serde(rename = "do")]
    action: Option<RawAction>,
    undo: Option<RawAction>,
    hold: Option<String>,
    #[serde(default)]
    overlap: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum RawAction {
    Call { url: String, body: Option<serde_json::Value> },
    Kill(String),
    Start(String),
}

fn step(raw: RawStep) -> Result<Step, String> {
    let action = match (&raw.wait, raw.action) {
        (Some(time), None) => StepAction::Wait(duration(time)?),
        (None, Some(action)) => action.into(),
        _ => return Err("a step of the experiment either waits or does something".to_owned()),
    };
    let name = raw.name.unwrap_or_else(|| action.describe());
    let hold = raw.hold.as_deref().map(duration).transpose()?;
    Ok(Step {
        undo: raw.undo.map(StepAction::from),
        lease: hold.map(|hold| Lease { hold, wait: !raw.overlap }),
        ..Step::new(&name, action)
    })
}

impl From<RawAction> for StepAction {
    fn from(raw: RawAction) -> StepAction {
        match raw {
            RawAction::Call { url, body } => {
                StepAction::Call { method: "POST".to_owned(), url, body: body.map(|body| body.to_string()) }
            }
            RawAction::Kill(process) => StepAction::Signal { process, signal: "SIGKILL".to_owned() },
            RawAction::Start(process) => {
                StepAction::Custom { name: "start".to_owned(), args: vec![("process".to_owned(), process)] }
            }
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as 500ms, 2s, 5m or 1h");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_millis(number.saturating_mul(millis)))
}

#[cfg(test)]
mod tests;
