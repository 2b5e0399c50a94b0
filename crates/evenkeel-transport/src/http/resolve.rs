//! Names become addresses, and only those that may be called ([`Reach`]).
//!
//! It runs for each connection that is made, so what the DNS says later is judged again. A URL
//! whose host is an address never comes here: that one is judged when the handler is made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use evenkeel_delivery::ports::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::Reach;

/// What a name resolves to now.
type Ask = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Asks the system, and passes on what may be called.
#[derive(Clone)]
pub(super) struct Resolver {
    reach: Arc<Reach>,
    ask: Arc<Ask>,
}

impl Resolver {
    pub(super) fn new(reach: Arc<Reach>) -> Resolver {
        let ask = |name: String| -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
        };
        Resolver { reach, ask: Arc::new(ask) }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (reach, asked) = (self.reach.clone(), (self.ask)(name.as_str().to_owned()));
        Box::pin(async move { judge(&reach, name.as_str(), asked.await?).map(Vec::into_iter) })
    }
}

/// The addresses that may be called; an error when there were some, and none may.
fn judge(reach: &Reach, host: &str, found: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    let mut refused = None;
    let mut allowed = Vec::with_capacity(found.len());
    for address in found {
        match reach.refuses(host, address.ip()) {
            None => allowed.push(address),
            Some(why) => refused = Some(why),
        }
    }
    match refused {
        Some(why) if allowed.is_empty() => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex};

    use hyper_util::client::legacy::connect::HttpConnector;
    use tower_service::Service;

    use super::{Reach, Resolver, judge};

    #[tokio::test]
    async fn a_name_that_points_elsewhere_later_is_judged_again_and_what_was_judged_is_connected_to() {
        let here = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = here.local_addr().unwrap().port();
        // What the DNS says, one answer for each question, the last one first.
        let metadata: SocketAddr = "169.254.169.254:0".parse().unwrap();
        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let says = Arc::new(Mutex::new(vec![vec![metadata], vec![metadata, local], vec![local]]));
        let dns = says.clone();
        let resolver = Resolver {
            reach: Arc::default(),
            ask: Arc::new(move |name| {
                assert_eq!(name, "shop.test");
                let answer = dns.lock().unwrap().pop().expect("one question for each connection");
                Box::pin(std::future::ready(Ok(answer)))
            }),
        };
        let mut connector = HttpConnector::new_with_resolver(resolver);
        let url: http::Uri = format!("http://shop.test:{port}/").parse().unwrap();
        for left in [2, 1] {
            let connected = connector.call(url.clone()).await.unwrap();
            assert_eq!(connected.inner().peer_addr().unwrap(), here.local_addr().unwrap());
            assert_eq!(says.lock().unwrap().len(), left);
        }
        let refused = connector.call(url).await.unwrap_err();
        let why = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
        assert!(why.contains("metadata") && why.contains("handlers.allow"), "{refused:?}");
    }

    #[test]
    fn of_what_a_name_resolves_to_only_what_may_be_called_is_tried() {
        let found = || vec!["169.254.169.254:0".parse().unwrap(), "10.0.0.1:0".parse().unwrap()];
        assert_eq!(judge(&Reach::default(), "h", found()).unwrap(), ["10.0.0.1:0".parse().unwrap()]);
        let none = Reach::new(&["192.168.0.0/16".to_owned()]).unwrap();
        assert!(judge(&none, "h", found()).unwrap_err().to_string().contains("handlers.allow"));
        assert!(judge(&none, "h", Vec::new()).unwrap().is_empty());
    }
}
