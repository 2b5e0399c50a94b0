//! A happening is one struct, from which its log line, its count and its line in the reference derive: what an operator
//! is told of is declared in a `happenings.rs`, and no line of these levels is written past it. `debug` and `trace`
//! are for who looks into the code, and are free.

use super::tree::Tree;

/// Where the lines are written, of what the declarations say.
const TELLER: &str = "crates/evenkeel-transport/src/happening.rs";

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for source in tree.rust.iter().filter(|s| !s.is_test() && s.path.starts_with("crates/") && s.path != TELLER) {
        for (number, line) in source.production_lines().iter().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            if writes_a_line(code) {
                found.push(format!(
                    "{}:{}: a line of the log that no happening tells: declare it in the crate's happenings.rs, and `tell` it",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    found
}

/// By a macro of `tracing` itself, or by one that was brought into scope from there.
fn writes_a_line(code: &str) -> bool {
    let by_name = ["error", "warn", "info", "event"].iter().any(|name| code.contains(&format!("tracing::{name}!")));
    let imported = code.trim_start().strip_prefix("use tracing::").is_some_and(|names| {
        names.split(|c: char| !c.is_alphanumeric() && c != '_').any(|n| ["error", "warn", "info", "event"].contains(&n))
    });
    by_name || imported
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::tidy::tree::Source;

    fn found(path: &str, text: &str) -> usize {
        let rust = vec![Source { path: path.to_owned(), text: text.to_owned() }];
        rule(&Tree { root: PathBuf::new(), rust }).len()
    }

    #[test]
    fn a_line_that_no_happening_tells_is_found_however_the_macro_is_named() {
        let here = "crates/evenkeel/src/runtime.rs";
        assert_eq!(found(here, "    tracing::warn!(topic, \"it is full\");"), 1);
        assert_eq!(found(here, "    ::tracing::event!(Level::INFO, \"it is full\");"), 1);
        assert_eq!(found(here, "use tracing::{Level, error};"), 1);
        assert_eq!(found(here, "use tracing::info;"), 1);
    }

    #[test]
    fn what_only_developers_read_tests_and_the_teller_itself_are_free() {
        let here = "crates/evenkeel/src/runtime.rs";
        assert_eq!(found(here, "    tracing::debug!(\"told\"); // not tracing::warn!"), 0);
        assert_eq!(found(here, "use tracing::{Event, Level, Subscriber};\nuse tracing::field::Field;"), 0);
        assert_eq!(found("crates/evenkeel/src/runtime/tests.rs", "    tracing::warn!(\"it is full\");"), 0);
        assert_eq!(found(here, "#[cfg(test)]\nmod tests {\n    tracing::warn!(\"it is full\");\n}"), 0);
        assert_eq!(found(TELLER, "    ::tracing::event!(Level::INFO, \"it is full\");"), 0);
        assert_eq!(found("bench/src/main.rs", "    tracing::info!(\"a bench\");"), 0);
    }
}
