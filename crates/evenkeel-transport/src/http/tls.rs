//! TLS by rustls: whom it trusts, and which HTTP it offers.
//!
//! Trusted are the roots of the system, or, where roots are given, those and no others. There
//! is no way to leave the check out. Invariant: a certificate that is not trusted is no
//! connection, so that it spends nothing.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Which certificates are trusted.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Those of the system.
    #[default]
    System,
    /// These, in PEM, and no others.
    Only(Arc<RootCertStore>),
}

impl Roots {
    /// From certificates in PEM. The error says what is wrong with them.
    pub fn only(pem: &[u8]) -> Result<Roots, String> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| format!("it cannot be read as PEM: {e}"))?;
            store.add(certificate).map_err(|e| format!("a certificate in it is no root: {e}"))?;
        }
        if store.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        Ok(Roots::Only(Arc::new(store)))
    }

    fn store(&self) -> Arc<RootCertStore> {
        match self {
            Roots::Only(store) => store.clone(),
            Roots::System => system(),
        }
    }
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Version {
    /// With TLS what both sides prefer, HTTP/2 first; without TLS HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; without TLS by prior knowledge.
    Http2,
}

/// What a connection is secured with. The system's roots are read only where they are needed. The error says what
/// is wrong with the roots.
pub fn config(roots: &Roots, needed: bool) -> Result<ClientConfig, String> {
    let store = if needed { roots.store() } else { Arc::new(RootCertStore::empty()) };
    if needed && store.is_empty() {
        return Err("the system has no root certificates; name yours with `tls: { roots: ./ca.pem }`".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS cannot be spoken: {e}"))?;
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

fn system() -> Arc<RootCertStore> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let load = || {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    };
    SYSTEM.get_or_init(load).clone()
}
