//! SNS into SQS, wrapped and raw, and wrong credentials, as AWS answers them.
//!
//! `EVENKEEL_TEST_SNS=host:port` names a server that speaks both (`. .ci/servers/sns`); without it
//! the tests say that they were skipped, and with `sns` in `EVENKEEL_REQUIRE` they fail instead.

use std::net::SocketAddr;

use evenkeel_delivery::ports::{Outgoing, Sink, Unsent};
use evenkeel_transport::contract::real::{self, Need, outgoing};
use evenkeel_transport::{Queue, Taken};
use evenkeel_transport_aws::{Account, SnsSink, SqsQueue, SqsSettings, SqsSink, check};

use super::site::{account, direct};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn need() -> Option<SocketAddr> {
    let (server, variable) = ("sns", "EVENKEEL_TEST_SNS");
    Need { tests: "transport-aws", server, variable, beside: env!("CARGO_TARGET_TMPDIR") }.address()
}

/// In a region that moto knows.
fn at(server: SocketAddr) -> Account {
    Account { region: Some("eu-central-1".into()), ..account(server) }
}

fn sns(server: SocketAddr) -> aws_sdk_sns::Client {
    let sqs = direct(server);
    let config = aws_sdk_sns::Config::builder()
        .behavior_version(aws_sdk_sns::config::BehaviorVersion::v2026_01_12())
        .region(aws_sdk_sns::config::Region::new("eu-central-1"))
        .endpoint_url(format!("http://{server}"))
        .credentials_provider(aws_sdk_sns::config::Credentials::new("test", "test", None, None, "test"))
        .http_client(sqs.config().http_client().unwrap());
    aws_sdk_sns::Client::from_conf(config.build())
}

/// A topic with a queue behind it.
async fn topic(server: SocketAddr, fifo: bool, raw: bool) -> (String, String) {
    let name = format!("{}{}", real::fresh_name(), if fifo { ".fifo" } else { "" });
    let client = sns(server);
    let mut making = client.create_topic().name(&name);
    if fifo {
        making = making.attributes("FifoTopic", "true");
    }
    let arn = making.send().await.unwrap().topic_arn.unwrap();
    SqsQueue::open(&at(server), SqsSettings { declare: true, ..SqsSettings::new(&name) }).await.unwrap();
    let queue = arn.replace(":sns:", ":sqs:");
    let subscribing = client.subscribe().topic_arn(&arn).protocol("sqs").endpoint(queue);
    subscribing.attributes("RawMessageDelivery", raw.to_string()).send().await.unwrap();
    (arn, name)
}

async fn received(server: SocketAddr, queue: &str, unwrap: bool, wanted: usize) -> Vec<Taken> {
    let settings = SqsSettings { unwrap, ..SqsSettings::new(queue) };
    let queue = SqsQueue::open(&at(server), settings).await.unwrap();
    let mut all = Vec::new();
    while all.len() < wanted {
        all.extend(queue.receive(wanted).await.unwrap());
    }
    all
}

fn header<'t>(taken: &'t Taken, name: &str) -> Option<&'t str> {
    taken.record.header(name).map(|value| str::from_utf8(value).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_over_sns_arrives_as_itself_wrapped_or_raw() {
    let Some(server) = need() else { return };
    for raw in [false, true] {
        for fifo in [false, true] {
            let (arn, queue) = topic(server, fifo, raw).await;
            let sink = SnsSink::new(at(server), if raw { &arn } else { &queue });
            assert_eq!(sink.check().await.unwrap(), arn);
            let events: Vec<Outgoing> = (0..3).map(outgoing).collect();
            let answers = sink.publish(events).await;
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
            let mut ids = Vec::new();
            for taken in received(server, &queue, true, 3).await {
                ids.push(header(&taken, "ce_id").unwrap().to_owned());
                assert_eq!(header(&taken, "aws-sns-topic"), (!raw).then_some(&*arn), "raw: {raw}, fifo: {fifo}");
                let key = format!("k{}", ids.last().unwrap().trim_start_matches("n-"));
                assert_eq!(taken.record.key.unwrap(), key);
            }
            ids.sort();
            assert_eq!(ids, ["n-0", "n-1", "n-2"], "raw: {raw}, fifo: {fifo}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrapping_that_is_to_stay_stays() {
    let Some(server) = need() else { return };
    let (arn, queue) = topic(server, false, false).await;
    sns(server).publish().topic_arn(&arn).message("hello").subject("greeting").send().await.unwrap();
    sns(server).publish().topic_arn(&arn).message("hello").subject("greeting").send().await.unwrap();
    let kept = received(server, &queue, false, 1).await.remove(0);
    assert!(kept.record.value.unwrap().starts_with(b"{"));
    let taken = received(server, &queue, true, 1).await.remove(0);
    assert_eq!(taken.record.value.as_deref(), Some(b"hello".as_slice()));
    assert_eq!(header(&taken, "aws-sns-subject"), Some("greeting"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_sns_has_no_room_for_is_refused_alone() {
    let Some(server) = need() else { return };
    let (arn, queue) = topic(server, false, true).await;
    let mut events: Vec<Outgoing> = (0..3).map(outgoing).collect();
    events[1].event.data = Some(vec![b'x'; 300_000].into());
    let answers = SnsSink::new(at(server), &arn).publish(events).await;
    let refused = answers[1].as_ref().unwrap_err();
    assert_eq!(refused.unsent, Unsent::Never);
    assert!(refused.message.contains("and 262144 are allowed"), "{refused}");
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert_eq!(received(server, &queue, true, 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_is_told() {
    let Some(server) = need() else { return };
    let refused = SnsSink::new(at(server), "no-such-topic").publish(vec![outgoing(1)]).await.remove(0).unwrap_err();
    assert_eq!(refused.unsent, Unsent::Denied);
    assert!(refused.message.contains("no-such-topic"), "{refused}");
}

/// A server that answers every call in the way in which AWS refuses.
async fn refusing(status: &'static str, code: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = [0; 16384];
            let _ = stream.read(&mut seen).await;
            let body = format!(
                r#"{{"__type":"com.amazon.coral.service#{code}","message":"The security token included in the request is invalid."}}"#
            );
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_aws_refuses_are_told_by_its_own_word() {
    let server = refusing("403 Forbidden", "UnrecognizedClientException").await;
    let told = check(&at(server)).await.unwrap_err().0;
    assert!(told.contains("UnrecognizedClientException: The security token"), "{told}");
    let told = SqsQueue::open(&at(server), SqsSettings::new("orders")).await.err().unwrap().0;
    assert!(told.starts_with("SQS queue `orders`: UnrecognizedClientException"), "{told}");
    let refused = SqsSink::new(at(server), "orders").publish(vec![outgoing(1)]).await.remove(0).unwrap_err();
    assert_eq!(refused.unsent, Unsent::Denied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_means_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let refused = SqsSink::new(at(nobody), "orders").publish(vec![outgoing(1)]).await.remove(0).unwrap_err();
    assert_eq!(refused.unsent, Unsent::Unreachable, "{refused}");
}
