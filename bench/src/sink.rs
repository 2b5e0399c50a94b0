//! The service that everything is pushed to: reads the body, answers 204, does nothing else.
//!
//! It runs as a process of its own, and ends when its standard input does, so that it never
//! outlives the benchmark.

use std::convert::Infallible;
use std::process::Stdio;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin};

use crate::Outcome;

/// A running sink.
pub(crate) struct Sink {
    pub(crate) url: String,
    _input: ChildStdin,
    _child: Child,
}

impl Sink {
    pub(crate) async fn start() -> Outcome<Sink> {
        let mut child = tokio::process::Command::new(std::env::current_exe()?)
            .arg("sink")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or("the sink has no standard input")?;
        let output = child.stdout.take().ok_or("the sink has no standard output")?;
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url).await?;
        Ok(Sink { url: url.trim().to_owned(), _input: input, _child: child })
    }
}

/// Serves until standard input ends.
pub(crate) async fn serve() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/", listener.local_addr()?);
    let mut nothing = Vec::new();
    let mut input = tokio::io::stdin();
    tokio::select! {
        ended = input.read_to_end(&mut nothing) => ended.map(|_| ()).map_err(Into::into),
        accepted = accept(listener) => accepted,
    }
}

async fn accept(listener: TcpListener) -> Outcome<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(converse(stream));
    }
}

async fn converse(stream: TcpStream) {
    let answer = service_fn(|request: Request<hyper::body::Incoming>| async move {
        let _ = request.into_body().collect().await;
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok::<_, Infallible>(response)
    });
    // A client that goes away ends its connection, and nothing else.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}
