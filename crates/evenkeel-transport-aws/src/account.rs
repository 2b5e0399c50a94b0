//! Speaking to AWS: region, endpoint and credentials as the AWS SDK finds them (environment, shared
//! files, web identity, container, instance), or as the configuration says.
//!
//! The SDK's own retries are off: who asks decides when to ask again.

use std::fmt;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use evenkeel_delivery::ports::PortError;

/// A connection that does not stand after this has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A call that is not answered after this is of unknown outcome. Longer than any wait for messages.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Where, and as whom. What is not said, the SDK finds.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// `eu-central-1`.
    pub region: Option<String>,
    /// `http://127.0.0.1:9324`: what answers instead of AWS.
    pub endpoint: Option<String>,
    /// As whom.
    pub identity: Identity,
}

/// As whom. What is secret does not show.
#[derive(Clone, Default)]
pub enum Identity {
    /// Whoever the SDK's chain of providers finds.
    #[default]
    Found,
    /// A profile of the shared files.
    Profile(String),
    /// An access key.
    Keys {
        /// Its name.
        id: String,
        /// Its secret.
        secret: String,
    },
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Found => f.write_str("Found"),
            Identity::Profile(name) => write!(f, "Profile({name})"),
            Identity::Keys { id, .. } => write!(f, "Keys({id}, …)"),
        }
    }
}

impl Account {
    /// What the clients of services are made from.
    pub(crate) async fn config(&self) -> Result<SdkConfig, PortError> {
        let client =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(CALL_TIMEOUT)
            .operation_timeout(CALL_TIMEOUT);
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(client)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        if let Ok(name) = AppName::new("evenkeel") {
            loader = loader.app_name(name);
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        loader = match &self.identity {
            Identity::Found => loader,
            Identity::Profile(name) => loader.profile_name(name),
            Identity::Keys { id, secret } => {
                loader.credentials_provider(Credentials::new(id, secret, None, None, "evenkeel"))
            }
        };
        let config = loader.load().await;
        match config.region() {
            Some(_) => Ok(config),
            None => {
                Err(PortError("AWS: no region is known; write it in the broker's `url`, or set AWS_REGION".to_owned()))
            }
        }
    }
}

/// Whether AWS answers, and takes these credentials.
pub async fn check(account: &Account) -> Result<(), PortError> {
    let client = aws_sdk_sqs::Client::new(&account.config().await?);
    let asked = client.list_queues().max_results(1).send().await;
    match asked.map_err(|e| crate::trouble::Trouble::of(&e)) {
        // Who may not list queues may still use them.
        Ok(_) => Ok(()),
        Err(trouble) if trouble.is_forbidden() => Ok(()),
        Err(trouble) => Err(PortError(format!("AWS: {trouble}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Identity};

    #[test]
    fn no_secret_shows() {
        let identity = Identity::Keys { id: "AKIA".into(), secret: "hush".into() };
        let shown = format!("{:?}", Account { identity, ..Account::default() });
        assert!(shown.contains("AKIA") && !shown.contains("hush"), "{shown}");
    }
}
