//! A playbook step's action in JSON, as entries of incidents carry it.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_respond::StepAction;
use serde::{Deserialize, Serialize};

/// A step's action.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActionForm {
    Call { method: String, url: String, body: Option<String> },
    Pause { subscription: String },
    Resume { subscription: String },
    Wait { us: u64 },
    Signal { process: String, signal: String },
    Custom { name: String, args: Vec<(String, String)> },
}

impl From<&StepAction> for ActionForm {
    fn from(action: &StepAction) -> ActionForm {
        match action {
            StepAction::Call { method, url, body } => {
                ActionForm::Call { method: method.clone(), url: url.clone(), body: body.clone() }
            }
            StepAction::Pause { subscription } => ActionForm::Pause { subscription: subscription.to_string() },
            StepAction::Resume { subscription } => ActionForm::Resume { subscription: subscription.to_string() },
            StepAction::Wait(time) => ActionForm::Wait { us: u64::try_from(time.as_micros()).unwrap_or(u64::MAX) },
            StepAction::Signal { process, signal } => {
                ActionForm::Signal { process: process.clone(), signal: signal.clone() }
            }
            StepAction::Custom { name, args } => ActionForm::Custom { name: name.clone(), args: args.clone() },
        }
    }
}

impl From<ActionForm> for StepAction {
    fn from(form: ActionForm) -> StepAction {
        match form {
            ActionForm::Call { method, url, body } => StepAction::Call { method, url, body },
            ActionForm::Pause { subscription } => StepAction::Pause { subscription: Arc::from(subscription) },
            ActionForm::Resume { subscription } => StepAction::Resume { subscription: Arc::from(subscription) },
            ActionForm::Wait { us } => StepAction::Wait(Duration::from_micros(us)),
            ActionForm::Signal { process, signal } => StepAction::Signal { process, signal },
            ActionForm::Custom { name, args } => StepAction::Custom { name, args },
        }
    }
}
