//! `evenkeel publish`: JSON lines into a topic, each once.
//!
//! Sends batches in the order of the lines, one after the other, and repeats a batch with the
//! same ids until the node acknowledges it: a node that is killed in between, a full disk or a
//! lost connection only takes time. A log that is damaged waits for its operator, and ends it. Invariant: a line that is no event stops the verb: all
//! before it is stored, nothing behind it is sent.

mod shape;
mod sending;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

use evenkeel_model::{Clock, Event, SystemClock};
use tokio::sync::mpsc;

use super::asking::Where;
use crate::error::{Error, codes};
use sending::Sending;
use shape::Shape;

/// A batch is sent when it has grown to so many bytes.
const BATCH_BYTES: usize = 512 << 10;
/// The longest line that is read.
const LINE_BYTES_MAX: u64 = 8 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topic
    topic: String,
    /// JSON lines, `.gz` too; `-` or nothing reads stdin
    file: Option<PathBuf>,
    #[command(flatten)]
    shape: shape::Flags,
    /// Events sent at once
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let shape = Shape::new(args.shape, format!("{:x}", clock.now().micros()));
    let (lines, mut read) = mpsc::channel(1_024);
    let file = args.file.filter(|f| f.as_os_str() != "-");
    let reader = tokio::task::spawn_blocking(move || feed(file, &shape, &lines));
    let mut sending = Sending::new(&args.node, &args.topic, clock);
    let batch_max = args.batch as usize;
    let (mut batch, mut bytes) = (Vec::with_capacity(batch_max), 0);
    let mut wrong = None;
    while let Some(next) = read.recv().await {
        let event: Event = match next {
            Ok(event) => event,
            Err(e) => {
                wrong = Some(e);
                break;
            }
        };
        bytes += event.data.as_ref().map_or(0, bytes::Bytes::len) + 256;
        batch.push(event);
        if batch.len() >= batch_max || bytes >= BATCH_BYTES || read.is_empty() {
            sending.send(std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        sending.send(batch).await?;
    }
    sending.finish();
    drop(read);
    let fed = reader.await.map_err(|e| Error::new(codes::INTERNAL, e.to_string()))?;
    wrong.map_or(fed, Err)
}

/// Reads lines and turns them into events until the end, the first wrong one, or nobody listens.
fn feed(file: Option<PathBuf>, shape: &Shape, to: &mpsc::Sender<Result<Event, Error>>) -> Result<(), Error> {
    let mut input = open(file)?;
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let read = (&mut input)
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut line)
            .map_err(|e| Error::new(codes::INPUT, format!("line {number}: {e}")))?;
        if read == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let event = if line.len() as u64 > LINE_BYTES_MAX {
            Err(Error::new(codes::INPUT, format!("line {number} is longer than 8 MiB")))
        } else {
            shape.event(&line, number).map_err(|why| Error::new(codes::INPUT, format!("line {number}: {why}")))
        };
        let wrong = event.is_err();
        if to.blocking_send(event).is_err() || wrong {
            break;
        }
    }
    Ok(())
}

fn open(file: Option<PathBuf>) -> Result<Box<dyn BufRead>, Error> {
    let Some(path) = file else { return Ok(Box::new(BufReader::new(std::io::stdin()))) };
    let opened = std::fs::File::open(&path)
        .map_err(|e| Error::new(codes::INPUT, format!("cannot read `{}`: {e}", path.display())).exit(2))?;
    if path.extension().is_some_and(|e| e == "gz") {
        return Ok(Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(opened))));
    }
    Ok(Box::new(BufReader::new(opened)))
}
