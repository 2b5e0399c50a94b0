//! A month's report as a page that stands alone: for a customer, who has no node.

use evenkeel_model::Timestamp;
use evenkeel_watch::sla::{Agreement, Availability, Share, Sliced};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::forms::sla::Document;
use crate::forms::time;

/// Slices that are down are listed up to here; the picture shows all of them.
const LISTED_MAX: usize = 200;
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff;font-variant-numeric:tabular-nums}h1{font-size:1.5rem;margin:0}\
.big{font-size:2.5rem;margin:0}table{border-collapse:collapse;margin:.5rem 0}th,td{text-align:left;padding:.25rem 1rem .25rem 0;\
border-bottom:1px solid #ddd;vertical-align:top}.r{text-align:right}svg{width:100%;height:auto;border:1px solid #ccc}\
.g{fill:#dcefe0}.d{fill:#b00020}.p{fill:#e8a33d}.x{fill:#8a8a8a}.e{fill:#f4f4f4}.key svg{width:1rem;height:1rem;vertical-align:-.15rem;margin-right:.25rem}\
.key span{margin-right:1.25rem;white-space:nowrap}@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}\
th,td{border-color:#333}.g{fill:#234a2c}.e{fill:#222}}";

/// What became of a slice, as the picture shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shade {
    Good,
    Partly,
    Down,
    Excluded,
    Empty,
}

/// The page.
pub(crate) fn page(document: &Document) -> String {
    let report = &document.report;
    let sliced = document.sliced();
    let kept = report.credit.below.is_none();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (document.title()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (document.title()) }
                p class="big" { (report.availability) }
                p {
                    @if kept { "What was agreed was kept" } @else { "What was agreed was not kept" }
                    @if !report.is_final { " so far (judged until " (report.judged_until) ")" } ". "
                    "Credit: " (document.credit_in_words()) "."
                }
                @if let Some(doubt) = document.doubt() { p { strong { "Note: " } (doubt) "." } }
                (figures(document))
                @match &sliced {
                    Ok((agreement, bounds, slices)) => { (picture(agreement, slices)) (list(agreement, *bounds, slices)) }
                    Err(why) => p { "The slices cannot be read: " (why) }
                }
                (excluded(document))
                h2 { "Compute it yourself" }
                p { "Save the report as JSON (" code { "evenkeel sla NAME --month " (document.month) " --output json" }
                    ") and run " code { "evenkeel sla verify FILE" } "." }
            }
        }
    }
    .into_string()
}

fn figures(document: &Document) -> Markup {
    let report = &document.report;
    let rows = [
        ("Month", format!("{} to {} ({})", report.from, report.until, document.zone())),
        ("Slices counted", report.slices.to_string()),
        ("Down", report.down.to_string()),
        ("Without events", report.empty.to_string()),
        ("Excluded", report.excluded.to_string()),
        ("To come", report.to_come.to_string()),
        ("Events", format!("{} good, {} bad", report.good, report.bad)),
        ("Excluded events", format!("{} good, {} bad", report.excluded_good, report.excluded_bad)),
        ("Made at", document.made_at.clone()),
    ];
    html! { table { @for (name, value) in &rows { tr { th scope="row" { (name) } td { (value) } } } } }
}

/// A row of slices for each day of the month.
fn picture(agreement: &Agreement, slices: &[Sliced]) -> Markup {
    let a_day = usize::try_from(86_400 / agreement.slice.as_secs().max(60)).unwrap_or(1).max(1);
    let days: Vec<&[Sliced]> = slices.chunks(a_day).collect();
    let size = format!("0 0 {a_day} {}", days.len());
    let keys = [("g", "good"), ("p", "partly bad"), ("d", "down"), ("x", "excluded"), ("e", "without events")];
    html! {
        h2 { "Each slice" }
        p class="key" { @for (class, name) in keys {
            span { svg viewBox="0 0 1 1" aria-hidden="true" { rect class=(class) width="1" height="1" {} } (name) }
        } }
        svg viewBox=(size) preserveAspectRatio="none" style={ "height:" (days.len() * 12) "px" } role="img" aria-label="a row for each day, from the first" {
            @for (day, slices) in days.iter().enumerate() {
                @for (from, length, shade) in runs(agreement, slices) {
                    rect class=(class(shade)) x=(from) y={ (day) ".05" } width=(length) height="0.9" {}
                }
            }
        }
    }
}

fn class(shade: Shade) -> &'static str {
    match shade {
        Shade::Good => "g",
        Shade::Partly => "p",
        Shade::Down => "d",
        Shade::Excluded => "x",
        Shade::Empty => "e",
    }
}

/// Slices alike that follow each other, as one.
fn runs(agreement: &Agreement, slices: &[Sliced]) -> Vec<(usize, usize, Shade)> {
    let mut runs: Vec<(usize, usize, Shade)> = Vec::new();
    for (at, slice) in slices.iter().enumerate() {
        let shade = shade(agreement, slice);
        match runs.last_mut() {
            Some((_, length, last)) if *last == shade => *length += 1,
            _ => runs.push((at, 1, shade)),
        }
    }
    runs
}

fn shade(agreement: &Agreement, slice: &Sliced) -> Shade {
    let counts = slice.counts;
    let below = match agreement.availability {
        Availability::Below(share) => share,
        Availability::Mean | Availability::AllBad => Share(1),
    };
    match (slice.is_hidden, counts.valid(), counts.bad) {
        (true, _, _) => Shade::Excluded,
        (_, 0, _) => Shade::Empty,
        (_, _, 0) => Shade::Good,
        (_, valid, _) if u128::from(counts.good) * 1_000_000_000 < u128::from(below.0) * u128::from(valid) => {
            Shade::Down
        }
        _ => Shade::Partly,
    }
}

fn list(agreement: &Agreement, (from, _): (Timestamp, Timestamp), slices: &[Sliced]) -> Markup {
    let bad: Vec<(usize, &Sliced)> =
        slices.iter().enumerate().filter(|(_, slice)| !slice.is_hidden && slice.counts.bad > 0).collect();
    let begins = |number: usize| time(from + agreement.slice * u32::try_from(number).unwrap_or(u32::MAX));
    html! {
        h2 { "Slices with bad events" }
        @if bad.is_empty() { p { "None." } } @else {
            table {
                tr { th scope="col" { "From" } th scope="col" class="r" { "Good" } th scope="col" class="r" { "Bad" } }
                @for (number, slice) in bad.iter().take(LISTED_MAX) {
                    tr { td { (begins(*number)) } td class="r" { (slice.counts.good) } td class="r" { (slice.counts.bad) } }
                }
            }
            @if bad.len() > LISTED_MAX { p { "and " (bad.len() - LISTED_MAX) " more, in the JSON." } }
        }
    }
}

fn excluded(document: &Document) -> Markup {
    html! {
        h2 { "Excluded" }
        @if document.exclusions.is_empty() { p { "Nothing." } } @else {
            table {
                tr { th scope="col" { "From" } th scope="col" { "Until" } th scope="col" { "Why" } th scope="col" { "By" } }
                @for excluded in &document.exclusions {
                    tr { td { (excluded.from) } td { (excluded.until) } td { (excluded.reason) } td { (excluded.by) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::forms::sla::tests::document;

    #[test]
    fn a_report_s_page_tells_all_and_asks_nobody() {
        let page = super::page(&document());
        for said in ["99.9932792%", "maintenance", "What was agreed was not kept", "100.00 USD of 1000.00"] {
            assert!(page.contains(said), "{said}: {page}");
        }
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"), "{page}");
        assert_eq!(page.matches("class=\"d\"").count(), 1 + 1, "one run of slices that are down, and the key");
    }
}
