//! Data on stdout: JSON as the node said it, or tables.

use std::io::Write as _;

use serde_json::Value;

use super::asking::Output;

/// Prints the node's answer, or what `text` makes of it.
pub(super) fn print(output: Output, answer: &Value, text: impl FnOnce(&Value) -> String) {
    let said = match output {
        Output::Json => format!("{}\n", serde_json::to_string_pretty(answer).unwrap_or_default()),
        Output::Text => text(answer),
    };
    line(said.trim_end_matches('\n'));
}

/// Prints one line. A reader that went away (`| head`) ends the verb in silence.
pub(super) fn line(text: &str) {
    if writeln!(std::io::stdout().lock(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// A table: columns as wide as their widest cell.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|h| h.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let format = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![format(&mut head.iter().copied())];
    lines.extend(rows.iter().map(|row| format(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// The rows of an answer's list, each cell a member by its JSON pointer.
pub(super) fn rows(answer: &Value, list: &str, cells: &[&str]) -> Vec<Vec<String>> {
    let items = answer.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| cells.iter().map(|pointer| cell(item.pointer(pointer))).collect()).collect()
}

/// A member as a cell: text without quotes, nothing as a dash.
pub(super) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(float) if !number.is_u64() && !number.is_i64() => trimmed(float),
            _ => number.to_string(),
        },
        Some(other) => other.to_string(),
    }
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_table_lines_up_and_shows_nothing_as_a_dash() {
        let answer = json!({ "topics": [{ "name": "orders", "n": 12 }, { "name": "p", "n": null }] });
        let rows = super::rows(&answer, "topics", &["/name", "/n"]);
        assert_eq!(super::table(&["TOPIC", "N"], &rows), "TOPIC   N\norders  12\np       -");
    }
}
