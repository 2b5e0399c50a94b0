//! What each transport declares, and which promises the suite holds it to, as the rows of docs/semantics.md.
//!
//! Each adapter has a test that compares its rows with the page, and writes them where it is told to
//! (`cargo xtask generate` sets `EVENKEEL_GENERATE`). A block of rows stands between `<!-- generated: NAME -->` and
//! `<!-- end: NAME -->`; a row is known by its first cell.

use std::path::Path;

use super::{CHECKS, Capabilities};

/// What comes of an event that is published again because its answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// It is known, and stored once; with what it is known by, and how long.
    StoredOnce(&'static str),
    /// The broker drops it for a short time, on which no promise rests; with that time.
    MayRepeatLater(&'static str),
    /// It is there again, with the same source and id.
    MayRepeat,
}

/// A transport.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// The first cell of its rows.
    pub name: &'static str,
    /// What it can do as a source; `None`: events only go there.
    pub source: Option<Capabilities>,
    /// What its sink does; `None`: what goes there goes another way.
    pub sink: Option<Repeats>,
}

impl Declared {
    /// Fails unless the page says what is declared; writes it there where that is asked for.
    pub fn hold(&self) {
        let mut rows = Vec::new();
        rows.extend(self.sink.map(|sink| ("bridges", format!("| {} | {} |", self.name, sink.in_words()))));
        if let Some(source) = &self.source {
            rows.push(("transports", source.row(self.name)));
            rows.push(("promises", format!("| {} | {} |", self.name, kept(source))));
        }
        hold(&rows);
    }
}

impl Repeats {
    fn in_words(self) -> String {
        match self {
            Repeats::StoredOnce(by) => format!("**exactly once**: a repeat is known by {by}"),
            Repeats::MayRepeatLater(time) => format!("at least once; the broker drops a repeat within {time}"),
            Repeats::MayRepeat => "at least once; a repeat has the same `source` and `id`".to_owned(),
        }
    }
}

/// Which of the suite's promises are its own.
fn kept(source: &Capabilities) -> String {
    let without: Vec<String> =
        CHECKS.iter().filter(|check| !(check.needs)(source)).map(|check| format!("“{}”", words(check.name))).collect();
    match without.len() {
        0 => format!("all {}", CHECKS.len()),
        n => format!("{} of {}: not asked for is {}", CHECKS.len() - n, CHECKS.len(), without.join(", ")),
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// All promises, a row each.
pub fn promises() -> Vec<(&'static str, String)> {
    CHECKS.iter().map(|check| ("suite", format!("| {} |", words(check.name)))).collect()
}

/// Fails unless these rows stand in their blocks; writes them there where that is asked for.
pub fn hold(rows: &[(&str, String)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/semantics.md");
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let page = rows.iter().fold(there.clone(), |page, (block, row)| with_row(&page, block, row));
    if std::env::var_os("EVENKEEL_GENERATE").is_some() {
        assert!(std::fs::write(&path, &page).is_ok(), "docs/semantics.md cannot be written");
        return;
    }
    assert!(page == there, "docs/semantics.md lacks a row of {rows:#?}\n`cargo xtask generate` writes it");
}

/// The page with this row in that block, in the place of the one with the same first cell, or as the last.
fn with_row(page: &str, block: &str, row: &str) -> String {
    let (begin, end) = (format!("<!-- generated: {block} -->"), format!("<!-- end: {block} -->"));
    let first = |line: &str| line.split(" | ").next().unwrap_or_default().trim_end_matches(" |").to_owned();
    let (mut within, mut written, mut out) = (false, false, Vec::new());
    for line in page.lines() {
        if within && line == end {
            out.extend((!written).then(|| row.to_owned()));
            (within, written) = (false, true);
        }
        match within && first(line) == first(row) {
            true => {
                out.extend((!written).then(|| row.to_owned()));
                written = true;
            }
            false => out.push(line.to_owned()),
        }
        within |= line == begin;
    }
    out.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::{Declared, Repeats, hold, kept, promises, with_row};
    use crate::contract::Capabilities;

    #[test]
    fn what_is_declared_is_what_the_documents_say() {
        let by = "`source` and `id` for 24 h";
        Declared { name: "embedded log", source: Some(crate::EMBEDDED), sink: Some(Repeats::StoredOnce(by)) }.hold();
        hold(&promises());
    }

    #[test]
    fn a_row_takes_the_place_of_its_own_and_touches_no_other() {
        let page = "a\n<!-- generated: t -->\n| x | 1 |\n| y | 2 |\n<!-- end: t -->\n| x | not mine |\n";
        let changed = with_row(page, "t", "| x | 3 |");
        assert_eq!(changed, page.replace("| x | 1 |", "| x | 3 |"));
        let added = with_row(page, "t", "| z | 4 |");
        assert_eq!(added, page.replace("| y | 2 |", "| y | 2 |\n| z | 4 |"));
        assert_eq!(with_row(page, "other", "| x | 5 |"), page, "a block that is not there");
    }

    #[test]
    fn a_promise_that_is_not_asked_for_is_named() {
        let said = kept(&Capabilities::LOG);
        assert!(said.contains("“who lost his right writes no more”") && said.starts_with("24 of 27"), "{said}");
    }
}
