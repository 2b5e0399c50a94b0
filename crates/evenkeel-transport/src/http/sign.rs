//! Signatures as Standard Webhooks has them (`webhook-id`, `webhook-timestamp`,
//! `webhook-signature`): HMAC-SHA256 of `id.timestamp.body`, one for each secret.
//!
//! Several secrets at once are how one is rotated: the receiver takes either, until it knows the
//! new one. The id is the idempotency key (for a batch, the digest of its keys), the timestamp
//! the attempt's. What is signed is the body: in binary mode the attributes are headers, and not
//! covered; `format: structured` and batches cover them. A secret is never shown.

use ::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::Call;
use evenkeel_model::{Timestamp, names};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Bytes of a secret, as the standard bounds them.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets that sign.
#[derive(Clone, Default)]
pub struct Signing(Vec<Hmac<Sha256>>);

impl Signing {
    /// From secrets like `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`: base64 of 24 to 64 bytes. The
    /// error says which one is wrong, by its number, and never shows it.
    pub fn new<S: AsRef<str>>(secrets: &[S]) -> Result<Signing, String> {
        let mut keyed = Vec::with_capacity(secrets.len());
        for (number, secret) in secrets.iter().enumerate() {
            let secret = secret.as_ref().trim();
            let bytes = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret));
            let bytes = bytes.map_err(|_| format!("secret {} is not base64; {HOW}", number + 1))?;
            if !SECRET_BYTES.contains(&bytes.len()) {
                return Err(format!("secret {} has {} bytes; {HOW}", number + 1, bytes.len()));
            }
            keyed.push(Hmac::new_from_slice(&bytes).map_err(|e| format!("secret {}: {e}", number + 1))?);
        }
        Ok(Signing(keyed))
    }

    /// Adds the three headers, if there is a secret.
    pub(super) fn sign(
        &self,
        headers: &mut HeaderMap,
        calls: &[Call],
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        let id = id(calls);
        let at = now.micros().div_euclid(1_000_000).to_string();
        let one = |keyed: &Hmac<Sha256>| {
            let mut mac = keyed.clone();
            for part in [id.as_bytes(), b".", at.as_bytes(), b".", body] {
                mac.update(part);
            }
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        let signatures: Vec<String> = self.0.iter().map(one).collect();
        for (name, value) in
            [(names::WEBHOOK_ID, id), (names::WEBHOOK_TIMESTAMP, at), (names::WEBHOOK_SIGNATURE, signatures.join(" "))]
        {
            let value = HeaderValue::try_from(value).map_err(|e| e.to_string())?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(())
    }
}

const HOW: &str = "write `whsec_` and the base64 of 24 to 64 random bytes (`openssl rand -base64 32`)";

/// The key of the one event, or the digest of all.
fn id(calls: &[Call]) -> String {
    match calls {
        [one] => one.key.to_hex(),
        all => Mark::of("batch", &all.iter().map(|c| c.key.to_hex()).collect::<String>(), "").to_hex(),
    }
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signing({} secrets)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use ::http::HeaderMap;
    use evenkeel_model::Timestamp;

    use super::Signing;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// Standard Webhooks' own example, but for the id, which is ours: checked with openssl.
    #[test]
    fn the_signature_is_that_of_the_standard_one_for_each_secret() {
        let call = crate::http::tests::call(crate::http::tests::event());
        let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let signing = Signing::new(&[SECRET, other]).unwrap();
        let mut headers = HeaderMap::new();
        let at = Timestamp::from_millis(1_614_265_330_000);
        signing.sign(&mut headers, std::slice::from_ref(&call), b"{\"test\": 2432232314}", at).unwrap();
        assert_eq!(headers["webhook-id"], call.key.to_hex());
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        let both = headers["webhook-signature"].to_str().unwrap();
        assert_eq!(
            both,
            "v1,7HQsTFZaElD3Hnp1jzUU8ykD8fffu/MZTdrZgBrDV50= v1,wYoIZ3XulQ+Bq57qZ8yP+EmbKyXvPzeCakUIlnGoaNQ="
        );
        let mut once = HeaderMap::new();
        Signing::new(&[other]).unwrap().sign(&mut once, &[call], b"{\"test\": 2432232314}", at).unwrap();
        assert!(both.ends_with(once["webhook-signature"].to_str().unwrap()), "rotation: both sign");
    }

    #[test]
    fn a_wrong_secret_is_refused_and_never_shown() {
        for wrong in ["whsec_not base64!", "whsec_c2hvcnQ="] {
            let said = Signing::new(&[SECRET, wrong]).unwrap_err();
            assert!(said.contains("secret 2") && !said.contains(&wrong[6..]), "{said}");
        }
        assert_eq!(format!("{:?}", Signing::new(&[SECRET]).unwrap()), "Signing(1 secrets)");
        let mut headers = HeaderMap::new();
        Signing::default().sign(&mut headers, &[], b"", Timestamp::EPOCH).unwrap();
        assert!(headers.is_empty());
    }
}
