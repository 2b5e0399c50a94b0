//! What the consumer gave and we never got, because a connection broke in between.
//!
//! The server gives it again when its lease ends, behind what came later. So it is missed by the
//! consumer's own numbers, which have no gaps, and fetched from the stream before anything newer is
//! given on: the order stays that of the stream.

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use evenkeel_delivery::ports::PortError;

pub(crate) struct Gaps {
    stream: Stream,
    /// Which subjects the consumer sees.
    filter: String,
    /// The newest sequence of the stream that was given on.
    high: u64,
    /// What was given to whoever was here before, up to here, is looked through first.
    before_us: u64,
    /// The number of the newest delivery that came.
    delivery: u64,
}

impl Gaps {
    /// `acknowledged`: everything up to it is; `given`: it was given to somebody, `delivery` being the
    /// number of that delivery.
    pub(crate) fn new(stream: Stream, filter: String, acknowledged: u64, given: u64, delivery: u64) -> Gaps {
        Gaps { stream, filter, high: acknowledged, before_us: given, delivery }
    }

    /// Some of what whoever was here before had been given, and may not have placed.
    pub(crate) async fn left(&mut self, max: usize, mut each: impl FnMut(StreamMessage)) -> Result<(), PortError> {
        for _ in 0..max {
            if self.high >= self.before_us {
                return Ok(());
            }
            match self.next(self.high + 1, self.before_us).await? {
                Some(message) => {
                    self.high = message.sequence;
                    each(message);
                }
                None => self.high = self.before_us,
            }
        }
        Ok(())
    }

    /// A delivery came: what must be given on before it. After an error it must not be given on
    /// itself: it is missed in its turn.
    pub(crate) async fn before(
        &mut self,
        sequence: u64,
        delivery: u64,
        mut each: impl FnMut(StreamMessage),
    ) -> Result<(), PortError> {
        if delivery > self.delivery + 1 {
            while let Some(message) = self.next(self.high + 1, sequence.saturating_sub(1)).await? {
                self.high = message.sequence;
                each(message);
            }
        }
        self.delivery = self.delivery.max(delivery);
        self.high = self.high.max(sequence);
        Ok(())
    }

    /// The first message from `from` on that the consumer sees, if it is not beyond `upto`.
    async fn next(&self, from: u64, upto: u64) -> Result<Option<StreamMessage>, PortError> {
        if from > upto {
            return Ok(None);
        }
        let asked = self.stream.raw_message_builder().sequence(from).next_by_subject(&self.filter).send().await;
        match asked {
            Ok(message) if message.sequence <= upto => Ok(Some(message)),
            Ok(_) => Ok(None),
            Err(e) if e.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(e) => Err(PortError(format!("NATS: reading what was missed from sequence {from} on: {e}"))),
        }
    }
}
