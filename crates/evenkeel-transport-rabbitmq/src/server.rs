//! Connecting to a RabbitMQ server. Nothing here connects again: who lost its connection makes
//! another one, with channel, prefetch and consumer.

use std::fmt;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_transport::{NoConnection, Refusal};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::runtime::default_runtime;
use lapin::tcp::OwnedTLSConfig;
use lapin::{Connection, ConnectionProperties, ErrorKind};

/// A connection that does not stand after this has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What is told of a connection in the clear that ended at once.
const HINT_TLS: &str = "; where only TLS is spoken, write `tls: {}`";

/// Where, and as whom.
#[derive(Clone)]
pub struct Server {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`; several hosts stand behind commas, and the
    /// first that answers is it.
    pub url: String,
    /// Certificates of authorities beyond those that the system trusts, in PEM.
    pub roots: Option<String>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.bare())
    }
}

impl Server {
    /// At `url`, which names nobody, as the user and with the password of `login`.
    pub fn new(url: &str, login: Option<(&str, &str)>, roots: Option<String>) -> Server {
        let url = match (login, url.split_once("://")) {
            (Some((user, password)), Some((scheme, rest))) => {
                format!("{scheme}://{}:{}@{rest}", encoded(user), encoded(password))
            }
            _ => url.to_owned(),
        };
        Server { url, roots }
    }

    /// In that virtual host, where the URL names none.
    pub fn with_vhost(self, vhost: &str) -> Server {
        let path = if vhost == "/" { "%2f".to_owned() } else { encoded(vhost) };
        Server { url: format!("{}/{path}", self.url), ..self }
    }

    /// Its address without user and password.
    pub fn bare(&self) -> String {
        match self.url.split_once("://") {
            Some((scheme, rest)) => {
                let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                format!("{scheme}://{host}")
            }
            None => self.url.rsplit_once('@').map_or(self.url.as_str(), |(_, host)| host).to_owned(),
        }
    }

    pub(crate) fn failed(&self, why: &dyn fmt::Display) -> PortError {
        PortError(format!("RabbitMQ {}: {why}", self.bare()))
    }

    /// To the first host that answers, whatever it answers.
    pub(crate) async fn connect(&self) -> Result<Connection, NoConnection> {
        let mut outcome = Err(NoConnection::failed(&format!("RabbitMQ {}", self.bare()), "the URL names no host"));
        for one in self.each_host() {
            outcome = one.connect_one().await;
            if outcome.as_ref().err().is_none_or(|none| none.refusal.is_some()) {
                break;
            }
        }
        outcome
    }

    fn each_host(&self) -> Vec<Server> {
        let Some((scheme, rest)) = self.url.split_once("://") else { return vec![self.clone()] };
        let (login, rest) = rest.rsplit_once('@').map_or((String::new(), rest), |(l, r)| (format!("{l}@"), r));
        let (hosts, path) = rest.split_once('/').map_or((rest, String::new()), |(h, p)| (h, format!("/{p}")));
        let one = |host: &str| Server { url: format!("{scheme}://{login}{host}{path}"), roots: self.roots.clone() };
        hosts.split(',').map(one).collect()
    }

    async fn connect_one(&self) -> Result<Connection, NoConnection> {
        // Where several are built in, TLS must be told which cryptography it uses.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let properties = ConnectionProperties::default().with_connection_name("evenkeel".into());
        let tls = OwnedTLSConfig { cert_chain: self.roots.clone(), ..OwnedTLSConfig::default() };
        let place = format!("RabbitMQ {}", self.bare());
        let runtime = default_runtime().map_err(|e| NoConnection::failed(&place, e))?;
        let connecting = Connection::connect_with_config(&self.url, properties, tls, runtime);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let late = |_| NoConnection::failed(&place, format!("no connection within {CONNECT_TIMEOUT:?}"));
        connected.map_err(late)?.map_err(|e| match self.refusal(&e) {
            Some(refusal) => NoConnection::refused(&place, refusal),
            None => NoConnection::failed(&place, format!("{e}{}", self.hint(&e))),
        })
    }

    /// A port for TLS ends a connection that begins in the clear, without a word.
    fn hint(&self, error: &lapin::Error) -> String {
        use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
        let ended = |kind| matches!(kind, ConnectionAborted | ConnectionReset | UnexpectedEof);
        match error.kind() {
            ErrorKind::IOError(e) if ended(e.kind()) && !self.url.starts_with("amqps:") => HINT_TLS.to_owned(),
            // Its alert is no AMQP.
            ErrorKind::ParsingError(_) if !self.url.starts_with("amqps:") => HINT_TLS.to_owned(),
            ErrorKind::ProtocolError(said) if *said.kind() == AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                let vhost = self.url.rsplit('/').next().unwrap_or_default();
                let vhost = if vhost.eq_ignore_ascii_case("%2f") { "/" } else { vhost };
                format!("; there is no virtual host `{vhost}`, or this user may not enter it")
            }
            _ => String::new(),
        }
    }

    /// What a broker refused that ended a connection before it stood.
    fn refusal(&self, error: &lapin::Error) -> Option<Refusal> {
        match error.kind() {
            ErrorKind::ProtocolError(said) if *said.kind() == AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
                Some(Refusal::of_login(self.url.contains('@')))
            }
            ErrorKind::IOError(e) => Refusal::of_tls(&**e),
            _ => None,
        }
    }
}

/// All but letters and digits, percent-encoded.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Whether it can be reached, and takes these credentials.
pub async fn check(server: &Server) -> Result<(), NoConnection> {
    let connection = server.connect().await?;
    let _ = connection.close(200, "checked".into()).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Server;

    #[test]
    fn no_secret_shows() {
        for (url, bare) in [
            ("amqp://me:secret@rabbit:5672/%2f", "amqp://rabbit:5672/%2f"),
            ("me:secret@rabbit", "rabbit"),
            ("amqps://rabbit/orders", "amqps://rabbit/orders"),
        ] {
            let server = Server { url: url.to_owned(), roots: None };
            assert_eq!(server.bare(), bare);
            assert!(!format!("{server:?}").contains("secret"));
        }
        let login = Server::new("amqp://rabbit:5672/%2f", Some(("me", "p@ss/1")), None);
        assert_eq!(login.url, "amqp://me:p%40ss%2F1@rabbit:5672/%2f");
        let two = Server::new("amqp://a:5672,b:5672", Some(("me", "pw")), None).with_vhost("/");
        let urls: Vec<String> = two.each_host().into_iter().map(|one| one.url).collect();
        assert_eq!(urls, ["amqp://me:pw@a:5672/%2f", "amqp://me:pw@b:5672/%2f"]);
    }
}
