//! `evenkeel log dump`: everything in a folder, a JSON document a line, as it is found.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use evenkeel_log::{Dumped, Show, dump};
use evenkeel_model::{Header, Record};
use serde_json::{Map, Value, json};

use super::super::output::line;
use super::verify::extent;
use super::{disk, unopened};
use crate::error::Error;
use crate::forms::{damage, time};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The data folder
    #[arg(value_name = "DIR")]
    data: std::path::PathBuf,
    /// Batches and records of this topic only
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// The records of each batch, too
    #[arg(long)]
    records: bool,
}

pub(super) fn run(args: Args) -> Result<(), Error> {
    let show = Show { records: args.records, topic: args.topic };
    let pieces = dump(disk(&args.data)?, show).map_err(|e| unopened(&args.data, &e))?;
    for piece in pieces {
        line(&form(&piece).to_string());
    }
    Ok(())
}

fn form(piece: &Dumped) -> Value {
    match piece {
        Dumped::Checkpoint { file, generation, wal_file, wal_at, group, appended, partitions } => json!({
            "is": "checkpoint", "file": file, "generation": generation, "wal_file": wal_file, "wal_at": wal_at,
            "group": group, "appended_at": time(*appended),
            "partitions": partitions.iter().map(extent).collect::<Vec<_>>(),
        }),
        Dumped::WalFile { file, bytes, groups } => {
            json!({ "is": "wal_file", "file": file, "bytes": bytes, "groups": groups })
        }
        Dumped::Group { file, at, number, kind, appended, durable, generation, checksum, previous, entries, bytes } => {
            json!({
                "is": "group", "file": file, "at": at, "number": number, "kind": kind, "appended_at": time(*appended),
                "durable": durable, "generation": generation, "checksum": format!("{checksum:08x}"),
                "previous": format!("{previous:08x}"), "entries": entries, "bytes": bytes,
            })
        }
        Dumped::Batch { file, at, shard, base, end, bytes } => json!({
            "is": "batch", "file": file, "at": at, "topic": &*shard.topic, "partition": shard.partition,
            "base": base, "end": end, "bytes": bytes,
        }),
        Dumped::Record { shard, offset, record } => {
            let mut form = json!({
                "is": "record", "topic": &*shard.topic, "partition": shard.partition, "offset": offset,
                "created_at": time(record.created), "headers": headers(record),
            });
            if let Value::Object(members) = &mut form {
                put(members, "key", record.key.as_ref());
                put(members, "value", record.value.as_ref());
            }
            form
        }
        Dumped::Damaged(damaged) => {
            let mut form = damage::form(damaged);
            if let Value::Object(members) = &mut form {
                members.insert("is".to_owned(), Value::from("damage"));
            }
            form
        }
    }
}

fn headers(record: &Record) -> Vec<Value> {
    let form = |header: &Header| {
        let mut form = Map::new();
        form.insert("name".to_owned(), Value::from(header.name.as_str()));
        put(&mut form, "value", header.value.as_ref());
        Value::Object(form)
    };
    record.headers.iter().map(form).collect()
}

/// Bytes as text, or under another name as base64 when they are none.
fn put(into: &mut Map<String, Value>, name: &str, bytes: Option<&Bytes>) {
    let (name, value) = match bytes.map(|b| (b, std::str::from_utf8(b))) {
        None => (name.to_owned(), Value::Null),
        Some((_, Ok(text))) => (name.to_owned(), Value::from(text)),
        Some((bytes, Err(_))) => (format!("{name}_base64"), Value::from(STANDARD.encode(bytes))),
    };
    into.insert(name, value);
}
