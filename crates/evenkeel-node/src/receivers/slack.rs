//! An incoming webhook of Slack: text for notifications, blocks for the channel.

use serde_json::{Value, json};

use crate::forms::alert::AlertForm;
use crate::forms::notice::NoticeForm;

/// Alerts of one message; the rest are counted.
const SHOWN_MAX: usize = 10;
/// Characters that a text of a block holds.
const TEXT_MAX: usize = 3000;

/// The message.
pub(super) fn body(form: &NoticeForm, link: &str) -> Value {
    let head = head(form);
    let mut blocks = vec![section(&format!("*{}*", escaped(&head)))];
    let firing = form.firing.iter().map(|alert| line(":red_circle:", alert));
    let over = form.resolved.iter().map(|alert| line(":large_green_circle:", alert));
    let lines: Vec<String> = firing.chain(over).collect();
    blocks.extend(lines.iter().take(SHOWN_MAX).map(|line| section(line)));
    if let Some(more) = lines.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        blocks.push(section(&format!("and {more} more")));
    }
    blocks.push(json!({ "type": "context", "elements": [mrkdwn(&format!("<{link}|Evenkeel>"))] }));
    json!({ "text": escaped(&head), "blocks": blocks })
}

fn head(form: &NoticeForm) -> String {
    let group = if form.group.is_empty() { "alerts".to_owned() } else { form.group_name() };
    match (form.firing.len(), form.again) {
        (0, _) => format!("Resolved: {group}"),
        (1, true) => format!("Still firing: {group}"),
        (1, false) => format!("Firing: {group}"),
        (n, true) => format!("Still firing ({n}): {group}"),
        (n, false) => format!("Firing ({n}): {group}"),
    }
}

fn line(mark: &str, alert: &AlertForm) -> String {
    let since = match &alert.resolved_at {
        Some(ended) => format!("from {} to {ended}", alert.started_at),
        None => format!("since {}", alert.started_at),
    };
    let (name, severity, summary) = (escaped(&alert.name), &alert.severity, escaped(&alert.summary));
    format!("{mark} *{name}* ({severity}) {since}\n{summary}")
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

fn mrkdwn(text: &str) -> Value {
    let mut cut: String = text.chars().take(TEXT_MAX).collect();
    // An escaped character that was cut in two would be shown as it is written.
    if let Some(amp) = cut.rfind('&').filter(|amp| cut.len() < text.len() && !cut[*amp..].contains(';')) {
        cut.truncate(amp);
    }
    json!({ "type": "mrkdwn", "text": cut })
}

/// The three characters that mean something.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
