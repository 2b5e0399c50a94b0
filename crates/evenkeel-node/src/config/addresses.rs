//! Addresses: what may be listened on, and what may be called.
//!
//! Nothing is resolved here: a handler may come up after the node.

use std::net::SocketAddr;

use evenkeel_transport::Reach;
use evenkeel_transport::http::literal;

use crate::error::{Error, codes};

/// An address to listen on: loopback only, since nothing authenticates yet.
pub(crate) fn listen(key: &str, text: &str) -> Result<SocketAddr, Error> {
    let wrong = |why: String| Error::new(codes::CONFIG_VALUE, format!("`{key}`: {why}"));
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let numeric = numeric.as_deref().unwrap_or(text);
    let address: SocketAddr = match numeric.parse() {
        Ok(address) => address,
        Err(_) => {
            return Err(unspecific(key, text).unwrap_or_else(|| {
                wrong(format!("`{text}` is not an address: write a host and a port, like `127.0.0.1:8080`"))
            }));
        }
    };
    if address.ip().is_loopback() { Ok(address) } else { Err(not_loopback(key, text)) }
}

/// `:8080`, `*:8080` and names other than localhost mean more than loopback.
fn unspecific(key: &str, text: &str) -> Option<Error> {
    let (_, port) = text.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    Some(not_loopback(key, text))
}

fn not_loopback(key: &str, text: &str) -> Error {
    Error::new(
        codes::CONFIG_NOT_LOOPBACK,
        format!("`{key}`: `{text}` is not a loopback address, and off loopback nothing may answer without authentication, which this version does not have"),
    )
    .hint("listen on 127.0.0.1 or [::1], and put an authenticating proxy in front")
}

/// A URL that a playbook calls: as [`callee`], without TLS, which its steps do not speak yet.
pub(crate) fn plain_callee(key: &str, text: &str, reach: &Reach) -> Result<String, Error> {
    let url = callee(key, text, reach)?;
    if url.starts_with("https:") {
        let why = format!("`{key}`: `{url}` asks for TLS, which steps of playbooks do not speak yet");
        return Err(Error::new(codes::CONFIG_URL, why).hint("call a local proxy by http://"));
    }
    Ok(url)
}

/// A URL that is called with events or alerts: HTTP or HTTPS, no credentials, within reach. A name is
/// judged by what it resolves to, when it is called.
pub(crate) fn callee(key: &str, text: &str, reach: &Reach) -> Result<String, Error> {
    let wrong = |why: &str| {
        Error::new(codes::CONFIG_URL, format!("`{key}`: `{}` {why}", redacted(text)))
            .hint("write it like `http://127.0.0.1:9002/events`")
    };
    let uri: http::Uri = text.parse().map_err(|_| wrong("is not a URL"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(_) => return Err(wrong("is not an http URL")),
        None => return Err(wrong("has no scheme")),
    }
    let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("holds credentials, which do not belong into a URL"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(wrong("has no host"));
    }
    if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(wrong("has no port from 1 to 65535"));
    }
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    if literal(host).is_none() && is_number(last) {
        return Err(wrong(
            "has a number for a host: an address is written as four numbers from 0 to 255, or in brackets",
        ));
    }
    match literal(host).and_then(|ip| reach.refuses(host, ip)) {
        Some(why) => Err(wrong(&format!("may not be called: {why}"))),
        None => Ok(text.to_owned()),
    }
}

/// What resolvers take for a part of an address: `2852039166`, `0xa9fea9fe`, `0251`.
fn is_number(label: &str) -> bool {
    match label.to_ascii_lowercase().strip_prefix("0x") {
        Some(hex) => hex.chars().all(|c| c.is_ascii_hexdigit()),
        None => !label.is_empty() && label.chars().all(|c| c.is_ascii_digit()),
    }
}

/// A URL without what may be secret in it.
fn redacted(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://…@{}", &text[..scheme], &text[at + 1..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_transport::Reach;

    use super::{callee, listen};
    use crate::error::codes;

    #[test]
    fn only_loopback_may_be_listened_on_and_the_reason_is_given() {
        assert!(listen("http.listen", "127.0.0.1:0").is_ok());
        assert!(listen("http.listen", "[::1]:8080").is_ok());
        assert!(listen("http.listen", "localhost:8080").is_ok());
        for text in ["0.0.0.0:8080", "192.168.1.4:80", "[::]:80", ":8080", "shop.example:80"] {
            let error = listen("http.listen", text).unwrap_err();
            assert_eq!(error.code, codes::CONFIG_NOT_LOOPBACK, "{text}");
            assert!(error.message.contains("authentication"), "{}", error.message);
        }
        assert_eq!(listen("http.listen", "8080").unwrap_err().code, codes::CONFIG_VALUE);
    }

    #[test]
    fn a_handler_url_is_plain_http_without_credentials_and_no_metadata_service() {
        let all = Reach::default();
        assert!(callee("u", "http://payments.internal:9002/events", &all).is_ok());
        assert!(callee("u", "https://payments.internal/events", &all).is_ok());
        assert!(callee("u", "http://[::1]:9002/", &all).is_ok() && callee("u", "http://10.0.0.7:65535/", &all).is_ok());
        assert!(callee("u", "http://7seas.example:80/", &all).is_ok() && callee("u", "http://x1/", &all).is_ok());
        assert!(super::plain_callee("u", "https://a/", &all).unwrap_err().message.contains("TLS"));
        let ours = Reach::new(&["10.0.0.0/8".to_owned()]).unwrap();
        assert!(callee("u", "http://10.1.2.3/", &ours).is_ok());
        let error = callee("u", "http://11.1.2.3/", &ours).unwrap_err();
        assert!(error.message.contains("handlers.allow"), "{}", error.message);
        for text in [
            "ftp://a/",
            "a:80/x",
            "/events",
            "http://user:secret@a/",
            "http://169.254.169.254/latest",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://0.0.0.0/",
            "http://[::169.254.169.254]/",
            "http://2852039166/",
            "http://0xA9FEA9FE/",
            "http://0251.0376.0251.0376/",
            "http://169.254.43518/",
            "http://payments:99999/",
            "http://payments:0/",
            "http://payments:/",
        ] {
            let error = callee("u", text, &all).unwrap_err();
            assert_eq!(error.code, codes::CONFIG_URL, "{text}");
            assert!(!error.message.contains("secret"), "{}", error.message);
        }
    }
}
