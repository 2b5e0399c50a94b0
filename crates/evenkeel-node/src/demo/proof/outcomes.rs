//! The node's audit adds up, leaves nothing open, and says the same as the producer's book.

use super::Check;
use super::books::{Account, Books};

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let mut checks = vec![Check::new(books.audit.ok, format!("audit: the node {}", says(books)))];
    for expected in books.accounts() {
        let found = books.audit.subscriptions.iter().find(|account| account.name == expected.name);
        checks.push(match found {
            Some(found) => compare(found, &expected),
            None => Check::new(false, format!("outcomes of {}: the audit does not know it", expected.name)),
        });
    }
    checks
}

fn says(books: &Books) -> String {
    let problems: Vec<&str> =
        books.audit.subscriptions.iter().flat_map(|account| &account.problems).map(String::as_str).collect();
    match books.audit.ok {
        true => "finds that its own log adds up".to_owned(),
        false => format!("finds {} problems in its own log: {}", problems.len(), problems.join("; ")),
    }
}

fn compare(found: &Account, expected: &Account) -> Check {
    let open = found.in_flight + found.parked + found.unread;
    let ended = found.ended();
    let same = Account { problems: Vec::new(), ..found.clone() } == *expected;
    let mut sentence = format!(
        "outcomes of {}: {} appended = {} completed + {} filtered + {} dead; {open} in flight, parked or unread",
        found.name, found.appended, found.completed, found.filtered, found.dead
    );
    if !same {
        sentence.push_str(&format!(
            "; by the producer's book {} appended, {} completed, {} filtered, {} dead",
            expected.appended, expected.completed, expected.filtered, expected.dead
        ));
    }
    Check::new(same && open == 0 && ended == found.appended, sentence)
}

impl Account {
    fn ended(&self) -> u64 {
        [
            self.completed,
            self.duplicate,
            self.stale,
            self.filtered,
            self.dead,
            self.dropped,
            self.expired,
            self.not_an_event,
        ]
        .into_iter()
        .sum()
    }
}
