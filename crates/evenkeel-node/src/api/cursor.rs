//! Where a reader of a topic stands: the next offset of each partition, as `0:17,1:5`.

use evenkeel_log::Log;
use evenkeel_model::{Shard, Timestamp};

use super::Problem;

/// Where to begin.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    Earliest,
    Latest,
    Offset(u64),
    Time(Timestamp),
}

impl From {
    pub(super) fn parse(text: &str) -> Result<From, Problem> {
        match text {
            "earliest" => Ok(From::Earliest),
            "latest" => Ok(From::Latest),
            text => match text.parse() {
                Ok(offset) => Ok(From::Offset(offset)),
                Err(_) => evenkeel_cloudevents::time::parse_rfc3339(text).map(From::Time).ok_or_else(|| {
                    Problem::parameter("from", text, "must be earliest, latest, an offset, or a time (RFC 3339)")
                }),
            },
        }
    }
}

/// The next offset of each partition, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor(pub(super) Vec<(u32, u64)>);

impl Cursor {
    pub(super) fn parse(text: &str) -> Result<Cursor, Problem> {
        let wrong = || Problem::parameter("cursor", text, "must be the `next` of an earlier answer");
        let parts = text.split(',').map(|part| {
            let (partition, offset) = part.split_once(':').ok_or_else(wrong)?;
            Ok::<_, Problem>((partition.parse().map_err(|_| wrong())?, offset.parse().map_err(|_| wrong())?))
        });
        Ok(Cursor(parts.collect::<Result<_, _>>()?))
    }

    /// The beginning of these partitions.
    pub(super) fn begin(log: &Log, topic: &str, partitions: &[u32], from: From) -> Result<Cursor, Problem> {
        let places = partitions.iter().map(|partition| {
            let shard = Shard::new(topic, *partition);
            let ends = log.ends(&shard).map_err(|e| crate::wiring::failed(&e))?;
            let offset = match from {
                From::Earliest => ends.start,
                From::Latest => ends.high_watermark,
                From::Offset(offset) => offset.clamp(ends.start, ends.high_watermark),
                From::Time(at) => {
                    log.offset_at(&shard, at).map_err(|e| crate::wiring::failed(&e))?.unwrap_or(ends.high_watermark)
                }
            };
            Ok((*partition, offset))
        });
        Ok(Cursor(places.collect::<Result<_, Problem>>()?))
    }

    pub(super) fn to_text(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|(partition, offset)| format!("{partition}:{offset}")).collect();
        parts.join(",")
    }
}
