//! What a client of Kafka hears beside its data: errors, logs, rebalances, the wish for a token.
//!
//! It notes what keeps it from its broker, in the broker's own words, so that a failed call can say
//! more than that it took too long.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_model::{Clock, SystemClock};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, ProducerContext};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Message, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;

use crate::Broker;
use crate::group::Told;
use crate::happenings::ClientSaid;
use crate::journal::Report;

/// A token without a time of its own is read again after this.
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// A client wants its token at once; it is not waited for longer than a second.
const TOKEN_POLL: Duration = Duration::from_millis(10);
const TOKEN_POLLS: u32 = 100;

/// Between two looks at what a producer was told; a round trip takes longer.
const MOMENT: Duration = Duration::from_micros(500);

/// What one client hears.
pub(crate) struct Ears {
    token: Option<PathBuf>,
    /// A token was given, or none is wanted.
    shown: Arc<AtomicBool>,
    trouble: Arc<Mutex<Option<String>>>,
    rebalances: Option<UnboundedSender<Told>>,
    going: Arc<Going>,
}

/// How a member leaves its group. librdkafka does not end a client that asked for partitions and was not told that they
/// were given up; whoever goes may have heard of that and said nothing yet, or hear of it on the way. (What it gives
/// wants no answer of one who goes: given one, it takes back in the same moment, and an answer to that may be
/// waited for without end.)
#[derive(Default)]
pub(crate) struct Going {
    gone: AtomicBool,
    /// What the group asked for last, until it has an answer.
    asked: Mutex<Option<TopicPartitionList>>,
}

impl Going {
    fn asked(&self) -> MutexGuard<'_, Option<TopicPartitionList>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the group asked for is being given up.
    pub(crate) fn answered(&self) {
        *self.asked() = None;
    }

    /// Gives up what was asked for, and from now on whatever will be, at once.
    pub(crate) fn go(&self, consumer: &BaseConsumer<Ears>) {
        self.gone.store(true, Ordering::SeqCst);
        if let Some(list) = self.asked().take() {
            let _ = consumer.incremental_unassign(&list);
        }
    }
}

impl Ears {
    pub(crate) fn new(broker: &Broker) -> Ears {
        let token = broker.token();
        let shown = Arc::new(AtomicBool::new(token.is_none()));
        Ears { token, shown, trouble: Arc::default(), rebalances: None, going: Arc::default() }
    }

    pub(crate) fn with_rebalances(mut self, told: UnboundedSender<Told>) -> Ears {
        self.rebalances = Some(told);
        self
    }

    /// How its client goes.
    pub(crate) fn going(&self) -> Arc<Going> {
        self.going.clone()
    }

    /// What keeps the client from its broker, as far as it knows.
    pub(crate) fn trouble(&self) -> Arc<Mutex<Option<String>>> {
        self.trouble.clone()
    }

    /// Whether a token was given, where one is wanted.
    pub(crate) fn shown(&self) -> Arc<AtomicBool> {
        self.shown.clone()
    }

    fn note(&self, what: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }
}

/// A client asks for its token when it is polled, and nothing that it is asked meanwhile is answered: it is polled
/// until it has one.
pub(crate) fn show_token(shown: &AtomicBool, mut poll: impl FnMut(Duration)) {
    for _ in 0..TOKEN_POLLS {
        if shown.load(Ordering::SeqCst) {
            return;
        }
        poll(TOKEN_POLL);
    }
}

/// Hears what came to a producer, and lets a moment pass. The client's own `poll` counts in whole milliseconds and
/// spins through what is less; so it is asked for what is there, and the thread rests. Where a thread may block.
#[expect(clippy::disallowed_methods, reason = "a producer has no bell that could be waited for")]
pub(crate) fn listen(producer: &BaseProducer<Ears>) {
    producer.poll(Duration::ZERO);
    std::thread::sleep(MOMENT);
}

/// The trouble that was noted, if any.
pub(crate) fn heard(trouble: &Mutex<Option<String>>) -> Option<String> {
    trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl ClientContext for Ears {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug | RDKafkaLogLevel::Notice => {
                tracing::debug!(facility, "{message}");
            }
            _ => ClientSaid { facility: facility.to_owned(), said: message.to_owned() }.tell(),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let own = matches!(code, Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::PartitionEOF));
        tracing::debug!(?code, reason, "told");
        if own {
            return;
        }
        let authentication = code == Some(RDKafkaErrorCode::Authentication);
        self.note(if authentication { format!("authentication failed: {reason}") } else { reason.to_owned() });
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let file = self.token.as_ref().ok_or("no file has a token")?;
        // One that cannot be read is not there after another poll either.
        self.shown.store(true, Ordering::SeqCst);
        let token = std::fs::read_to_string(file).map_err(|e| format!("the token in {}: {e}", file.display()))?;
        let token = token.trim().to_owned();
        let expires = expiry(&token).and_then(|at| i64::try_from(at.as_millis()).ok());
        let lifetime_ms = expires.unwrap_or_else(|| (SystemClock::new().now() + TOKEN_LIFE).millis());
        Ok(OAuthToken { token, principal_name: "evenkeel".to_owned(), lifetime_ms })
    }
}

/// When a JWT expires, since 1970 (RFC 7519, `exp`).
fn expiry(token: &str) -> Option<Duration> {
    use base64::Engine;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let text = String::from_utf8(claims).ok()?;
    let after = text.split_once("\"exp\"")?.1.trim_start().strip_prefix(':')?.trim_start();
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(Duration::from_secs)
}

impl ConsumerContext for Ears {
    /// Nothing is given or taken here: who owns the partitions says when ([`crate::Member`]).
    fn rebalance(&self, consumer: &BaseConsumer<Ears>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let given = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let partitions = list.elements().iter().filter_map(|e| u32::try_from(e.partition()).ok()).collect();
        let lost = !given && consumer.assignment_lost();
        let heard = self.rebalances.as_ref().filter(|_| !self.going.gone.load(Ordering::SeqCst));
        match heard {
            Some(told) => {
                *self.going.asked() = (!given).then(|| list.clone());
                let _ = told.send(Told { given, lost, partitions });
            }
            None if given => {}
            None => drop(consumer.incremental_unassign(list)),
        }
    }
}

impl ProducerContext for Ears {
    type DeliveryOpaque = Box<Report>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Box<Report>) {
        report.came(match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::expiry;

    #[test]
    fn a_token_says_itself_when_it_expires() {
        // {"sub":"a", "exp" : 1795219200}
        let token = "e30.eyJzdWIiOiJhIiwgImV4cCIgOiAxNzk1MjE5MjAwfQ.sig";
        assert_eq!(expiry(token), Some(Duration::from_secs(1_795_219_200)));
        assert_eq!(expiry("opaque"), None);
        assert_eq!(expiry("e30.e30.x"), None);
    }
}
