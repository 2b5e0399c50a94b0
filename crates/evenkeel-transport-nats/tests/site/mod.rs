//! A stream and a durable consumer of a test's own, behind a proxy.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use evenkeel_delivery::ports::{BoxFuture, Capabilities, NativeLimits, PortError, Redelivery, Sink};
use evenkeel_model::Record;
use evenkeel_transport::contract::Mistake;
use evenkeel_transport::contract::intaken::{Connecting, Site};
use evenkeel_transport::contract::proxy::{Line, Proxy};
use evenkeel_transport::contract::real::{self, Need, until};
use evenkeel_transport::{Parcel, Queue, Style};
use evenkeel_transport_nats::{Auth, ConsumerSettings, JETSTREAM, JetStreamQueue, JetStreamSink, Server, connect};

pub(crate) const LEASE: Duration = Duration::from_secs(2);
const DURABLE: &str = "evenkeel";

/// The server's address, unless there is none.
pub(crate) fn need() -> Option<SocketAddr> {
    let (server, variable) = ("nats", "EVENKEEL_TEST_NATS");
    Need { tests: "transport-nats", server, variable, beside: env!("CARGO_TARGET_TMPDIR") }.address()
}

/// The servers that ask who comes.
pub(crate) struct Secured {
    /// One that does not, and speaks no TLS.
    pub(crate) plain: SocketAddr,
    /// TLS, for `evenkeel` with the password `secret`.
    pub(crate) tls: String,
    /// The certificate of its authority.
    pub(crate) ca: PathBuf,
    /// For whoever has the token `secret`.
    pub(crate) token: String,
    /// An operator's, for whoever has `user.creds`.
    pub(crate) jwt: String,
    /// For whoever has the nkey of `user.nk`.
    pub(crate) nkey: String,
    /// Where these files are.
    pub(crate) keys: PathBuf,
}

/// They are started with the one that [`need`] names.
pub(crate) fn secured() -> Option<Secured> {
    let plain = need()?;
    let named = |variable: &str| std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set"));
    Some(Secured {
        plain,
        tls: named("EVENKEEL_TEST_NATS_TLS"),
        ca: named("EVENKEEL_TEST_NATS_CA").into(),
        token: named("EVENKEEL_TEST_NATS_TOKEN"),
        jwt: named("EVENKEEL_TEST_NATS_JWT"),
        nkey: named("EVENKEEL_TEST_NATS_NKEY"),
        keys: named("EVENKEEL_TEST_NATS_KEYS").into(),
    })
}

pub(crate) struct Jet {
    name: String,
    direct: async_nats::Client,
    proxy: Proxy,
}

impl Jet {
    /// An empty stream.
    pub(crate) async fn fresh(server: SocketAddr) -> Jet {
        let proxy = Proxy::start(server).await.unwrap();
        let direct = connect(&at(server)).await.unwrap();
        let name = real::fresh_name();
        let config = jetstream::stream::Config {
            name: name.clone(),
            subjects: vec![format!("{name}.in")],
            ..jetstream::stream::Config::default()
        };
        jetstream::new(direct.clone()).create_stream(config).await.unwrap();
        Jet { name, direct, proxy }
    }

    pub(crate) async fn remove(&self) {
        let _ = jetstream::new(self.direct.clone()).delete_stream(&self.name).await;
    }

    fn settings(&self) -> ConsumerSettings {
        ConsumerSettings { lease: LEASE, ..ConsumerSettings::new(&self.name, DURABLE) }
    }

    async fn consumer(&self) -> jetstream::consumer::Consumer<pull::Config> {
        let stream = jetstream::new(self.direct.clone()).get_stream(&self.name).await.unwrap();
        stream.get_consumer(DURABLE).await.unwrap()
    }

    /// Publishes messages that the server gives and the adapter never gets.
    pub(crate) async fn lose(&self, upto: u64, records: Vec<Record>) {
        self.proxy.set(Line::Stalled);
        self.publish(records).await.unwrap();
        let given = async || self.consumer().await.info().await.unwrap().delivered.stream_sequence >= upto;
        until("the server gave them", given).await;
        self.proxy.set(Line::Cut);
        // Long enough that both sides see it.
        let over = tokio::time::Instant::now() + Duration::from_millis(300);
        until("the connection is gone", async || tokio::time::Instant::now() > over).await;
        self.proxy.set(Line::Open);
    }

    /// A consumer of it and its connection, behind the proxy.
    pub(crate) async fn proxied(&self) -> (JetStreamQueue, async_nats::Client) {
        let client = connect(&at(self.proxy.address())).await.unwrap();
        (JetStreamQueue::open(client.clone(), &self.settings()).await.unwrap(), client)
    }

    pub(crate) fn line(&self, line: Line) {
        self.proxy.set(line);
    }

    /// Messages that were given and not acknowledged.
    pub(crate) async fn pending(&self) -> usize {
        self.consumer().await.info().await.unwrap().num_ack_pending
    }

    pub(crate) async fn acknowledged_below(&self) -> u64 {
        self.consumer().await.info().await.unwrap().ack_floor.stream_sequence
    }

    /// The answer to a consumer that gives up.
    pub(crate) async fn with_max_deliver(&self, max_deliver: i64) -> String {
        let stream = jetstream::new(self.direct.clone()).get_stream(&self.name).await.unwrap();
        let config = pull::Config {
            durable_name: Some(DURABLE.to_owned()),
            ack_policy: AckPolicy::Explicit,
            max_deliver,
            ..pull::Config::default()
        };
        stream.create_consumer(config).await.unwrap();
        JetStreamQueue::open(self.direct.clone(), &self.settings()).await.err().unwrap().0
    }

    fn subject(&self) -> String {
        format!("{}.in", self.name)
    }
}

fn at(address: SocketAddr) -> Server {
    Server { url: format!("nats://{address}"), auth: Auth::None, roots: Vec::new() }
}

impl Site for Jet {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            // What the tests' server and its consumers are told.
            redelivery: Redelivery::Lease(LEASE),
            limits: NativeLimits { payload_bytes_max: Some(8 << 20), ..NativeLimits::default() },
            ..JETSTREAM
        }
    }

    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move {
            let client = connect(&at(self.proxy.address())).await?;
            Ok(Arc::new(JetStreamQueue::open(client, &self.settings()).await?) as Arc<dyn Queue>)
        })
    }

    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let context = jetstream::new(self.direct.clone());
            for record in &records {
                let parcel = Parcel::of(record, Style::Nats);
                let mut headers = async_nats::HeaderMap::new();
                parcel.headers.iter().for_each(|(name, value)| headers.append(name.as_str(), value.as_str()));
                let sent = context.publish_with_headers(self.subject(), headers, parcel.body).await;
                let confirmed = match sent {
                    Ok(confirmed) => confirmed.await,
                    Err(e) => Err(e),
                };
                confirmed.map_err(|e| PortError(e.to_string()))?;
            }
            Ok(())
        })
    }

    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        Box::pin(async move {
            let client = connect(&at(self.proxy.address())).await?;
            Ok(Some(Arc::new(JetStreamSink::new(client, self.subject())) as Arc<dyn Sink>))
        })
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    fn connect_wrong(&self, mistake: Mistake) -> Option<Connecting<'_>> {
        // The test's server asks nobody for a password.
        (mistake == Mistake::Topic).then(|| -> Connecting<'_> {
            Box::pin(async move {
                let client = connect(&at(self.proxy.address())).await?;
                let settings = ConsumerSettings { stream: "no-such-topic".to_owned(), ..self.settings() };
                Ok(Arc::new(JetStreamQueue::open(client, &settings).await?) as Arc<dyn Queue>)
            })
        })
    }
}
