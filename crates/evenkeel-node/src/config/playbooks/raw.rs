//! A playbook as it is written.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Playbook {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    pub(super) when: Option<When>,
    pub(super) scope: Option<String>,
    pub(super) guard: Option<Guard>,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct When {
    pub(super) objective: Option<String>,
    pub(super) severity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Guard {
    pub(super) runs: Option<u32>,
    pub(super) per: Option<String>,
    pub(super) cool_down: Option<String>,
    pub(super) tries: Option<u32>,
    pub(super) dry_run: Option<bool>,
    pub(super) flaps: Option<u32>,
    pub(super) flap_within: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) name: Option<String>,
    #[serde(rename = "do")]
    pub(super) action: Action,
    pub(super) undo: Option<Action>,
    pub(super) timeout: Option<String>,
    pub(super) check: Option<Check>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Action {
    Call { method: Option<String>, url: String, body: Option<serde_json::Value> },
    Pause(String),
    Resume(String),
    Wait(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    pub(super) objective: String,
    pub(super) burn_below: Option<f64>,
    pub(super) within: Option<String>,
}
