//! Service level agreements, as they are written in YAML, turned into what `evenkeel-watch` computes.
//!
//! docs/guide/sla.md shows a file. The written form also stands in each exported report, so that whoever gets one
//! reads the same agreement. Invariant: an agreement that is returned has passed its rules, and is of a
//! subscription that there is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_watch::objective::{Empty, Indicator, Scope};
use evenkeel_watch::sla::{Agreement, Availability, Credits, Share, Tier};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::checked::{choice, duration, or, parse, unknown, value};
use super::plan::Plan;
use super::units::show_duration;
use super::{glob, objectives, reading};
use crate::error::{Error, codes};

/// An agreement as it is written.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    name: String,
    #[serde(default)]
    customer: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    description: String,
    subscription: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(rename = "handlerVersion", skip_serializing_if = "Option::is_none")]
    handler_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
    slice: Option<String>,
    availability: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    down_below: Option<String>,
    empty: Option<String>,
    zone: Option<String>,
    credits: Option<WrittenCredits>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenCredits {
    tiers: Vec<WrittenTier>,
    cap: Option<String>,
    more_than: Option<String>,
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_within: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WrittenTier {
    below: String,
    credit: String,
}

impl Written {
    /// Its name, and whose it is.
    pub(crate) fn with_whom(&self) -> (&str, &str) {
        (&self.name, &self.customer)
    }

    /// Where its months begin.
    pub(crate) fn zone(&self) -> &str {
        or(&self.zone, "UTC")
    }
}

/// Reads the agreements of all files of the plan's pattern, one a file, into the plan. Their thresholds are ages at
/// which events become overdue, as those of objectives are.
pub(super) fn load(folder: &Path, plan: &mut Plan) -> Result<(), Error> {
    let Some(pattern) = &plan.slas_from else { return Ok(()) };
    plan.agreements = all(pattern, folder, plan)?;
    let counted: Vec<_> = plan.agreements.iter().map(Agreement::counted_as).collect();
    objectives::into_policies(&counted, &mut plan.subscriptions);
    Ok(())
}

fn all(pattern: &str, folder: &Path, plan: &Plan) -> Result<Vec<Agreement>, Error> {
    let mut agreements: Vec<Agreement> = Vec::new();
    for path in glob::files("slas", pattern, folder)? {
        let at = |e: Error| Error { message: format!("{}: {}", path.display(), e.message), ..e }.exit(3);
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::new(codes::CONFIG_FILE, format!("cannot read `{}`: {e}", path.display())))?;
        let agreement = read(reading::read(&text).map_err(at)?).map_err(at)?;
        let known: Vec<&str> = plan.subscriptions.iter().map(|s| &*s.name).collect();
        if !known.contains(&&*agreement.scope.subscription) {
            return Err(at(unknown("subscription", "subscription", &agreement.scope.subscription, &known)));
        }
        let taken = agreements.iter().map(|a| &a.name).chain(plan.objectives.iter().map(|o| &o.name));
        if taken.into_iter().any(|name| *name == agreement.name) {
            let why = format!("`{}` is the name of another agreement or of an objective", agreement.name);
            return Err(at(value("name", why)));
        }
        agreements.push(agreement);
    }
    Ok(agreements)
}

/// The agreement of a written form.
pub(crate) fn read(raw: Written) -> Result<Agreement, Error> {
    let share = |key: &str, text: &str| {
        Share::read(text).ok_or_else(|| value(key, format!("`{text}` is not a share: write it like `99.9%`")))
    };
    let within = raw.within.as_ref().map(|text| parse("within", text, super::units::duration)).transpose()?;
    let indicator = match (or(&raw.metric, "latency"), within) {
        ("latency" | "handler", None) => Indicator::Success,
        ("latency", Some(threshold)) => Indicator::Latency { threshold },
        ("handler", Some(threshold)) => Indicator::Handler { threshold },
        (other, _) => return Err(choice("metric", other, &["latency", "handler"])),
    };
    let availability = match (or(&raw.availability, "mean"), &raw.down_below) {
        ("mean", None) => Availability::Mean,
        ("all_bad", None) => Availability::AllBad,
        ("below", Some(text)) => Availability::Below(share("down_below", text)?),
        ("below", None) => return Err(value("down_below", "is missing: how many of a slice's events must be good")),
        ("mean" | "all_bad", Some(text)) => {
            return Err(value("down_below", format!("`{text}` means nothing unless `availability` is `below`")));
        }
        (other, _) => return Err(choice("availability", other, &["mean", "all_bad", "below"])),
    };
    let empty = match or(&raw.empty, "good") {
        "good" => Empty::Good,
        "bad" => Empty::Bad,
        "skipped" => Empty::Skipped,
        other => return Err(choice("empty", other, &["good", "bad", "skipped"])),
    };
    let zone_name = or(&raw.zone, "UTC");
    let zone = TimeZone::get(zone_name)
        .map_err(|_| value("zone", format!("`{zone_name}` is no time zone of the IANA database")))?;
    let name = |text: &Option<String>| text.as_deref().map(Arc::from);
    let agreement = Agreement {
        name: Arc::from(raw.name.as_str()),
        customer: Arc::from(raw.customer.as_str()),
        service: Arc::from(if raw.service.is_empty() { "default" } else { &raw.service }),
        description: Arc::from(raw.description.as_str()),
        scope: Scope {
            subscription: Arc::from(raw.subscription.as_str()),
            kind: name(&raw.kind),
            source: name(&raw.source),
            handler_version: name(&raw.handler_version),
        },
        indicator,
        slice: duration("slice", &raw.slice, Duration::from_secs(300))?,
        availability,
        empty,
        zone,
        credits: credits(raw.credits.unwrap_or_default(), share)?,
    };
    agreement.check().map_err(|problems| {
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::new(codes::CONFIG_VALUE, said.join("; "))
    })?;
    Ok(agreement)
}

fn credits(raw: WrittenCredits, share: impl Fn(&str, &str) -> Result<Share, Error>) -> Result<Credits, Error> {
    let tiers = raw.tiers.iter().enumerate().map(|(at, tier)| {
        let key = |name: &str| format!("credits.tiers[{at}].{name}");
        Ok(Tier { below: share(&key("below"), &tier.below)?, credit: share(&key("credit"), &tier.credit)? })
    });
    Ok(Credits {
        tiers: tiers.collect::<Result<_, Error>>()?,
        cap: share("credits.cap", or(&raw.cap, "100%"))?,
        more_than: parse("credits.more_than", or(&raw.more_than, "0"), amount)?,
        currency: Arc::from(or(&raw.currency, "USD")),
        claim_within: raw
            .claim_within
            .map(|t| parse("credits.claim_within", &t, super::units::duration))
            .transpose()?,
    })
}

/// The written form of an agreement, every default filled in.
pub(crate) fn written(agreement: &Agreement) -> Written {
    let name = |text: &Option<Arc<str>>| text.as_ref().map(ToString::to_string);
    let credits = &agreement.credits;
    Written {
        name: agreement.name.to_string(),
        customer: agreement.customer.to_string(),
        service: agreement.service.to_string(),
        description: agreement.description.to_string(),
        subscription: agreement.scope.subscription.to_string(),
        kind: name(&agreement.scope.kind),
        source: name(&agreement.scope.source),
        handler_version: name(&agreement.scope.handler_version),
        within: agreement.indicator.threshold().map(show_duration),
        metric: matches!(agreement.indicator, Indicator::Handler { .. }).then(|| "handler".to_owned()),
        slice: Some(show_duration(agreement.slice)),
        availability: Some(agreement.availability.name().to_owned()),
        down_below: match agreement.availability {
            Availability::Below(share) => Some(share.to_string()),
            Availability::Mean | Availability::AllBad => None,
        },
        empty: Some(agreement.empty.name().to_owned()),
        zone: Some(agreement.zone.iana_name().unwrap_or("UTC").to_owned()),
        credits: Some(WrittenCredits {
            tiers: credits
                .tiers
                .iter()
                .map(|tier| WrittenTier { below: tier.below.to_string(), credit: tier.credit.to_string() })
                .collect(),
            cap: Some(credits.cap.to_string()),
            more_than: Some(show_amount(credits.more_than)),
            currency: Some(credits.currency.to_string()),
            claim_within: credits.claim_within.map(show_duration),
        }),
    }
}

/// An amount of money such as `1234.56`, in minor units.
pub(crate) fn amount(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not an amount: write it like `1234.56`");
    let (whole, cents) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(cents) || cents.len() != 2 {
        return Err(wrong());
    }
    format!("{whole}{cents}").parse().map_err(|_| wrong())
}

/// Minor units as an amount.
pub(crate) fn show_amount(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// An agreement in words.
pub(super) fn explain(agreement: &Agreement, ledger_kept: Duration) -> String {
    let Agreement { name, customer, credits, .. } = agreement;
    let good = match agreement.indicator {
        Indicator::Latency { threshold } => format!("completed within {}", show_duration(threshold)),
        Indicator::Handler { threshold } => format!("completed by an attempt of at most {}", show_duration(threshold)),
        Indicator::Success => "completed".to_owned(),
    };
    let slice = show_duration(agreement.slice);
    let how = match agreement.availability {
        Availability::Mean => format!("the mean over slices of {slice} of the share of events that are {good}"),
        Availability::AllBad => format!("the share of slices of {slice} in which not all events failed to be {good}"),
        Availability::Below(share) => format!("the share of slices of {slice} in which {share} of events are {good}"),
    };
    let zone = agreement.zone.iana_name().unwrap_or("UTC");
    let mut text = format!(
        "{name} (for {}): availability of a month in {zone} is {how}, of `{}`; a slice without events is {}.",
        if customer.is_empty() { "nobody in particular" } else { customer },
        agreement.scope.subscription,
        agreement.empty.name()
    );
    for tier in &credits.tiers {
        text += &format!("\n  Below {} it gives back {} of the bill.", tier.below, tier.credit.min(credits.cap));
    }
    if ledger_kept < Duration::from_secs(62 * 86_400) {
        text += &format!(
            "\n  The ledger is kept for {}: a month's report is whole only if it is made in time; `ledger.retention: 62d` reaches back to the end of the month before.",
            show_duration(ledger_kept)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Agreement, Error> {
        read(reading::read(text)?)
    }

    const AWS: &str = "
name: acme
customer: ACME
subscription: payment
zone: America/Los_Angeles
credits: { tiers: [ { below: 99.9%, credit: 10% }, { below: 99%, credit: 25% } ], more_than: \"1.00\" }
";

    #[test]
    fn an_agreement_reads_back_from_what_it_is_written_as() {
        let agreement = parsed(AWS).unwrap();
        assert_eq!((agreement.slice, agreement.credits.more_than), (Duration::from_secs(300), 100));
        let again = serde_json::to_value(written(&agreement)).unwrap();
        let again: Written = serde_json::from_value(again).unwrap();
        assert_eq!(read(again).unwrap(), agreement);
        let other = "name: a\nsubscription: s\nwithin: 2s\nmetric: handler\navailability: below\ndown_below: 50%\n";
        let agreement = parsed(other).unwrap();
        assert_eq!(read(written(&agreement)).unwrap(), agreement);
    }

    #[test]
    fn what_is_wrong_is_told_with_field_value_and_fix() {
        let said = |more: &str| parsed(&format!("{AWS}{more}\n")).unwrap_err().message;
        assert!(said("slice: 90s").contains("slice") && said("slice: 90s").contains("whole minutes"));
        assert!(said("availability: median").contains("`median` is none of mean, all_bad, below"));
        assert!(said("availability: below").contains("`down_below`: is missing"));
        assert!(said("down_below: 5%").contains("means nothing"));
        assert!(said("colour: red").contains("unknown key `colour`"));
        let wrong = |from: &str, to: &str| parsed(&AWS.replace(from, to)).unwrap_err().message;
        assert!(wrong("America/Los_Angeles", "Mars/Base").contains("`Mars/Base` is no time zone"));
        assert!(wrong("99.9%", "most").contains("`credits.tiers[0].below`"));
        assert!(wrong("1.00", "1.5").contains("write it like `1234.56`"));
    }

    #[test]
    fn amounts_are_counted_in_minor_units() {
        assert_eq!((amount("1234.56"), amount("7")), (Ok(123_456), Ok(700)));
        assert_eq!((show_amount(123_456), show_amount(5)), ("1234.56".to_owned(), "0.05".to_owned()));
        assert!(amount("-1.00").is_err() && amount("1,00").is_err() && amount("").is_err());
    }
}
