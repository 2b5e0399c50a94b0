//! What comes in from brokers, as the page has it.

use crate::page::status;
use crate::wiring::Wired;

pub(super) fn intakes(node: &Wired) -> Vec<status::Intake> {
    let form = |(plan, view): (&crate::config::plan::IntakePlan, evenkeel_transport::IntakeView)| status::Intake {
        topic: plan.topic.to_string(),
        broker: plan.broker.name.to_string(),
        from: plan.from.name().to_string(),
        connected: view.connected,
        problem: view.problem,
        held: view.held as u64,
        placed: view.placed,
        again: view.again,
    };
    node.intakes.all().map(form).collect()
}
