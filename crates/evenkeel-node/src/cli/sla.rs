//! `evenkeel sla [NAME]`, and `evenkeel sla verify FILE`, which needs no node.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};

use super::asking::{Output, Where, escaped};
use super::output::{line, print, rows, table};
use crate::error::{Error, codes};
use crate::forms::sla::Document;
use crate::page;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// The agreement; all of them, with the month that runs, when it is left out
    name: Option<String>,
    /// The month, like 2026-10; the one that runs when it is left out
    #[arg(long)]
    month: Option<String>,
    /// What the customer was billed for it, like 1234.56: the credit is told in money
    #[arg(long)]
    billed: Option<String>,
    /// The node's URL
    #[arg(long, value_name = "URL", env = "EVENKEEL_NODE", default_value = "http://127.0.0.1:8080")]
    node: String,
    /// A key for nodes that authenticate; this version's nodes take none
    #[arg(long, value_name = "KEY", env = "EVENKEEL_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// The form of the report; json is what `sla verify` reads
    #[arg(long, value_enum, default_value = "text")]
    output: Form,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Compute a report anew from its slices, without a node; exits 3 when they don't give what it says
    Verify {
        /// The report, from `evenkeel sla NAME --output json`
        file: PathBuf,
        /// The form of the report
        #[arg(long, value_enum, default_value = "text")]
        output: Form,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A few lines
    Text,
    /// The report with its slices
    Json,
    /// A page that stands alone
    Html,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    if let Some(What::Verify { file, output }) = args.what {
        return verify(&file, output);
    }
    let plain = if args.output == Form::Json { Output::Json } else { Output::Text };
    let node = Where { node: args.node, api_key: args.api_key, output: plain };
    let Some(name) = args.name else { return list(&node).await };
    let asked = [("month", args.month), ("billed", args.billed)];
    let asked = asked.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(&value?))));
    let query: Vec<String> = asked.collect();
    let answer = node.get(&format!("/v1/slas/{}?{}", escaped(&name), query.join("&"))).await?;
    let document: Document = serde_json::from_value(answer)
        .map_err(|e| Error::new(codes::NODE_ANSWER, format!("the answer is not a report: {e}")))?;
    show(&document, args.output);
    Ok(())
}

async fn list(node: &Where) -> Result<(), Error> {
    const HEAD: [&str; 8] =
        ["AGREEMENT", "CUSTOMER", "SUBSCRIPTION", "MONTH", "AVAILABILITY", "SLICES", "DOWN", "CREDIT"];
    const CELLS: [&str; 8] = [
        "/name",
        "/customer",
        "/subscription",
        "/month",
        "/report/availability",
        "/report/slices",
        "/report/down",
        "/report/credit/share",
    ];
    let answer = node.get("/v1/slas").await?;
    print(node.output, &answer, |a| table(&HEAD, &rows(a, "slas", &CELLS)));
    Ok(())
}

fn verify(file: &Path, output: Form) -> Result<(), Error> {
    let unread = |why: String| Error::new(codes::INPUT, format!("`{}`: {why}", file.display())).exit(2);
    let text = std::fs::read_to_string(file).map_err(|e| unread(e.to_string()))?;
    let document: Document = serde_json::from_str(&text)
        .map_err(|e| unread(e.to_string()).hint("it must be what `evenkeel sla NAME --output json` wrote"))?;
    let found = document.differences().map_err(unread)?;
    if !found.is_empty() {
        return Err(Error::new(
            codes::AUDIT_FAILED,
            format!("the slices don't give this report:\n{}", found.join("\n")),
        )
        .exit(3));
    }
    show(&document, output);
    eprintln!("the slices give exactly this report");
    Ok(())
}

fn show(document: &Document, output: Form) {
    match output {
        Form::Text => line(&words(document)),
        Form::Json => line(&serde_json::to_string_pretty(document).unwrap_or_default()),
        Form::Html => line(&page::sla(document)),
    }
}

/// A report in a few lines.
fn words(document: &Document) -> String {
    let report = &document.report;
    let mut lines = vec![
        format!("{}: {} {}", document.title(), report.availability, if report.is_final { "" } else { "so far" }),
        format!("month     {} to {} ({})", report.from, report.until, document.zone()),
        format!(
            "slices    {} counted, {} down, {} empty, {} excluded, {} to come",
            report.slices, report.down, report.empty, report.excluded, report.to_come
        ),
        format!(
            "events    {} good, {} bad; excluded: {} good, {} bad",
            report.good, report.bad, report.excluded_good, report.excluded_bad
        ),
        format!("credit    {}", document.credit_in_words()),
    ];
    for excluded in &document.exclusions {
        lines.push(format!("excluded  {} to {}: {} ({})", excluded.from, excluded.until, excluded.reason, excluded.by));
    }
    lines.extend(document.doubt().map(|doubt| format!("note      {doubt}")));
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use crate::forms::sla::tests::document;

    #[test]
    fn a_report_is_told_with_what_it_rests_on() {
        let text = super::words(&document());
        assert!(text.starts_with("acme, 2026-10, for ACME: 99.9932792%"), "{text}");
        assert!(text.contains("10% of the bill, since it is below 99.999%: 100.00 USD of 1000.00"), "{text}");
        assert!(text.contains("maintenance (ann)") && !text.contains("so far") && !text.contains("note"), "{text}");
    }
}
