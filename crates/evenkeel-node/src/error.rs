//! Errors that a user sees: a code with a page in `docs/errors/`, the fact, and a hint.
//!
//! Does not decide how they are shown: the CLI prints them on stderr, the API makes problem
//! documents of them. Invariant: each code is a constant of [`codes`].

pub mod codes;

/// An error for a user's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// One of [`codes`].
    pub code: &'static str,
    /// The fact and the name.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The exit code of a verb that ends with it: 1 failed, 2 wrong usage, 3 the check said no.
    pub exit: u8,
}

impl Error {
    /// A failure: exit code 1.
    pub fn new(code: &'static str, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), hint: None, exit: 1 }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the exit code.
    #[must_use]
    pub fn exit(mut self, exit: u8) -> Error {
        self.exit = exit;
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
