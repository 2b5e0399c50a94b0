//! A month's report of an agreement as JSON: what the API answers, what a customer gets, and what `sla verify` reads.
//!
//! The document holds everything that the report was computed from: the agreement, the exclusions, and each slice that
//! has events or is hidden. Invariant: [`Document::recomputed`] of a document that nobody changed is its report.

use std::time::Duration;

use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_model::Timestamp;
use evenkeel_watch::Counts;
use evenkeel_watch::sla::{Agreement, Hiding, Month, Monthly, Report, Sliced, report, sliced};
use serde::{Deserialize, Serialize};

use super::time;
use crate::config::slas;

/// An agreement, the bounds of a month, and every slice of it.
pub(crate) type SlicedMonth = (Agreement, (Timestamp, Timestamp), Vec<Sliced>);

/// A report and all that it was computed from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) agreement: slas::Written,
    pub(crate) month: String,
    pub(crate) made_at: String,
    /// When the ledger begins.
    pub(crate) known_from: Option<String>,
    pub(crate) exclusions: Vec<Excluded>,
    /// When a slice begins, its good and bad events, and those of its excluded minutes.
    pub(crate) slices: Vec<(String, u64, u64, u64, u64)>,
    pub(crate) report: ReportForm,
}

/// A stretch of time that counts for nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Excluded {
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) reason: String,
    pub(crate) by: String,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportForm {
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) judged_until: String,
    pub(crate) is_final: bool,
    pub(crate) availability: String,
    pub(crate) slices: u64,
    pub(crate) down: u64,
    pub(crate) empty: u64,
    pub(crate) excluded: u64,
    pub(crate) to_come: u64,
    pub(crate) good: u64,
    pub(crate) bad: u64,
    pub(crate) excluded_good: u64,
    pub(crate) excluded_bad: u64,
    pub(crate) credit: CreditForm,
}

/// What the customer gets back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreditForm {
    pub(crate) below: Option<String>,
    pub(crate) share: String,
    pub(crate) currency: String,
    pub(crate) billed: Option<String>,
    pub(crate) amount: Option<String>,
    pub(crate) claim_until: Option<String>,
}

impl Document {
    /// The report of a month, as it is known now.
    pub(crate) fn of(monthly: &Monthly, now: Timestamp, billed: Option<u64>) -> Document {
        let Monthly { agreement, hidings, .. } = monthly;
        let bounds = monthly.month.bounds(&agreement.zone);
        let slices = sliced(&monthly.minutes, hidings, bounds, agreement.slice);
        let seen = report(agreement, bounds, &slices, now, billed);
        let row = |(number, slice): (usize, &Sliced)| {
            let Sliced { counts, hidden, .. } = slice;
            let begins = bounds.0 + agreement.slice * u32::try_from(number).unwrap_or(u32::MAX);
            let has_events = counts.valid() + hidden.valid() > 0;
            has_events.then(|| (time(begins), counts.good, counts.bad, hidden.good, hidden.bad))
        };
        Document {
            agreement: slas::written(agreement),
            month: monthly.month.to_string(),
            made_at: time(now),
            known_from: monthly.known_from.map(time),
            exclusions: hidings.iter().map(Excluded::from).collect(),
            slices: slices.iter().enumerate().filter_map(row).collect(),
            report: form(agreement, &seen),
        }
    }

    /// The report, computed anew from what the document holds; else what of it can't be read.
    pub(crate) fn recomputed(&self) -> Result<ReportForm, String> {
        let (agreement, bounds, slices) = self.sliced()?;
        let billed = self.report.credit.billed.as_deref().map(slas::amount).transpose()?;
        let made_at = parse_rfc3339(&self.made_at).ok_or("`made_at` is not a time")?;
        Ok(form(&agreement, &report(&agreement, bounds, &slices, made_at, billed)))
    }

    /// The agreement, the month's bounds, and every slice.
    pub(crate) fn sliced(&self) -> Result<SlicedMonth, String> {
        let agreement = slas::read(self.agreement.clone()).map_err(|e| format!("`agreement`: {}", e.message))?;
        let bounds = self.month.parse::<Month>()?.bounds(&agreement.zone);
        let hidings = self.exclusions.iter().map(Excluded::read).collect::<Result<Vec<Hiding>, String>>()?;
        let mut slices = sliced(&[], &hidings, bounds, agreement.slice);
        let mut before = None;
        for (at, (begins, good, bad, excluded_good, excluded_bad)) in self.slices.iter().enumerate() {
            let wrong = |why: &str| format!("`slices[{at}]`: `{begins}` {why}");
            let begins_at = parse_rfc3339(begins).ok_or_else(|| wrong("is not a time"))?;
            let after = begins_at.since(bounds.0);
            if begins_at < bounds.0 || begins_at >= bounds.1 || !is_multiple(after, agreement.slice) {
                return Err(wrong("is not where a slice of the month begins"));
            }
            if before.replace(begins_at).is_some_and(|before| before >= begins_at) {
                return Err(wrong("does not come after the slice before it"));
            }
            let number = usize::try_from(after.as_micros() / agreement.slice.as_micros()).unwrap_or(usize::MAX);
            let Some(slice) = slices.get_mut(number) else { continue };
            slice.counts = Counts { good: *good, bad: *bad };
            slice.hidden = Counts { good: *excluded_good, bad: *excluded_bad };
        }
        Ok((agreement, bounds, slices))
    }

    /// Which agreement, which month, with whom.
    pub(crate) fn title(&self) -> String {
        let (name, customer) = self.agreement.with_whom();
        let whom = if customer.is_empty() { String::new() } else { format!(", for {customer}") };
        format!("{name}, {}{whom}", self.month)
    }

    /// What the customer gets back, in words.
    pub(crate) fn credit_in_words(&self) -> String {
        let CreditForm { below, share, currency, billed, amount, claim_until } = &self.report.credit;
        let Some(below) = below else { return "none: what was agreed was kept".to_owned() };
        let money = billed.as_ref().zip(amount.as_ref());
        let money = money.map(|(billed, amount)| format!(": {amount} {currency} of {billed}")).unwrap_or_default();
        let claim = claim_until.as_ref().map(|at| format!("; to be claimed until {at}")).unwrap_or_default();
        format!("{share} of the bill, since it is below {below}{money}{claim}")
    }

    /// The zone's name.
    pub(crate) fn zone(&self) -> &str {
        self.agreement.zone()
    }

    /// Why the report may not tell everything.
    pub(crate) fn doubt(&self) -> Option<String> {
        let from = parse_rfc3339(&self.report.from)?;
        let known = self.known_from.as_deref().and_then(parse_rfc3339);
        match known {
            None => Some("the ledger holds nothing yet: all slices count as empty".to_owned()),
            Some(known) if known > from => {
                Some(format!("the ledger begins at {}: slices before it count as empty", time(known)))
            }
            Some(_) => None,
        }
    }

    /// What of the report is not what its slices say: field, what stands there, what it should be.
    pub(crate) fn differences(&self) -> Result<Vec<String>, String> {
        let (told, is) = (serde_json::json!(self.report), serde_json::json!(self.recomputed()?));
        let mut found = Vec::new();
        differ("report", &told, &is, &mut found);
        Ok(found)
    }
}

fn differ(at: &str, told: &serde_json::Value, is: &serde_json::Value, found: &mut Vec<String>) {
    match (told, is) {
        (serde_json::Value::Object(told), serde_json::Value::Object(is)) => {
            for (name, value) in is {
                differ(&format!("{at}.{name}"), told.get(name).unwrap_or(&serde_json::Value::Null), value, found);
            }
        }
        _ if told != is => found.push(format!("`{at}` says {told}; the slices give {is}")),
        _ => {}
    }
}

fn is_multiple(of: Duration, length: Duration) -> bool {
    of.as_micros().is_multiple_of(length.as_micros().max(1))
}

impl From<&Hiding> for Excluded {
    fn from(hiding: &Hiding) -> Excluded {
        let Hiding { from, until, reason, by } = hiding;
        Excluded { from: time(*from), until: time(*until), reason: reason.to_string(), by: by.to_string() }
    }
}

impl Excluded {
    fn read(&self) -> Result<Hiding, String> {
        let at = |text: &str| parse_rfc3339(text).ok_or_else(|| format!("`exclusions`: `{text}` is not a time"));
        Ok(Hiding {
            from: at(&self.from)?,
            until: at(&self.until)?,
            reason: self.reason.as_str().into(),
            by: self.by.as_str().into(),
        })
    }
}

fn form(agreement: &Agreement, seen: &Report) -> ReportForm {
    let credit = &seen.credit;
    ReportForm {
        from: time(seen.from),
        until: time(seen.until),
        judged_until: time(seen.judged_until),
        is_final: seen.is_final(),
        availability: seen.availability.to_string(),
        slices: seen.slices,
        down: seen.down,
        empty: seen.empty,
        excluded: seen.excluded,
        to_come: seen.to_come,
        good: seen.events.good,
        bad: seen.events.bad,
        excluded_good: seen.excluded_events.good,
        excluded_bad: seen.excluded_events.bad,
        credit: CreditForm {
            below: credit.below.map(|below| below.to_string()),
            share: credit.share.to_string(),
            currency: agreement.credits.currency.to_string(),
            billed: credit.billed.map(slas::show_amount),
            amount: credit.amount.map(slas::show_amount),
            claim_until: credit.claim_until.map(time),
        },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use evenkeel_watch::sla::Minute;

    /// A month in which five minutes failed and two are excluded.
    pub(crate) fn document() -> Document {
        let written = serde_json::json!({
            "name": "acme", "customer": "ACME", "subscription": "payment", "zone": "America/New_York", "slice": "1m",
            "availability": "all_bad",
            "credits": { "tiers": [ { "below": "99.999%", "credit": "10%" } ], "claim_within": "30d" },
        });
        let agreement = slas::read(serde_json::from_value(written).unwrap()).unwrap();
        let month: Month = "2026-10".parse().unwrap();
        let (from, until) = month.bounds(&agreement.zone);
        let minute = Duration::from_secs(60);
        let minutes = (0..5).map(|n| Minute { begins: from + minute * n, counts: Counts { good: 0, bad: 3 } });
        let hiding = Hiding { from, until: from + minute * 2, reason: "maintenance".into(), by: "ann".into() };
        let monthly =
            Monthly { agreement, month, minutes: minutes.collect(), hidings: vec![hiding], known_from: Some(from) };
        Document::of(&monthly, until, Some(100_000))
    }

    #[test]
    fn a_customer_computes_the_same_report_from_the_document_alone() {
        let text = serde_json::to_string(&document()).unwrap();
        let read: Document = serde_json::from_str(&text).unwrap();
        assert_eq!(read.differences().unwrap(), Vec::<String>::new());
        let report = &read.report;
        assert_eq!((report.down, report.excluded, report.excluded_bad), (3, 2, 6), "{report:?}");
        assert_eq!(report.credit.amount.as_deref(), Some("100.00"));
    }

    #[test]
    fn a_report_that_its_slices_do_not_give_is_found_field_by_field() {
        let mut document = document();
        document.report.credit.amount = Some("0.00".to_owned());
        document.report.down = 2;
        let found = document.differences().unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|line| line.contains("`report.credit.amount` says \"0.00\"")), "{found:?}");
    }

    #[test]
    fn slices_that_are_not_the_month_s_are_refused() {
        let with = |begins: &str| {
            let mut document = document();
            document.slices[1].0 = begins.to_owned();
            document.recomputed().unwrap_err()
        };
        assert!(with("2026-11-01T04:00:00Z").contains("is not where a slice of the month begins"), "the month after");
        assert!(with("2026-10-01T04:00:30Z").contains("is not where a slice"), "half a minute");
        assert!(with("2026-10-01T04:00:00Z").contains("does not come after"), "the first one again");
        assert!(with("yesterday").contains("is not a time"));
    }
}
