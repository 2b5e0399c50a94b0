//! Serves HTTP/1.1 on one listener until the node goes down; open requests are finished.

use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::happenings::{ConnectionBroken, ConnectionNotAccepted};

/// A client has so long to send the headers of a request.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// Requests have so long to finish when the node goes down.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    headers_bytes_max: usize,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, routes.clone(), headers_bytes_max, stop.clone()));
                }
                Err(e) => {
                    // Out of file handles, most likely: closed connections will give some back.
                    ConnectionNotAccepted { error: e.to_string() }.tell();
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = crate::node::told_to_stop(&mut stop) => break,
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(FINISH_WITHIN, all).await;
}

async fn connection(stream: TcpStream, routes: Router, headers_bytes_max: usize, mut stop: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(headers_bytes_max);
    let serving = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        _ = crate::node::told_to_stop(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(e) = ended {
        ConnectionBroken { error: e.to_string() }.tell();
    }
}
