//! What a call that failed means. The SDK tells by types and codes; what matters here is whether it
//! may be asked again, and whether it may have been done.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use evenkeel_delivery::ports::Unsent;

/// A failed call.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) unsent: Unsent,
    /// AWS's name for it, without what stands before a `#` or the last `.`.
    code: Option<String>,
    message: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{}: {}", code, self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl Trouble {
    pub(crate) fn of<E, R>(error: &SdkError<E, R>) -> Trouble
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: fmt::Debug + 'static,
    {
        let unsent = match error {
            SdkError::ConstructionFailure(_) => Unsent::Denied,
            SdkError::DispatchFailure(_) if never_left(error) => Unsent::Unreachable,
            SdkError::DispatchFailure(failed) if failed.is_io() || failed.is_timeout() => Unsent::Unknown,
            // Credentials that can't be had.
            SdkError::DispatchFailure(_) => Unsent::Denied,
            SdkError::ServiceError(said) => {
                return Trouble::said(said.err().code().unwrap_or_default(), said.err().message().unwrap_or_default());
            }
            _ => Unsent::Unknown,
        };
        Trouble { unsent, code: None, message: chain(error) }
    }

    /// An answer of the service, of a call or of one entry of a batch.
    pub(crate) fn said(code: &str, message: &str) -> Trouble {
        let code = code.rsplit(['#', '.']).next().unwrap_or_default();
        Trouble { unsent: meaning(code), code: Some(code.to_owned()), message: message.to_owned() }
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(
            self.code.as_deref(),
            Some("QueueDoesNotExist" | "NonExistentQueue" | "NotFound" | "NotFoundException")
        )
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self.code.as_deref(), Some("AccessDenied" | "AccessDeniedException" | "AuthorizationError"))
    }
}

/// The code says it; what is not known may have been done.
fn meaning(code: &str) -> Unsent {
    match code {
        "InvalidMessageContents"
        | "InvalidParameterValue"
        | "InvalidParameter"
        | "InvalidParameterException"
        | "MessageTooLong"
        | "BatchRequestTooLong"
        | "UnsupportedOperation" => Unsent::Never,
        "OverLimit" | "RequestThrottled" => Unsent::Overload,
        _ if code.contains("Throttl") || code == "TooManyRequestsException" => Unsent::Overload,
        "QueueDoesNotExist" | "NonExistentQueue" | "NotFound" | "NotFoundException" => Unsent::Denied,
        "UnrecognizedClientException" | "InvalidClientTokenId" | "SignatureDoesNotMatch" | "ExpiredToken" => {
            Unsent::Denied
        }
        "AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "ExpiredTokenException" => Unsent::Denied,
        "InvalidSecurity" | "IncompleteSignature" | "MissingAuthenticationToken" | "OptInRequired" => Unsent::Denied,
        _ if code.starts_with("Kms") || code.starts_with("KMS") => Unsent::Denied,
        _ => Unsent::Unknown,
    }
}

/// True when no connection stood, so that nothing was asked.
fn never_left(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(one) = next {
        if let Some(client) = one.downcast_ref::<hyper_util::client::legacy::Error>() {
            return client.is_connect();
        }
        next = one.source();
    }
    false
}

/// What each cause says, once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(one) = next {
        let said = one.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = one.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use evenkeel_delivery::ports::Unsent;

    use super::Trouble;

    #[test]
    fn a_code_says_what_a_failure_means() {
        for (code, unsent) in [
            ("AWS.SimpleQueueService.NonExistentQueue", Unsent::Denied),
            ("com.amazonaws.sqs#QueueDoesNotExist", Unsent::Denied),
            ("AccessDenied", Unsent::Denied),
            ("ThrottlingException", Unsent::Overload),
            ("RequestThrottled", Unsent::Overload),
            ("InvalidMessageContents", Unsent::Never),
            ("KmsDisabled", Unsent::Denied),
            ("KmsThrottled", Unsent::Overload),
            ("InternalError", Unsent::Unknown),
            ("", Unsent::Unknown),
        ] {
            assert_eq!(Trouble::said(code, "why").unsent, unsent, "{code}");
        }
    }
}
