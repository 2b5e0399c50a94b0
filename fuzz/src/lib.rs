//! What the targets share: the count of accepted inputs, and seeds.
//!
//! It does no fuzzing of its own. Seeds are written by the code under test itself, so that they
//! are never of an old format.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many inputs there were, and how many of them were accepted.
pub struct Tally {
    inputs: AtomicU64,
    accepted: AtomicU64,
}

impl Tally {
    /// None so far.
    pub const fn new() -> Tally {
        Tally { inputs: AtomicU64::new(0), accepted: AtomicU64::new(0) }
    }

    /// Counts one more, and says so at powers of two and at every 100,000.
    pub fn count(&self, is_accepted: bool) {
        let accepted = self.accepted.fetch_add(u64::from(is_accepted), Ordering::Relaxed) + u64::from(is_accepted);
        let inputs = self.inputs.fetch_add(1, Ordering::Relaxed) + 1;
        if inputs.is_power_of_two() || inputs % 100_000 == 0 {
            eprintln!("accepted {accepted} of {inputs} inputs");
        }
    }
}

impl Default for Tally {
    fn default() -> Tally {
        Tally::new()
    }
}

/// Puts seeds into the corpus that `fuzz/run` names.
pub fn seed(seeds: &[Vec<u8>]) {
    let Ok(folder) = std::env::var("EVENKEEL_FUZZ_SEEDS") else { return };
    for (number, bytes) in seeds.iter().enumerate() {
        if let Err(error) = std::fs::write(format!("{folder}/seed-{number}"), bytes) {
            eprintln!("no seed {number}: {error}");
        }
    }
}

/// `name: value` lines, then an empty line, then a body: how the header targets read their bytes.
pub fn headers_and_body(input: &[u8]) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    let mut headers = Vec::new();
    let mut rest = input;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        headers.push((String::from_utf8_lossy(&line[..colon]).into_owned(), value.to_vec()));
    }
    (headers, rest.to_vec())
}

/// One event in JSON that uses every kind of attribute.
pub const FULL_JSON: &str = concat!(
    r#"{"specversion":"1.0","id":"1","source":"urn:shop:eu","type":"OrderCreated","subject":"customer-4","#,
    r#""time":"2026-01-31T09:30:00.25+01:00","datacontenttype":"application/json","#,
    r#""dataschema":"https://example.com/s.json","n":-5,"yes":true,"note":"\u00fc \"x\"","gone":null,"#,
    r#""data":{"order":{"id":17,"lines":[1.50,null,"a"]}}}"#
);
