//! `cargo xtask generate`: writes anew what is generated from constants of the code.
//!
//! The generator is a test, which only the crate that has the constants can be: told to, it writes before it compares.

use std::path::Path;

use crate::run::cargo;

/// The crates that have them, and the tests that compare; the transports in the order of their rows.
const GENERATORS: [(&str, &str); 6] = [
    ("evenkeel-node", "generated"),
    ("evenkeel-transport", DECLARED),
    ("evenkeel-transport-kafka", DECLARED),
    ("evenkeel-transport-nats", DECLARED),
    ("evenkeel-transport-rabbitmq", DECLARED),
    ("evenkeel-transport-aws", DECLARED),
];
const DECLARED: &str = "what_is_declared_is_what_the_documents_say";

/// Those tests, told to write first.
pub(crate) fn generate(root: &Path) -> Result<(), String> {
    for (package, test) in GENERATORS {
        let words = ["test", "--quiet", "--locked", "--package", package, "--lib", test];
        cargo(root, &words, &[("EVENKEEL_GENERATE", "1")])?;
    }
    Ok(())
}
