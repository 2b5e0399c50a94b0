//! Entries survive their topic.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;
use evenkeel_respond::{Ending, Entry, Happening, IncidentId, Inputs, Rule, RunId, Severity, StepAction};

#[test]
fn every_kind_of_entry_reads_back_to_itself() {
    let run = RunId(7);
    let name = || Arc::from("x");
    let at = Timestamp::from_micros(1_795_000_000_123_456);
    let call = StepAction::Call { method: "POST".into(), url: "http://a/".into(), body: Some("{}".into()) };
    let all = [
        Happening::Opened {
            objective: name(),
            service: name(),
            subscription: name(),
            severity: Severity::Page,
            first_bad_at: at,
        },
        Happening::AlertJoined { alert: name(), severity: Severity::Ticket, first_bad_at: at, detail: "d".into() },
        Happening::AlertCleared { alert: name() },
        Happening::Acknowledged { by: "ann".into() },
        Happening::Noted { by: "ann".into(), text: "…".into() },
        Happening::Resolved { time_to_detect: Duration::from_millis(3), time_to_recover: Duration::from_secs(9) },
        Happening::Guarded {
            playbook: name(),
            refused: Some(Rule::CoolDown),
            inputs: Inputs { runs: 3, since_last: Some(Duration::from_secs(1)), ..Inputs::default() },
        },
        Happening::RunStarted { run, playbook: name(), scope: name(), dry_run: true, why: "w".into() },
        Happening::StepStarted {
            run,
            step: 1,
            name: name(),
            action: call.clone(),
            undo: Some(StepAction::Wait(Duration::from_secs(2))),
        },
        Happening::StepEnded { run, step: 1, ok: true, detail: "200".into() },
        Happening::CheckEnded { run, step: 1, held: false, detail: "burn 3".into() },
        Happening::Turned { run, ending: Ending::Aborted, why: "w".into() },
        Happening::UndoStarted { run, step: 1 },
        Happening::UndoEnded { run, step: 1, ok: false, detail: "500".into() },
        Happening::RunEnded { run, ending: Ending::UndoFailed },
        Happening::Escalated { playbook: name(), why: "w".into() },
        Happening::Disabled { playbook: name(), why: "w".into() },
        Happening::Enabled { playbook: name(), by: "ann".into() },
        Happening::KillSwitch { on: true, by: "ann".into() },
    ];
    for (number, what) in all.into_iter().enumerate() {
        let entry = Entry { at, incident: Some(IncidentId(4)), what };
        assert_eq!(super::read(&super::event(&entry, number as u64)), Some(entry));
    }
}
