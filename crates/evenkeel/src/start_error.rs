//! Why nothing was started.

use evenkeel_delivery::ports::PortError;
use evenkeel_log::{OpenError, TopicError};

/// Evenkeel did not start, and nothing of it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The log could not be opened; [`OpenError::Locked`] names who has the folder.
    Log(OpenError),
    /// A topic could not be made.
    Topic(TopicError),
    /// What was declared does not fit together, or a subscription's state could not be read.
    Refused(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Log(error) => error.fmt(f),
            StartError::Topic(error) => error.fmt(f),
            StartError::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StartError {}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> StartError {
        StartError::Log(error)
    }
}

impl From<TopicError> for StartError {
    fn from(error: TopicError) -> StartError {
        StartError::Topic(error)
    }
}

impl From<PortError> for StartError {
    fn from(error: PortError) -> StartError {
        StartError::Refused(error.0)
    }
}
