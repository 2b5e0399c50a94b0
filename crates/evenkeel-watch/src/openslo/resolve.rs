//! From documents to objectives: references followed, metrics understood, rules checked.
//!
//! A document that is unsound takes only its own objectives with it; the others are executed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::document::{Body, Document, Written};
use super::finding::{Finding, Findings, Place, Rule};
use super::kinds::alert_condition::AlertCondition;
use super::kinds::alert_policy::AlertPolicy;
use super::kinds::alert_target::AlertTarget;
use super::kinds::data_source::DataSource;
use super::kinds::sli::Sli;
use super::kinds::slo::{Budgeting, Slo, Target};
use super::kinds::time_window::TimeWindow;
use super::metadata::Metadata;
use super::{policy, source};
use crate::calendar::Calendar;
use crate::objective::{Empty, Method, Objective, Part, Scope, Window};
use crate::rule::AlertRule;

const MIN_BAD: &str = "evenkeel/min-bad";
const ALPHA: &str = "evenkeel/alpha";
const EMPTY_SLICES: &str = "evenkeel/empty-slices";
const OF_SLO: [&str; 3] = [MIN_BAD, ALPHA, EMPTY_SLICES];

/// What is known beside the documents.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The time zone of a name in the IANA database.
    pub zone: &'a dyn Fn(&str) -> Option<TimeZone>,
    /// The subscriptions that there are, and the rules of chains (by [`Scope::of_chain`]); none where nobody knows.
    pub subscriptions: Option<&'a [Arc<str>]>,
}

/// What can be executed, and what is wrong with the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Executable {
    /// Sound objectives, in the order of the documents.
    pub objectives: Vec<Objective>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// The objectives of these documents.
pub fn objectives(documents: &[Document], known: Known<'_>) -> Executable {
    let mut read = Executable::default();
    let mut named = BTreeMap::new();
    for document in documents {
        let key = (document.body.kind(), Arc::clone(&document.metadata.name));
        if let Some(before) = named.get(&key) {
            let before: &&Document = before;
            let mut out = Findings::of(&document.file);
            let message = format!("`{}` is a {} of {} already", key.1, key.0, before.file);
            out.add(&document.metadata.place, Rule::DuplicateName, message);
            read.findings.extend(out.all);
            continue;
        }
        named.insert(key, document);
    }
    let catalogue = Catalogue { named, known };
    for document in documents {
        let Body::Slo(slo) = &document.body else { continue };
        let first = catalogue.named.get(&("SLO", Arc::clone(&document.metadata.name)));
        if !first.is_some_and(|first| std::ptr::eq(*first, document)) {
            continue;
        }
        let mut out = Findings::of(&document.file);
        let found = of_slo(&document.metadata, slo, &catalogue, &mut out);
        if out.all.is_empty() {
            read.objectives.extend(found.unwrap_or_default());
        }
        read.findings.extend(out.all);
    }
    read
}

/// All documents by kind and name.
pub(super) struct Catalogue<'a> {
    named: BTreeMap<(&'static str, Arc<str>), &'a Document>,
    known: Known<'a>,
}

impl<'a> Catalogue<'a> {
    fn find(&self, kind: &'static str, name: &Arc<str>, place: &Place, out: &mut Findings) -> Option<&'a Document> {
        let found = self.named.get(&(kind, Arc::clone(name))).copied();
        out.check(found.is_some(), place, Rule::Reference, || {
            let others: Vec<&str> = self.named.keys().filter(|(k, _)| *k == kind).map(|(_, name)| &**name).collect();
            format!("there is no {kind} `{name}`; there are: [{}]", others.join(", "))
        });
        found
    }

    pub(super) fn data_source(&self, name: &Arc<str>, place: &Place, out: &mut Findings) -> Option<&'a DataSource> {
        match &self.find("DataSource", name, place, out)?.body {
            Body::DataSource(data) => Some(data),
            _ => None,
        }
    }

    pub(super) fn sli(&self, written: &'a Written<Sli>, out: &mut Findings) -> Option<(&'a Metadata, &'a Sli)> {
        match written {
            Written::Inline { metadata, spec } => Some((metadata, spec)),
            Written::Named { name, place } => match self.find("SLI", name, place, out)? {
                Document { metadata, body: Body::Sli(sli), .. } => Some((metadata, sli)),
                _ => None,
            },
        }
    }

    pub(super) fn alert_policy<'b>(
        &self,
        written: &'b Written<AlertPolicy>,
        out: &mut Findings,
    ) -> Option<(&'b Metadata, &'b AlertPolicy)>
    where
        'a: 'b,
    {
        match written {
            Written::Inline { metadata, spec } => Some((metadata, spec)),
            Written::Named { name, place } => match self.find("AlertPolicy", name, place, out)? {
                Document { metadata, body: Body::AlertPolicy(policy), .. } => Some((metadata, policy)),
                _ => None,
            },
        }
    }

    pub(super) fn alert_condition<'b>(
        &self,
        written: &'b Written<AlertCondition>,
        out: &mut Findings,
    ) -> Option<(&'b Metadata, &'b AlertCondition)>
    where
        'a: 'b,
    {
        match written {
            Written::Inline { metadata, spec } => Some((metadata, spec)),
            Written::Named { name, place } => match self.find("AlertCondition", name, place, out)? {
                Document { metadata, body: Body::AlertCondition(condition), .. } => Some((metadata, condition)),
                _ => None,
            },
        }
    }

    pub(super) fn alert_target<'b>(
        &self,
        written: &'b Written<AlertTarget>,
        out: &mut Findings,
    ) -> Option<(&'b Metadata, &'b AlertTarget)>
    where
        'a: 'b,
    {
        match written {
            Written::Inline { metadata, spec } => Some((metadata, spec)),
            Written::Named { name, place } => match self.find("AlertNotificationTarget", name, place, out)? {
                Document { metadata, body: Body::AlertNotificationTarget(target), .. } => Some((metadata, target)),
                _ => None,
            },
        }
    }

    /// Says so when there is no such subscription.
    pub(super) fn subscription(&self, name: &str, place: &Place, out: &mut Findings) {
        let Some(all) = self.known.subscriptions else { return };
        out.check(all.iter().any(|known| &**known == name), place, Rule::Reference, || {
            let (what, wanted) = Scope::chain(name).map_or(("subscription", name), |chain| ("chain", chain));
            let alike = all.iter().filter(|known| Scope::chain(known).is_some() == Scope::chain(name).is_some());
            let alike: Vec<&str> = alike.map(|known| Scope::chain(known).unwrap_or(known)).collect();
            format!("there is no {what} `{wanted}`; there are: [{}]", alike.join(", "))
        });
    }
}

fn of_slo(metadata: &Metadata, slo: &Slo, from: &Catalogue<'_>, out: &mut Findings) -> Option<Vec<Objective>> {
    policy::known(metadata, &OF_SLO, out);
    let window = window(&slo.window, from, out);
    let empty = empty_slices(metadata, slo.budgeting, out);
    let parts: Vec<Option<Part>> = slo.objectives.iter().map(|target| part(slo, target, empty, from, out)).collect();
    let (window, parts) = (window?, parts.into_iter().collect::<Option<Vec<Part>>>()?);
    let groups: Vec<Vec<Part>> =
        if slo.is_composite() { vec![parts] } else { parts.into_iter().map(|part| vec![part]).collect() };
    let several = groups.len() > 1;
    let mut objectives = Vec::new();
    for (index, parts) in groups.into_iter().enumerate() {
        let mut objective = Objective {
            name: if several { Arc::from(format!("{}.{}", metadata.name, index + 1)) } else { metadata.name.clone() },
            service: Arc::clone(&slo.service),
            description: slo.description.clone(),
            parts,
            window: window.clone(),
            alerts: Vec::new(),
            left_out: Vec::new(),
            bad_min: number(metadata, MIN_BAD, out).map_or(1, |n| n as u64),
            alpha: policy::share(metadata, ALPHA, out).unwrap_or(1e-3),
        };
        let places = alerts(&mut objective, slo, from, out)?;
        // What belongs to no alert stands with the objective's own values.
        let whole = if several || !slo.is_composite() { &slo.objectives[index].place } else { &metadata.place };
        unsound(&objective, whole, &slo.window.place, &places, out);
        objectives.push(objective);
    }
    Some(objectives)
}

/// Fills in the alerts, and says where each stands.
fn alerts(objective: &mut Objective, slo: &Slo, from: &Catalogue<'_>, out: &mut Findings) -> Option<Vec<Place>> {
    let budget = (objective.window.length(), objective.allowed());
    if slo.policies.is_empty() {
        usual_alerts(objective);
        return Some(Vec::new());
    }
    let mut places = Vec::new();
    let mut sound = true;
    for policy in &slo.policies {
        match policy::rules(policy, budget, from, out) {
            Some(rules) => rules.into_iter().for_each(|(rule, place)| {
                objective.alerts.push(rule);
                places.push(place);
            }),
            None => sound = false,
        }
    }
    sound.then_some(places)
}

/// Below that a short window is a few events at the most, and a tick of the watch is a large part of it.
const SHORTEST: Duration = Duration::from_secs(2);

/// Without policies those of the SRE Workbook apply that this objective can reach, and it is said why others do not.
fn usual_alerts(objective: &mut Objective) {
    for rule in AlertRule::usual(objective.window.length()) {
        let name = Arc::clone(&rule.name);
        let short = rule.windows().into_iter().min().unwrap_or_default();
        let alone = Objective { alerts: vec![rule.clone()], ..objective.clone() };
        let why = match alone.check() {
            _ if short < SHORTEST => Some(format!("for this window its short one would be {short:?}")),
            Err(problems) => problems
                .into_iter()
                .find(|problem| problem.field.starts_with("alerts["))
                .map(|problem| problem.to_string().replacen("alerts[0].", "its ", 1)),
            Ok(()) => None,
        };
        match why {
            Some(why) => objective.left_out.push((name, why)),
            None => objective.alerts.push(rule),
        }
    }
}

fn unsound(objective: &Objective, whole: &Place, window: &Place, alerts: &[Place], out: &mut Findings) {
    for problem in objective.check().err().unwrap_or_default() {
        let alert = problem.field.strip_prefix("alerts[").and_then(|rest| rest.split_once(']'));
        let place = match alert {
            Some((index, _)) => index.parse::<usize>().ok().and_then(|index| alerts.get(index)).unwrap_or(whole),
            None if problem.field == "window" => window,
            None => whole,
        };
        out.add(place, Rule::Unsound, problem.to_string());
    }
}

fn window(written: &TimeWindow, from: &Catalogue<'_>, out: &mut Findings) -> Option<Window> {
    out.check(written.duration.count > 0, &written.place, Rule::Unsound, || "a window has a length".to_owned());
    let Some(calendar) = &written.calendar else { return Some(Window::Rolling(written.duration.length())) };
    let zone = (from.known.zone)(&calendar.zone);
    out.check(zone.is_some(), &calendar.zone_place, Rule::StringTimeZone, || {
        format!("is `{}`; a time zone is a name of the IANA database, like `Europe/Berlin`", calendar.zone)
    });
    Some(Window::Calendar(Calendar { start: calendar.start, zone: zone?, step: written.duration }))
}

fn part(slo: &Slo, target: &Target, empty: Empty, from: &Catalogue<'_>, out: &mut Findings) -> Option<Part> {
    let written = target.indicator.as_ref().or(slo.indicator.as_ref())?;
    let (metadata, sli) = from.sli(written, out)?;
    policy::known(metadata, &[], out);
    let (scope, indicator) = source::indicator(sli, target, from, out)?;
    let slice = target.slice.map_or(Duration::ZERO, |slice| slice.length());
    let method = match slo.budgeting {
        Budgeting::Occurrences => Method::Occurrences,
        Budgeting::Timeslices => Method::Timeslices { slice, target: target.slice_target.unwrap_or(1.0), empty },
        Budgeting::RatioTimeslices => Method::RatioTimeslices { slice, empty },
    };
    Some(Part { scope, indicator, target: target.share, method, weight: target.weight })
}

/// What a slice without events is: good where slices are counted, left out of a mean of ratios.
fn empty_slices(metadata: &Metadata, budgeting: Budgeting, out: &mut Findings) -> Empty {
    let usual = if budgeting == Budgeting::RatioTimeslices { Empty::Skipped } else { Empty::Good };
    let Some((text, place)) = metadata.annotations.get(EMPTY_SLICES) else { return usual };
    let named = [Empty::Good, Empty::Bad, Empty::Skipped].into_iter().find(|empty| empty.name() == text);
    out.check(named.is_some(), place, Rule::OneOf, || format!("is `{text}`; empty slices are good, bad or skipped"));
    named.unwrap_or(usual)
}

fn number(metadata: &Metadata, name: &str, out: &mut Findings) -> Option<f64> {
    let (text, place) = metadata.annotations.get(name)?;
    let read = text.parse::<u32>().ok().map(f64::from);
    out.check(read.is_some(), place, Rule::Type, || format!("is `{text}`; it must be a whole number"));
    read
}
