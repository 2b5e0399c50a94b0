//! The audit as a table, one line for each subscription.

use super::books::{Account, Audit};

type Column = (&'static str, fn(&Account) -> u64);

const COLUMNS: [Column; 12] = [
    ("appended", |a| a.appended),
    ("completed", |a| a.completed),
    ("duplicate", |a| a.duplicate),
    ("stale", |a| a.stale),
    ("filtered", |a| a.filtered),
    ("dead", |a| a.dead),
    ("dropped", |a| a.dropped),
    ("expired", |a| a.expired),
    ("in flight", |a| a.in_flight),
    ("parked", |a| a.parked),
    ("unread", |a| a.unread),
    ("no event", |a| a.not_an_event),
];

pub(super) fn render(audit: &Audit) -> String {
    let width = audit.subscriptions.iter().map(|a| a.name.len()).max().unwrap_or(0).max(12);
    let mut text = format!("  {:width$}", "subscription");
    for (name, _) in COLUMNS {
        text.push_str(&format!("  {name:>9}"));
    }
    text.push('\n');
    for account in &audit.subscriptions {
        text.push_str(&format!("  {:width$}", account.name));
        for (_, value) in COLUMNS {
            text.push_str(&format!("  {:>9}", value(account)));
        }
        text.push('\n');
    }
    text
}
