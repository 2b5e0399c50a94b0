//! Files of about 150 lines, 400 if they must, 600 never; functions of 70 lines at the very most.
//! Tests are not counted. The exceptions may only shrink: one that is no longer needed, or is
//! larger than it has to be, is itself a finding.

use super::tree::{Source, Tree};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Files that are longer than they should be, with how long they may be at most (never over 600).
const LONG_FILES: &[(&str, usize)] = &[];

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    let production = tree.rust.iter().filter(|s| !s.is_test());
    let mut found: Vec<String> = production.flat_map(|s| file(s).into_iter().chain(functions(s))).collect();
    for (path, _) in LONG_FILES {
        if !tree.rust.iter().any(|s| s.path == *path) {
            found.push(format!("xtask/src/tidy/lengths.rs: the exception for `{path}` names no file: take it out"));
        }
    }
    found
}

fn file(source: &Source) -> Option<String> {
    let lines = source.production_lines().len();
    let excepted = LONG_FILES.iter().find(|(path, _)| *path == source.path).map(|(_, max)| *max);
    match excepted {
        None if lines > FILE_LINES_MAX => {
            Some(format!("{}: {lines} lines; split it (at most {FILE_LINES_MAX})", source.path))
        }
        Some(max) if lines > max => Some(format!("{}: {lines} lines; its exception allows {max}", source.path)),
        Some(max) if lines <= FILE_LINES_MAX || lines + 20 < max => {
            Some(format!("{}: {lines} lines now: lower or drop its exception of {max}", source.path))
        }
        _ => None,
    }
}

fn functions(source: &Source) -> Vec<String> {
    let lines = source.production_lines();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let Some(length) = lines[start..].iter().position(|l| *l == closing) else { continue };
        if length + 1 > FUNCTION_LINES_MAX {
            found.push(format!(
                "{}:{}: `{name}` has {} lines (at most {FUNCTION_LINES_MAX})",
                source.path,
                start + 1,
                length + 1
            ));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let words = line.trim_start();
    let at = if words.starts_with("fn ") { 0 } else { words.find(" fn ")? + 1 };
    let before = &words[..at];
    let modifiers = before.split_whitespace().all(|w| {
        w.starts_with("pub") || matches!(w, "async" | "const" | "unsafe" | "extern" | "in" | "super)" | "crate)")
    });
    let name = words[at + 3..].split(['(', '<']).next()?;
    (modifiers && line.trim_end().ends_with(['{', '(', ',', '>'])).then_some(name)
}
