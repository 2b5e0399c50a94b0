//! Names are nouns and verbs of the field: no rooms and no types whose names say nothing.

use super::tree::Tree;

const ROOMS: &[&str] = &[
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "manager",
    "service",
    "processor",
    "impl",
    "inner",
    "wrapper",
];
const ENDINGS: &[&str] = &["Impl", "Inner", "Wrapper", "Manager", "Helper", "Helpers", "Util", "Utils", "Processor"];

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for source in &tree.rust {
        for part in source.path.trim_end_matches(".rs").split('/') {
            if ROOMS.contains(&part) {
                found.push(format!("{}: `{part}` says nothing: name what is in it", source.path));
            }
        }
        for (number, line) in source.text.lines().enumerate() {
            if let Some(name) = declared(line)
                && ENDINGS.iter().any(|e| name.len() > e.len() && name.ends_with(e))
            {
                found.push(format!("{}:{}: `{name}` says nothing by its ending", source.path, number + 1));
            }
        }
    }
    found
}

fn declared(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|w| w.starts_with("pub"));
    matches!(words.next()?, "struct" | "enum" | "trait" | "type")
        .then(|| words.next())
        .flatten()
        .map(|name| name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or(name))
}
