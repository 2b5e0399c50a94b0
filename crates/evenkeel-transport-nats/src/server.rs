//! Connecting to a NATS server. The client connects again by itself; the first connection must
//! succeed, so that a wrong address or password is told at once.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions};
use evenkeel_transport::{NoConnection, Refusal};

/// A connection that does not stand after this has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A request that has no answer after this has failed.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Where, and as whom.
#[derive(Clone, Debug)]
pub struct Server {
    /// `nats://host:port` or `tls://host:port`; several, behind commas.
    pub url: String,
    /// As whom.
    pub auth: Auth,
    /// Certificates of authorities beyond those that the system trusts, as files in PEM.
    pub roots: Vec<PathBuf>,
}

/// As whom. What is secret does not show.
#[derive(Clone, Default)]
pub enum Auth {
    /// Nobody in particular.
    #[default]
    None,
    /// A token.
    Token(String),
    /// A user and a password.
    User {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
    /// The contents of a credentials file: a JWT and the seed of its key.
    Credentials(String),
    /// The seed of an nkey.
    Nkey(String),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Auth::None => f.write_str("None"),
            Auth::Token(_) => f.write_str("Token(…)"),
            Auth::User { name, .. } => write!(f, "User({name}, …)"),
            Auth::Credentials(_) => f.write_str("Credentials(…)"),
            Auth::Nkey(_) => f.write_str("Nkey(…)"),
        }
    }
}

/// Connects. The message of an error names the server and never a secret.
pub async fn connect(server: &Server) -> Result<Client, NoConnection> {
    // Where several are built in, TLS must be told which cryptography it uses.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let place = format!("NATS {}", bare(&server.url));
    let options = ConnectOptions::new()
        .name("evenkeel")
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT));
    let options = match &server.auth {
        Auth::None => options,
        Auth::Token(token) => options.token(token.clone()),
        Auth::User { name, password } => options.user_and_password(name.clone(), password.clone()),
        Auth::Nkey(seed) if is_seed(seed.trim()) => options.nkey(seed.trim().to_owned()),
        Auth::Nkey(_) => {
            return Err(NoConnection::failed(&place, "what stands there is not the seed of a user's nkey (`SU…`)"));
        }
        Auth::Credentials(text) => options.credentials(text).map_err(|_| {
            NoConnection::failed(&place, "the credentials are not those of a `.creds` file (a JWT and a seed)")
        })?,
    };
    let options = server.roots.iter().fold(options, |options, file| options.add_root_certificates(file.clone()));
    options.connect(&server.url).await.map_err(|e| match e.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            NoConnection::refused(&place, Refusal::of_login(!matches!(server.auth, Auth::None)))
        }
        _ => match Refusal::of_tls(&e) {
            Some(refusal) => NoConnection::refused(&place, refusal),
            None => NoConnection::failed(&place, e),
        },
    })
}

/// Whether it looks like the seed of a user: 58 letters and digits of base32, the first two `SU`.
fn is_seed(text: &str) -> bool {
    text.len() == 58 && text.starts_with("SU") && text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'))
}

/// A URL without what is between its scheme and an `@`.
fn bare(url: &str) -> String {
    let one = |url: &str| match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host)),
        None => url.rsplit_once('@').map_or(url, |(_, host)| host).to_owned(),
    };
    url.split(',').map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::{Auth, Server, bare};

    #[test]
    fn no_secret_shows() {
        assert_eq!(bare("nats://me:secret@a:4222,b:4222"), "nats://a:4222,b:4222");
        for auth in [
            Auth::Token("secret".into()),
            Auth::User { name: "me".into(), password: "secret".into() },
            Auth::Credentials("secret".into()),
            Auth::Nkey("secret".into()),
        ] {
            let server = Server { url: "nats://a".into(), auth, roots: Vec::new() };
            assert!(!format!("{server:?}").contains("secret"));
        }
    }
}
