//! TLS, and HTTP/2 with it and without: against a server of hyper's.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ::http::{Request, Response};
use bytes::Bytes;
use evenkeel_delivery::ports::Handler;
use evenkeel_model::{FailureClass, Verdict};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{call, event, failed, handler};
use crate::http::{HttpSettings, Roots, Version};

const ROOT: &[u8] = include_bytes!("tls/ca.pem");
const CHAIN: &[u8] = include_bytes!("tls/server.pem");
const KEY: &[u8] = include_bytes!("tls/server.key");

/// What came, by the version of HTTP, and over how many connections.
#[derive(Default)]
struct Seen {
    versions: Mutex<Vec<::http::Version>>,
    connections: AtomicUsize,
}

fn acceptor(alpn: &[&[u8]]) -> TlsAcceptor {
    showing(CHAIN, KEY, alpn)
}

fn showing(chain: &[u8], key: &[u8], alpn: &[&[u8]]) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key).unwrap())
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A server of HTTP/1.1 or HTTP/2, with TLS or without; its port.
async fn serve(tls: Option<TlsAcceptor>, http2: bool) -> (u16, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Seen::default());
    let shared = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, seen) = (tls.clone(), shared.clone());
            tokio::spawn(async move {
                match tls {
                    None => talk(TokioIo::new(stream), http2, seen).await,
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        talk(TokioIo::new(stream), http2, seen).await;
                    }
                }
            });
        }
    });
    (port, seen)
}

async fn talk<I>(io: I, http2: bool, seen: Arc<Seen>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    seen.connections.fetch_add(1, Ordering::SeqCst);
    let answer = service_fn(move |request: Request<Incoming>| {
        seen.versions.lock().unwrap().push(request.version());
        async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))) }
    });
    if http2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, answer).await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await;
    }
}

fn trusting(port: u16, version: Version) -> HttpSettings {
    let roots = Roots::only(ROOT).unwrap();
    HttpSettings { roots, version, ..HttpSettings::new(format!("https://localhost:{port}/events"), "payment") }
}

#[tokio::test]
async fn over_tls_both_sides_choose_and_prefer_http_2() {
    let (both, one): (&[&[u8]], &[&[u8]]) = (&[b"h2", b"http/1.1"], &[b"http/1.1"]);
    for (offered, version, spoken) in [
        (both, Version::Auto, ::http::Version::HTTP_2),
        (one, Version::Auto, ::http::Version::HTTP_11),
        (both, Version::Http1, ::http::Version::HTTP_11),
        (both, Version::Http2, ::http::Version::HTTP_2),
    ] {
        let (port, seen) = serve(Some(acceptor(offered)), false).await;
        assert_eq!(handler(trusting(port, version)).handle(call(event())).await.verdict, Verdict::Ack, "{version:?}");
        assert_eq!(*seen.versions.lock().unwrap(), [spoken], "{version:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_unreachable() {
    let (port, seen) = serve(Some(acceptor(&[])), false).await;
    let by_address = HttpSettings { urls: vec![format!("https://127.0.0.1:{port}/")], ..trusting(port, Version::Auto) };
    let stranger = HttpSettings { roots: Roots::only(CHAIN).unwrap(), ..trusting(port, Version::Auto) };
    for settings in [by_address, stranger] {
        let failure = failed(handler(settings).handle(call(event())).await);
        assert_eq!((failure.class, failure.unanswered), (FailureClass::Unreachable, true));
        assert!(failure.message.contains("certificate"), "{}", failure.message);
    }
    assert_eq!(seen.versions.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_unreachable_and_said_to_have() {
    let (chain, key) = (include_bytes!("tls/expired.pem"), include_bytes!("tls/expired.key"));
    let (port, seen) = serve(Some(showing(chain, key, &[])), false).await;
    let roots = Roots::only(include_bytes!("tls/expired-ca.pem")).unwrap();
    let failure = failed(handler(HttpSettings { roots, ..trusting(port, Version::Auto) }).handle(call(event())).await);
    assert_eq!((failure.class, failure.unanswered), (FailureClass::Unreachable, true));
    assert!(failure.message.contains("certificate expired"), "{}", failure.message);
    assert_eq!(seen.versions.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn http_2_by_prior_knowledge_carries_many_calls_over_one_connection() {
    let (port, seen) = serve(None, true).await;
    let url = format!("http://127.0.0.1:{port}/events");
    let handler = Arc::new(handler(HttpSettings { version: Version::Http2, ..HttpSettings::new(url, "payment") }));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let handler = handler.clone();
        calls.spawn(async move { handler.handle(call(event())).await.verdict });
    }
    assert!(calls.join_all().await.iter().all(|verdict| *verdict == Verdict::Ack));
    assert_eq!((seen.versions.lock().unwrap().len(), seen.connections.load(Ordering::SeqCst)), (32, 1));
    assert!(seen.versions.lock().unwrap().iter().all(|v| *v == ::http::Version::HTTP_2));
}

#[test]
fn roots_that_are_none_are_refused() {
    for (pem, why) in [
        (&b""[..], "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no root"),
        (b"-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n", "PEM"),
    ] {
        let said = Roots::only(pem).err().unwrap();
        assert!(said.contains(why), "{said}");
    }
}
