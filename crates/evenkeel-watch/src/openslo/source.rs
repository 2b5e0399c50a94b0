//! The metric source `evenkeel`: which outcomes of which subscription count, and when they are good.
//!
//! Its `spec` says `subscription`, and may narrow it by `type`, `source` and `handlerVersion`; or `chain`, a rule
//! whose chains are counted as a whole.
//! Good ones of a ratio may say `outcome: completed` and `within`, bad ones `outcome: [dead,
//! expired]` and `beyond`; `metric` is `latency` (created to completed, the default) or `handler`
//! (the last attempt), in seconds where a threshold is compared. A `DataSource` of this type gives
//! fields that each metric of it begins with.

use std::sync::Arc;
use std::time::Duration;

use super::fields::Fields;
use super::finding::{Findings, Place, Rule};
use super::kinds::alert_condition::Operator;
use super::kinds::sli::{Metric, Sli, Source};
use super::kinds::slo::Target;
use super::resolve::Catalogue;
use super::tree::{Key, Tree, Value};
use crate::objective::{Indicator, Scope};

/// The name of this type.
pub(super) const TYPE: &str = "evenkeel";
const FIELDS: [&str; 9] =
    ["subscription", "chain", "type", "source", "handlerVersion", "outcome", "within", "beyond", "metric"];

/// What a source asks for.
struct Asked {
    scope: Scope,
    outcomes: Vec<String>,
    within: Option<Duration>,
    beyond: Option<Duration>,
    of_handler: Option<bool>,
    place: Place,
}

/// What an indicator counts, compared as the target says.
pub(super) fn indicator(
    sli: &Sli,
    target: &Target,
    from: &Catalogue<'_>,
    out: &mut Findings,
) -> Option<(Scope, Indicator)> {
    match &sli.metric {
        Metric::Threshold(source) => {
            let asked = asked(source, from, out)?;
            plain(&asked, &["metric"], "a threshold metric", out)?;
            let Some(of_handler) = asked.of_handler else {
                out.add(&asked.place, Rule::NotExecuted, "a threshold metric says `metric`: latency or handler");
                return None;
            };
            Some((asked.scope, timed(of_handler, compared(target, out)?)))
        }
        Metric::Good { good, total } => {
            let (good, total) = (asked(good, from, out), asked(total, from, out));
            let (good, total) = (good?, total?);
            plain(&total, &[], "the total", out)?;
            plain(&good, &["outcome", "within", "metric"], "the good ones", out)?;
            outcomes(&good, &["completed"], "good", out)?;
            same_scope(&good, &total, out)?;
            let indicator = good.within.map_or(Indicator::Success, |most| timed(good.of_handler == Some(true), most));
            Some((good.scope, indicator))
        }
        Metric::Bad { bad, total } => {
            let (bad, total) = (asked(bad, from, out), asked(total, from, out));
            let (bad, total) = (bad?, total?);
            plain(&total, &[], "the total", out)?;
            plain(&bad, &["outcome", "beyond", "metric"], "the bad ones", out)?;
            outcomes(&bad, &["dead", "expired"], "bad", out)?;
            same_scope(&bad, &total, out)?;
            let indicator = bad.beyond.map_or(Indicator::Success, |most| timed(bad.of_handler == Some(true), most));
            Some((bad.scope, indicator))
        }
        // A ratio of successes and one of failures say the same of the same events.
        Metric::Raw { raw, failures: _ } => {
            let asked = asked(raw, from, out)?;
            plain(&asked, &["within", "metric"], "a ratio", out)?;
            let indicator = asked.within.map_or(Indicator::Success, |most| timed(asked.of_handler == Some(true), most));
            Some((asked.scope, indicator))
        }
    }
}

fn timed(of_handler: bool, threshold: Duration) -> Indicator {
    if of_handler { Indicator::Handler { threshold } } else { Indicator::Latency { threshold } }
}

/// The longest time that is good, of `op` and `value` in seconds.
fn compared(target: &Target, out: &mut Findings) -> Option<Duration> {
    let at = |field: &str| Place { line: target.place.line, field: format!("{}.{field}", target.place.field) };
    out.check(target.op.is_some(), &at("op"), Rule::Required, || {
        "is missing: a threshold metric is compared".to_owned()
    });
    let value = target.value.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    out.check(value.is_some(), &at("value"), Rule::Required, || {
        "must be a number of seconds: a threshold metric is compared with a value".to_owned()
    });
    match target.op? {
        Operator::Lte => value,
        Operator::Lt => value.map(|most| most.saturating_sub(Duration::from_micros(1))),
        op @ (Operator::Gt | Operator::Gte) => {
            let message = format!("is `{}`; a latency can be too long, never too short: use lte or lt", op.name());
            out.add(&at("op"), Rule::NotExecuted, message);
            None
        }
    }
}

/// Nothing is asked but what this metric takes.
fn plain(asked: &Asked, takes: &[&str], what: &str, out: &mut Findings) -> Option<()> {
    let there = [
        ("outcome", !asked.outcomes.is_empty()),
        ("within", asked.within.is_some()),
        ("beyond", asked.beyond.is_some()),
        ("metric", asked.of_handler.is_some()),
    ];
    let mut sound = true;
    for (field, _) in there.into_iter().filter(|(field, there)| *there && !takes.contains(field)) {
        out.add(&asked.place, Rule::NotExecuted, format!("{what} does not take `{field}`"));
        sound = false;
    }
    sound.then_some(())
}

fn outcomes(asked: &Asked, right: &[&str], what: &str, out: &mut Findings) -> Option<()> {
    let same = asked.outcomes.len() == right.len() && right.iter().all(|o| asked.outcomes.iter().any(|a| a == o));
    if asked.outcomes.is_empty() || same {
        return Some(());
    }
    let message = format!("outcome is [{}]; what is {what} is [{}]", asked.outcomes.join(", "), right.join(", "));
    out.add(&asked.place, Rule::NotExecuted, message);
    None
}

fn same_scope(one: &Asked, other: &Asked, out: &mut Findings) -> Option<()> {
    if one.scope == other.scope {
        return Some(());
    }
    out.add(
        &one.place,
        Rule::NotExecuted,
        format!(
            "is of `{}` and the total of `{}`: both must say the same subscription, type, source and handlerVersion",
            one.scope.subscription, other.scope.subscription
        ),
    );
    None
}

fn asked(source: &Source, from: &Catalogue<'_>, out: &mut Findings) -> Option<Asked> {
    let data = match &source.reference {
        Some((name, place)) => Some(from.data_source(name, place, out)?),
        None => None,
    };
    let inferred = data.map(|data| &data.kind);
    let at = |field: &str| Place { line: source.place.line, field: format!("{}.{field}", source.place.field) };
    let Some(kind) = source.kind.as_ref().or(inferred) else {
        out.add(&at("type"), Rule::Required, "is missing, and no `metricSourceRef` says it");
        return None;
    };
    if let Some(inferred) = inferred.filter(|inferred| *inferred != kind) {
        out.add(&at("type"), Rule::Reference, format!("is `{kind}`, and the data source is of `{inferred}`"));
        return None;
    }
    if &**kind != TYPE {
        let message = format!("is `{kind}`; Evenkeel computes only what its own ledger knows, type `{TYPE}`");
        out.add(&at("type"), Rule::NotExecuted, message);
        return None;
    }
    let spec = merged(data.map(|data| &data.connection), &source.spec);
    let fields = Fields::of(at("spec"), &spec, out)?;
    let before = out.all.len();
    fields.only(&FIELDS, out);
    let read = Asked {
        scope: scope(&fields, out),
        outcomes: texts(&fields, "outcome", out),
        within: span(&fields, "within", out),
        beyond: span(&fields, "beyond", out),
        of_handler: of_handler(&fields, out),
        place: fields.place.clone(),
    };
    let chain = Scope::chain(&read.scope.subscription).is_some();
    if !read.scope.subscription.is_empty() {
        let field = if chain { "chain" } else { "subscription" };
        from.subscription(&read.scope.subscription, &fields.at(field), out);
    }
    out.check(!chain || read.of_handler != Some(true), &fields.at("metric"), Rule::NotExecuted, || {
        "is `handler`, and a chain has none".to_owned()
    });
    (out.all.len() == before).then_some(read)
}

/// A subscription, perhaps narrowed, or all chains of a rule.
fn scope(fields: &Fields<'_>, out: &mut Findings) -> Scope {
    let Some(chain) = fields.text("chain", out) else {
        return Scope {
            subscription: Arc::from(fields.required("subscription", out).unwrap_or_default()),
            kind: fields.text("type", out).map(Arc::from),
            source: fields.text("source", out).map(Arc::from),
            handler_version: fields.text("handlerVersion", out).map(Arc::from),
        };
    };
    for other in ["subscription", "type", "source", "handlerVersion"] {
        out.check(fields.get(other).is_none(), &fields.at(other), Rule::NotExecuted, || {
            "does not stand beside `chain`, which counts whole chains".to_owned()
        });
    }
    Scope::of_chain(chain)
}

/// The fields of a data source, and over them those of the metric.
fn merged(connection: Option<&Tree>, spec: &Tree) -> Tree {
    let fields = |tree: &Tree| match &tree.value {
        Value::Map(fields) => fields.clone(),
        _ => Vec::<(Key, Tree)>::new(),
    };
    let own = fields(spec);
    let inherited = connection.map(fields).unwrap_or_default();
    let mut all: Vec<_> =
        inherited.into_iter().filter(|(key, _)| own.iter().all(|(mine, _)| mine.name != key.name)).collect();
    all.extend(own);
    Tree { line: spec.line, value: Value::Map(all) }
}

fn texts(fields: &Fields<'_>, name: &str, out: &mut Findings) -> Vec<String> {
    match fields.get(name).map(|tree| &tree.value) {
        Some(Value::List(list)) => {
            let text = |tree: &Tree| match &tree.value {
                Value::Text(text) => text.clone(),
                other => other.kind().to_owned(),
            };
            list.iter().map(text).collect()
        }
        _ => fields.text(name, out).map(|text| vec![text.to_owned()]).unwrap_or_default(),
    }
}

fn of_handler(fields: &Fields<'_>, out: &mut Findings) -> Option<bool> {
    match fields.text("metric", out)? {
        "latency" => Some(false),
        "handler" => Some(true),
        other => {
            out.add(&fields.at("metric"), Rule::OneOf, format!("is `{other}`; the metrics are latency, handler"));
            None
        }
    }
}

fn span(fields: &Fields<'_>, name: &str, out: &mut Findings) -> Option<Duration> {
    let text = fields.text(name, out)?;
    let read = duration(text);
    out.check(read.is_some(), &fields.at(name), Rule::Type, || {
        format!("is `{text}`; a duration is a number and one of us, ms, s, m, h, d, w, like `500ms`")
    });
    read
}

/// A duration such as `500ms`, `1.5s`, `30d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 7] =
        [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0), ("w", 604_800.0)];
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..digits].parse().ok()?;
    let (_, seconds) = UNITS.into_iter().find(|(unit, _)| *unit == &text[digits..])?;
    // Through whole microseconds: a tenth of a second is no sum of powers of two.
    Duration::try_from_secs_f64((number * seconds * 1e6).round() / 1e6).ok()
}
