//! What happened: incidents with their timelines, alerts, the node's start.

use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_respond::Incident;

use crate::forms::alert::AlertForm;
use crate::page::status::{Happening, HappeningKind};
use crate::watching::Report;
use crate::wiring::Wired;

pub(super) fn happenings(node: &Wired, report: Option<&Report>, incidents: &[Incident]) -> Vec<Happening> {
    let mut all = vec![Happening {
        at: node.started_at,
        kind: HappeningKind::Node,
        text: "The node started.".to_owned(),
        ..Happening::default()
    }];
    all.extend(incidents.iter().map(incident));
    if let Some(report) = report {
        all.extend(report.firing.iter().map(|alert| self::alert(&AlertForm::from(alert))));
        all.extend(report.past.iter().map(alert));
    }
    all
}

fn incident(of: &Incident) -> Happening {
    let times = match of.time_to_recover() {
        Some(recovered) => format!("detected after {:.1?}, recovered after {recovered:.1?}", of.time_to_detect()),
        None => format!("detected after {:.1?}", of.time_to_detect()),
    };
    Happening {
        at: of.opened_at,
        until: of.resolved_at,
        ongoing: of.is_open(),
        kind: HappeningKind::Incident,
        id: of.id.to_string(),
        text: format!("`{}` was in danger ({}); {times}.", of.objective, of.severity.name()),
        details: of.timeline.iter().map(|line| line.text.clone()).collect(),
    }
}

fn alert(form: &AlertForm) -> Happening {
    Happening {
        at: parse_rfc3339(&form.started_at).unwrap_or_default(),
        until: form.resolved_at.as_deref().and_then(parse_rfc3339),
        ongoing: form.resolved_at.is_none(),
        kind: HappeningKind::Alert,
        id: String::new(),
        text: format!("{}: {}.", form.name, form.summary),
        details: Vec::new(),
    }
}
