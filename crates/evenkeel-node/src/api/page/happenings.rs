//! What happened: incidents with their timelines, alerts, the node's start.

use std::time::Duration;

use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_log::ReadLimit;
use evenkeel_respond::Incident;
use evenkeel_watch::Sending;

use crate::forms::alert::AlertForm;
use crate::forms::producer::sentence;
use crate::page::numbers;
use crate::page::status::{BehindIt, Happening, HappeningKind};
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
        all.extend(report.firing.iter().map(|alert| Happening {
            events: behind(node, report, &alert.objective),
            ..self::alert(&AlertForm::from(alert))
        }));
        all.extend(report.past.iter().map(alert));
        let unusual = report.snapshot.producers.iter().filter(|p| p.sending != Sending::Usual);
        all.extend(unusual.map(|producer| Happening {
            at: producer.since,
            ongoing: true,
            kind: HappeningKind::Producer,
            text: format!("{}.", sentence(producer)),
            ..Happening::default()
        }));
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
        objective: of.objective.to_string(),
        text: format!("`{}` was in danger ({}); {times}.", of.objective, of.severity.name()),
        details: of.timeline.iter().map(|line| line.text.clone()).collect(),
        ..Happening::default()
    }
}

fn alert(form: &AlertForm) -> Happening {
    Happening {
        at: parse_rfc3339(&form.started_at).unwrap_or_default(),
        until: form.resolved_at.as_deref().and_then(parse_rfc3339),
        ongoing: form.resolved_at.is_none(),
        kind: HappeningKind::Alert,
        objective: form.objective.clone(),
        text: format!("{}: {}.", form.name, form.summary),
        details: why(form),
        ..Happening::default()
    }
}

/// The numbers for which an alert fires.
fn why(form: &AlertForm) -> Vec<String> {
    if form.factor <= 0.0 {
        return Vec::new();
    }
    let span = |seconds: f64| numbers::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let (long, short) = (span(form.long_s), span(form.short_s));
    vec![
        format!(
            "It burned {:.1}× over {long} and {:.1}× over {short}; the alert fires above {:.1}×, which spends {:.1} % of the budget in {long}.",
            form.burn_long,
            form.burn_short,
            form.factor,
            form.budget_share * 100.0
        ),
        format!("{} of {} events were bad in {long}.", numbers::grouped(form.bad), numbers::grouped(form.valid)),
        format!("The first of them was bad at {}.", form.first_bad_at),
    ]
}

/// The last events that broke an objective, newest first, with their ids where the log still has them.
fn behind(node: &Wired, report: &Report, objective: &str) -> Vec<BehindIt> {
    let of = report.objectives.iter().find(|of| *of.objective.name == *objective);
    let events = of.into_iter().flat_map(|of| of.bad.iter().rev()).map(|bad| {
        let shard = &bad.at.shard;
        let stored = node.log.read(shard, bad.at.offset, ReadLimit::records(1)).ok();
        let stored = stored.and_then(|records| records.into_iter().next()).filter(|stored| stored.at == bad.at);
        let id = stored.and_then(|stored| match from_record(&stored.record, &stored.at) {
            Read::Event(event) => Some(event.id),
            _ => None,
        });
        let (id, source) = id.map(|id| (id.id, id.source)).unwrap_or_default();
        BehindIt {
            id,
            source,
            place: bad.at.clone(),
            at: bad.when,
            what: bad.outcome.map_or("not complete in time", evenkeel_model::Outcome::name).to_owned(),
        }
    });
    events.collect()
}
