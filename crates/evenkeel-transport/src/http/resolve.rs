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

/// Asks the system, and passes on what may be called.
#[derive(Clone)]
pub(super) struct Resolver {
    pub(super) reach: Arc<Reach>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.reach.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            judge(&reach, name.as_str(), found).map(Vec::into_iter)
        })
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
    use super::{Reach, judge};

    #[test]
    fn of_what_a_name_resolves_to_only_what_may_be_called_is_tried() {
        let found = || vec!["169.254.169.254:0".parse().unwrap(), "10.0.0.1:0".parse().unwrap()];
        assert_eq!(judge(&Reach::default(), "h", found()).unwrap(), ["10.0.0.1:0".parse().unwrap()]);
        let none = Reach::new(&["192.168.0.0/16".to_owned()]).unwrap();
        assert!(judge(&none, "h", found()).unwrap_err().to_string().contains("handlers.allow"));
        assert!(judge(&none, "h", Vec::new()).unwrap().is_empty());
    }
}
