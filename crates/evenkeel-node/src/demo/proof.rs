//! The proof: three books that share no code, compared.
//!
//! The producer's acknowledgments, the services' effects, and the node's audit of its log are
//! read from where each wrote them ([`books`]); every check is a pure function of them and says
//! one sentence with its numbers. Nothing here asks the node whether it did well; what the node
//! says is one of the things that are compared. Invariant: a book that is missing or unreadable
//! is an error, never an empty book.

mod books;
mod expected;
mod acknowledged;
mod outcomes;
mod effects;
mod order_kept;
mod dead_letters;
mod compensated;
mod duplicates;
mod consistent;
mod mishaps;
mod responded;
mod budget;
mod table;

pub(crate) use books::{Account, Audit, Books, Budget, Dead, Incident, Mishap, read_acks, read_alerts, read_effects};

/// One thing that must hold, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) holds: bool,
    pub(crate) sentence: String,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) table: String,
    pub(crate) checks: Vec<Check>,
}

/// Compares the books.
pub(crate) fn prove(books: &Books) -> Proof {
    let checks = [
        acknowledged::checks(books),
        outcomes::checks(books),
        effects::checks(books),
        order_kept::checks(books),
        dead_letters::checks(books),
        compensated::checks(books),
        duplicates::checks(books),
        consistent::checks(books),
        mishaps::checks(books),
        responded::checks(books),
        budget::checks(books),
    ];
    Proof { table: table::render(&books.audit), checks: checks.into_iter().flatten().collect() }
}

impl Proof {
    pub(crate) fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.table)?;
        for check in &self.checks {
            writeln!(f, "  {}  {}", if check.holds { "ok" } else { "NO" }, check.sentence)?;
        }
        let wrong = self.checks.iter().filter(|check| !check.holds).count();
        match wrong {
            0 => write!(f, "\nproved: all {} checks hold; the three books agree.", self.checks.len()),
            _ => write!(f, "\nNOT proved: {wrong} of {} checks do not hold.", self.checks.len()),
        }
    }
}

impl Check {
    fn new(holds: bool, sentence: impl Into<String>) -> Check {
        Check { holds, sentence: sentence.into() }
    }
}

/// A few of what was found, for a sentence: ` (such as 700001, 700002)`, or nothing.
fn such_as<T: std::fmt::Display>(found: impl IntoIterator<Item = T>) -> String {
    let some: Vec<String> = found.into_iter().take(3).map(|one| one.to_string()).collect();
    if some.is_empty() { String::new() } else { format!(" (such as {})", some.join(", ")) }
}

#[cfg(test)]
mod tests;
