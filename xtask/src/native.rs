//! Crates that want more of the machine than Rust, build-essential and cmake: left out where that is missing, and told.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::skipped;

/// A crate, its word in `EVENKEEL_REQUIRE`, the C headers that it is built with, and where Debian has them.
const NATIVE: [(&str, &str, &[&str], &str); 1] =
    [("evenkeel-transport-kafka", "kafka", &["openssl/ssl.h", "zlib.h"], "libssl-dev zlib1g-dev")];

/// The arguments that leave out what can't be built here.
pub(crate) fn left_out(root: &Path) -> Result<Vec<&'static str>, String> {
    let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
    let mut left_out = Vec::new();
    for (name, word, headers, packages) in NATIVE {
        if has(headers) {
            continue;
        }
        if required.split(',').any(|required| required == word) {
            return Err(format!("{name} is required, and can't be built: Debian has what it needs in {packages}"));
        }
        skipped::say(root, &format!("{name}, the whole crate: it is built with {packages}"));
        left_out.extend(["--exclude", name]);
    }
    Ok(left_out)
}

/// True when the C compiler finds them.
fn has(headers: &[&str]) -> bool {
    let mut cc = Command::new("cc");
    for header in headers {
        cc.args(["-include", header]);
    }
    cc.args(["-E", "-x", "c", "/dev/null"]).stdout(Stdio::null()).stderr(Stdio::null());
    cc.status().is_ok_and(|status| status.success())
}
