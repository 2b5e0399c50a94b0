use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Line, Proxy, Replacement};

/// Says everything again.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn says(stream: &mut TcpStream, text: &str) -> std::io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    let mut heard = vec![0; text.len()];
    stream.read_exact(&mut heard).await?;
    Ok(String::from_utf8(heard).unwrap())
}

#[tokio::test]
async fn bytes_pass_and_a_cut_line_closes_what_there_is_and_what_comes() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut client, "hello").await.unwrap(), "hello");
    proxy.set(Line::Cut);
    assert!(says(&mut client, "anyone?").await.is_err());
    let mut another = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(says(&mut another, "anyone?").await.is_err());
    proxy.set(Line::Open);
    let mut back = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut back, "again").await.unwrap(), "again");
}

#[tokio::test]
async fn a_stalled_line_keeps_what_was_said_until_it_opens() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut client, "a").await.unwrap(), "a");
    proxy.set(Line::Stalled);
    client.write_all(b"b").await.unwrap();
    let mut one = [0];
    let heard = tokio::time::timeout(Duration::from_millis(50), client.read_exact(&mut one)).await;
    assert!(heard.is_err(), "nothing passes");
    proxy.set(Line::Open);
    client.read_exact(&mut one).await.unwrap();
    assert_eq!(&one, b"b");
}

#[tokio::test]
async fn a_half_closed_line_says_no_more_and_can_still_be_written_to() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut client, "a").await.unwrap(), "a");
    proxy.set(Line::HalfClosed);
    let mut one = [0];
    assert_eq!(client.read(&mut one).await.unwrap(), 0);
    client.write_all(b"into the void").await.unwrap();
}

#[tokio::test]
async fn what_a_broker_says_of_its_address_is_replaced_even_in_pieces() {
    let replace = |_| Replacement::new("port 1111", "port 2222");
    let proxy = Proxy::replacing(echo().await, replace).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut client, "I am at port 1111, port 1112").await.unwrap(), "I am at port 2222, port 1112");
    // A beginning that does not go on is not kept for ever.
    assert_eq!(says(&mut client, "po").await.unwrap(), "po");
    let mut replacing = Replacement::new("abc", "xyz").unwrap().begin();
    let pieces: Vec<Vec<u8>> = ["1a", "b", "c2ab", "d"].map(|piece| replacing.take(piece.as_bytes())).to_vec();
    assert_eq!(pieces.concat(), b"1xyz2abd");
    assert!(Replacement::new("ab", "a").is_none());
}
