//! From YAML text to a raw form, with errors that name the key by its whole path.
//!
//! Invariant: an unknown key is refused with its path and the nearest right name.

mod mapped;

use serde::de::DeserializeOwned;

use super::nearest::nearest;
use crate::error::{Error, codes};
use mapped::Mapped;

/// Reads one YAML document.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let value: serde_json::Value = serde_saphyr::from_str(text)
        .map_err(|e| Error::new(codes::CONFIG_VALUE, format!("is not YAML: {}", e.without_snippet())).exit(3))?;
    // A file of comments says as much as an empty one.
    from_value("", if value.is_null() { serde_json::Value::Object(serde_json::Map::new()) } else { value })
}

/// Takes a raw form out of a value that was read before; `at` is its path.
pub(super) fn from_value<T: DeserializeOwned>(at: &str, value: serde_json::Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(Mapped(value)).map_err(|e| {
        let path = match (at, e.path().to_string()) {
            (at, path) if path == "." => at.to_owned(),
            ("", path) => path,
            (at, path) => format!("{at}.{path}"),
        };
        explain(&path, &e.inner().to_string())
    })
}

/// Serde says "unknown field `x`, expected one of `a`, `b`": names stand in backquotes.
fn explain(path: &str, message: &str) -> Error {
    if !message.contains("unknown field") {
        let place = if path.is_empty() { String::new() } else { format!("`{path}`: ") };
        return Error::new(codes::CONFIG_VALUE, format!("{place}{message}")).exit(3);
    }
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let wrong = names.first().copied().unwrap_or_default();
    let path = match path {
        "" => wrong.to_owned(),
        p if p == wrong || p.ends_with(&format!(".{wrong}")) => p.to_owned(),
        p => format!("{p}.{wrong}"),
    };
    let known = names.get(1..).unwrap_or_default();
    let error = Error::new(codes::CONFIG_UNKNOWN_KEY, format!("unknown key `{path}`")).exit(3);
    match nearest(wrong, known.iter().copied()) {
        Some(name) => {
            let parent = path.strip_suffix(wrong).unwrap_or_default();
            error.hint(format!("did you mean `{parent}{name}`?"))
        }
        None => error.hint(format!("the keys here are: {}", known.join(", "))),
    }
}
