//! `evenkeel log verify`: every checksum of a folder. Exit code 3 when something is damaged.

use evenkeel_log::{Extent, Verified, verify};
use serde_json::{Value, json};

use super::super::output::print;
use super::{Folder, disk, unopened};
use crate::error::{Error, codes};
use crate::forms::damage;
use crate::page::numbers;

pub(super) fn run(folder: &Folder) -> Result<(), Error> {
    let verified = verify(disk(&folder.data)?).map_err(|e| unopened(&folder.data, &e))?;
    let data = folder.data.display().to_string();
    print(folder.output, &form(&data, &verified), |_| shown(&data, &verified));
    if verified.damage.is_empty() {
        return Ok(());
    }
    Err(Error::new(codes::DATA_CORRUPT, format!("`{data}` is damaged; each place is named above"))
        .hint(format!("copy the folder first; `evenkeel log repair {data}` says what a repair would give up"))
        .exit(3))
}

fn form(data: &str, verified: &Verified) -> Value {
    json!({
        "ok": verified.damage.is_empty(),
        "data": data,
        "damage": verified.damage.iter().map(damage::form).collect::<Vec<_>>(),
        "notes": verified.notes.iter().map(|n| json!({ "file": n.file, "what": n.what })).collect::<Vec<_>>(),
        "partitions": verified.partitions.iter().map(extent).collect::<Vec<_>>(),
        "groups": verified.groups,
        "batches": verified.batches,
        "records": verified.records,
        "bytes": verified.bytes,
    })
}

pub(super) fn extent(extent: &Extent) -> Value {
    json!({
        "topic": &*extent.shard.topic, "partition": extent.shard.partition,
        "start": extent.ends.start, "end": extent.ends.high_watermark,
        "segments": extent.segments, "bytes": extent.bytes,
    })
}

fn shown(data: &str, verified: &Verified) -> String {
    let mut lines: Vec<String> = verified.damage.iter().map(|d| format!("damaged  {d}")).collect();
    lines.extend(verified.notes.iter().map(|n| format!("note     {}: {}", n.file, n.what)));
    lines.push(format!(
        "{data}: {} partitions, {} records in {} batches of segments ({}), and {} groups that no checkpoint covers",
        verified.partitions.len(),
        numbers::grouped(verified.records),
        numbers::grouped(verified.batches),
        numbers::bytes(verified.bytes),
        numbers::grouped(verified.groups),
    ));
    lines.push(if verified.damage.is_empty() { "ok: every checksum holds".into() } else { "not ok".into() });
    lines.join("\n")
}
