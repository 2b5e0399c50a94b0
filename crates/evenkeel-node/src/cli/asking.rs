//! What verbs that speak to a node have in common: where it is, and the form of the answer.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::client::Client;
use crate::error::Error;

/// Where the node is.
#[derive(Clone, Debug, Args)]
pub(super) struct Where {
    /// The node's URL
    #[arg(long, value_name = "URL", env = "EVENKEEL_NODE", default_value = "http://127.0.0.1:8080")]
    pub(super) node: String,
    /// A key for nodes that authenticate; this version's nodes take none
    #[arg(long, value_name = "KEY", env = "EVENKEEL_API_KEY", hide_env_values = true)]
    pub(super) api_key: Option<String>,
    /// The form of the data on stdout
    #[arg(long, value_enum, default_value = "text")]
    pub(super) output: Output,
}

/// The form of data on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Tables and sentences
    Text,
    /// The node's JSON
    Json,
}

impl Where {
    pub(super) fn client(&self) -> Client {
        Client::new(&self.url())
    }

    /// The node's URL, with its scheme.
    pub(super) fn url(&self) -> String {
        let node = &self.node;
        if node.contains("://") { node.clone() } else { format!("http://{node}") }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Error> {
        self.client().json("GET", path, None).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, Error> {
        self.client().json("DELETE", path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Option<Value>) -> Result<Value, Error> {
        self.client().json("POST", path, body).await
    }
}

/// Text as one segment of a path, or one value of a query.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
