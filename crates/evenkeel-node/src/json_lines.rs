//! JSON lines as they are found, not as they should be.
//!
//! Lines that came out of a data frame (Python's `json.dumps` writes them) hold a bare `NaN` where
//! a value is missing, which is not JSON; it is read as the null that it stands for. Everything
//! else that is not JSON stays an error of whoever parses the line.

use std::borrow::Cow;

/// The line with `null` for each `NaN` outside of a string.
pub(crate) fn nulls_for_nan(line: &str) -> Cow<'_, str> {
    if !line.contains("NaN") {
        return Cow::Borrowed(line);
    }
    let mut repaired = String::with_capacity(line.len() + 16);
    let (mut rest, mut in_string) = (line, false);
    while let Some(at) = rest.find(['"', '\\', 'N']) {
        repaired.push_str(&rest[..at]);
        let (mark, after) = (&rest[at..], &rest[at + 1..]);
        let taken = match mark.as_bytes()[0] {
            b'\\' => 1 + after.chars().next().map_or(0, char::len_utf8),
            b'N' if !in_string && mark.starts_with("NaN") => {
                repaired.push_str("null");
                rest = &mark[3..];
                continue;
            }
            quote_or_n => {
                in_string ^= quote_or_n == b'"';
                1
            }
        };
        repaired.push_str(&mark[..taken]);
        rest = &mark[taken..];
    }
    repaired.push_str(rest);
    Cow::Owned(repaired)
}

#[cfg(test)]
mod tests {
    use super::nulls_for_nan;

    #[test]
    fn a_missing_value_is_null_and_a_name_with_nan_in_it_stays() {
        let line = r#"{"name":NaN,"a":"NaN \"NaN\" \\","b":[NaN,"é\"NaN"]}"#;
        let repaired: serde_json::Value = serde_json::from_str(&nulls_for_nan(line)).unwrap();
        assert_eq!(repaired, serde_json::json!({"name": null, "a": "NaN \"NaN\" \\", "b": [null, "é\"NaN"]}));
    }
}
