//! Why a broker does not let us in, and what to do about it, in the same words for every adapter.
//!
//! It reads what the TLS library says; it connects to nobody, and holds no secret.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use evenkeel_delivery::ports::{PortError, Unsent};
use rustls::CertificateError;

/// A connection that did not come to be.
#[derive(Clone, Debug)]
pub struct NoConnection {
    /// That the broker refused it, and why; `None`: it did not get so far.
    pub refusal: Option<Refusal>,
    /// What is said of it, with the broker's address.
    pub error: PortError,
}

impl NoConnection {
    /// Refused by the broker at `place`.
    pub fn refused(place: &str, refusal: Refusal) -> NoConnection {
        NoConnection { error: PortError(format!("{place}: {refusal}")), refusal: Some(refusal) }
    }

    /// Failed on the way to the broker at `place`.
    pub fn failed(place: &str, why: impl fmt::Display) -> NoConnection {
        NoConnection { error: PortError(format!("{place}: {why}")), refusal: None }
    }

    /// What that means for an event that was to go out.
    pub fn unsent(&self) -> Unsent {
        if self.refusal.is_some() { Unsent::Denied } else { Unsent::Unreachable }
    }
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for NoConnection {}

impl From<NoConnection> for PortError {
    fn from(none: NoConnection) -> PortError {
        none.error
    }
}

/// Why a broker does not let us in. Shown, it is the fact and its fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It asks who we are, and nobody told it.
    Anonymous,
    /// It refuses who we say we are.
    Credentials,
    /// Its certificate is of an authority that is not trusted here.
    Authority,
    /// Its certificate is for these names, and for no other.
    Name(Vec<String>),
    /// Its certificate is over, or not yet valid.
    Date,
    /// TLS was begun, and it speaks none.
    SpeaksNoTls,
    /// TLS failed for another reason.
    Tls(String),
}

impl Refusal {
    /// What the TLS library refused, if an error comes from there.
    pub fn of_tls(error: &(dyn Error + 'static)) -> Option<Refusal> {
        let refused = match tls_error(error)? {
            rustls::Error::InvalidCertificate(why) => of_certificate(why),
            rustls::Error::InvalidMessage(_) => Refusal::SpeaksNoTls,
            other => Refusal::Tls(other.to_string()),
        };
        Some(refused)
    }

    /// Credentials that were refused, or none where some are asked for.
    pub fn of_login(said_who: bool) -> Refusal {
        if said_who { Refusal::Credentials } else { Refusal::Anonymous }
    }
}

fn of_certificate(why: &CertificateError) -> Refusal {
    match why {
        CertificateError::UnknownIssuer => Refusal::Authority,
        CertificateError::NotValidForName => Refusal::Name(Vec::new()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            Refusal::Name(presented.iter().map(|name| bare(name).to_owned()).collect())
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Refusal::Date,
        other => Refusal::Tls(format!("the certificate is not accepted: {other}")),
    }
}

/// What stands in `DnsName("…")`.
fn bare(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

/// The error of the TLS library in a chain of errors, through those that hold another one inside.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    let held = error.downcast_ref::<io::Error>().or_else(|| error.downcast_ref::<Arc<io::Error>>().map(|e| &**e));
    match held.and_then(io::Error::get_ref) {
        Some(within) => tls_error(within),
        None => error.source().and_then(tls_error),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Anonymous => f.write_str(
                "authentication failed: it asks who we are, and was told nothing; write `user` and `password: { env: … }` \
                 of somebody whom it knows",
            ),
            Refusal::Credentials => f.write_str(
                "authentication failed: it refuses these credentials; correct them, or have them admitted there",
            ),
            Refusal::Authority => f.write_str(
                "the certificate that it shows is of an authority that is not trusted here; name that authority's \
                 certificate: `tls: { roots: ./ca.pem }`",
            ),
            Refusal::Name(names) if names.is_empty() => {
                f.write_str("the certificate that it shows is for another host name; write in `url` the name that is in it")
            }
            Refusal::Name(names) => write!(
                f,
                "the certificate that it shows is for the host name {} and no other; write that name in `url`",
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ),
            Refusal::Date => f.write_str(
                "the certificate that it shows is not valid today; renew it there, or set this machine's clock",
            ),
            Refusal::SpeaksNoTls => {
                f.write_str("no TLS is spoken there; name its port for TLS in `url`, or leave `tls` out")
            }
            Refusal::Tls(why) => write!(f, "TLS failed: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use rustls::CertificateError;

    use super::Refusal;

    #[test]
    fn the_reason_is_found_however_deep_it_lies() {
        let reason = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let once = io::Error::new(io::ErrorKind::InvalidData, reason());
        assert_eq!(Refusal::of_tls(&once), Some(Refusal::Authority));
        let shared = Arc::new(io::Error::other(io::Error::other(reason())));
        assert_eq!(Refusal::of_tls(&shared), Some(Refusal::Authority));
        assert_eq!(Refusal::of_tls(&io::Error::other("the line is cut")), None);
    }
}
