//! What both sinks share: events of ten messages a call, each answered by itself.

use evenkeel_delivery::ports::{Outgoing, Placed, SinkError, Unsent};

use crate::message::Message;
use crate::trouble::Trouble;

/// What came of one event.
pub(crate) type Sent = Result<Placed, SinkError>;

/// So many messages a call takes.
pub(crate) const CALL_MAX: usize = 10;
/// So many calls are on their way at a time.
pub(crate) const TOGETHER: usize = 8;
/// The longest group id.
const GROUP_MAX: usize = 128;

/// A message that is ready to go.
pub(crate) struct Ready {
    /// Which event of the batch.
    pub(crate) number: usize,
    pub(crate) message: Message,
    /// In a FIFO queue or topic.
    pub(crate) group: Option<String>,
    /// The identity of the effect.
    pub(crate) id: String,
}

/// What a call answered, entry by entry; an entry is called by the number of its event.
pub(crate) struct Answered {
    pub(crate) done: Vec<String>,
    pub(crate) refused: Vec<Refused>,
}

/// The entry of a batch that failed.
pub(crate) struct Refused {
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A sink that can't be opened for want of a setting.
pub(crate) fn denied(message: String) -> SinkError {
    SinkError { unsent: Unsent::Denied, message }
}

/// Of a sink that could not be opened: nothing was sent.
pub(crate) fn unsent(trouble: &Trouble) -> Unsent {
    if trouble.unsent == Unsent::Unknown { Unsent::Unreachable } else { trouble.unsent }
}

/// The messages of these events, and the answers to those that are too large.
pub(crate) fn ready(to: &str, events: &[&Outgoing], fifo: bool, size_max: usize) -> (Vec<Ready>, Vec<Option<Sent>>) {
    let mut answers = Vec::with_capacity(events.len());
    let mut ready = Vec::with_capacity(events.len());
    for (number, event) in events.iter().enumerate() {
        let group = fifo.then(|| group(event));
        let message = message(event, group.as_deref());
        let size = message.size();
        let too_large = format!(
            "{to}: the event `{}` makes a message of {size} bytes, and {size_max} are allowed; keep the payload elsewhere and send where it is",
            event.event.id.id
        );
        let refused = SinkError { unsent: Unsent::Never, message: too_large };
        answers.push((size > size_max).then_some(Err(refused)));
        if size <= size_max {
            ready.push(Ready { number, message, group, id: event.id.to_hex() });
        }
    }
    (ready, answers)
}

/// As one goes to the topics of Kafka, in the binding of AWS.
fn message(event: &Outgoing, group: Option<&str>) -> Message {
    let mut record = evenkeel_transport::record(event);
    record.key = event.key.clone();
    record.created = event.created;
    Message::of(&record, group)
}

/// The key, where AWS can say it; without a key a lane of its own.
fn group(event: &Outgoing) -> String {
    let Some(key) = &event.key else { return event.id.to_hex() };
    let plain = |text: &&str| !text.is_empty() && text.len() <= GROUP_MAX && text.bytes().all(|b| b.is_ascii_graphic());
    match str::from_utf8(key).ok().filter(plain) {
        Some(text) => text.to_owned(),
        None => evenkeel_delivery::Mark::of("group", "", &String::from_utf8_lossy(key)).to_hex(),
    }
}

/// Parts of which each is no larger than a call may be.
pub(crate) fn by_size(ready: Vec<Ready>, size_max: usize) -> Vec<Vec<Ready>> {
    let mut parts: Vec<Vec<Ready>> = Vec::new();
    let mut size = 0;
    for one in ready {
        let own = one.message.size();
        match parts.last_mut().filter(|part| part.len() < CALL_MAX && size + own <= size_max) {
            Some(part) => part.push(one),
            None => {
                parts.push(vec![one]);
                size = 0;
            }
        }
        size += own;
    }
    parts
}

/// Enters what a call answered for the events of `part`.
pub(crate) fn enter(answers: &mut [Option<Sent>], to: &str, part: &[usize], came: Result<Answered, Trouble>) {
    let failed = |trouble: &Trouble| Err(SinkError { unsent: trouble.unsent, message: format!("{to}: {trouble}") });
    for number in part {
        let is_it = |id: &String| id.parse() == Ok(*number);
        let answer = match &came {
            Err(trouble) => failed(trouble),
            Ok(answered) if answered.done.iter().any(is_it) => Ok(Placed::default()),
            Ok(answered) => match answered.refused.iter().find(|one| is_it(&one.id)) {
                Some(one) => failed(&Trouble::said(&one.code, &one.message)),
                None => failed(&Trouble::said("NoAnswer", "the call was answered, and this entry of it was not")),
            },
        };
        answers[*number] = Some(answer);
    }
}

/// All answers; what has none was not sent.
pub(crate) fn all(answers: Vec<Option<Sent>>) -> Vec<Sent> {
    let unsent = || Err(SinkError { unsent: Unsent::Unreachable, message: "it was not sent".to_owned() });
    answers.into_iter().map(|answer| answer.unwrap_or_else(unsent)).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use evenkeel_delivery::Mark;
    use evenkeel_delivery::ports::{Outgoing, Unsent};
    use evenkeel_model::{Event, Timestamp};

    use super::{Answered, Refused, all, by_size, enter, group, ready};

    fn event(key: &str, size: usize) -> Outgoing {
        let mut event = Event::new("/s", "1", "T");
        event.data = Some(Bytes::from(vec![b'x'; size]));
        let key = (!key.is_empty()).then(|| Bytes::from(key.to_owned()));
        Outgoing { event, key, headers: Vec::new(), created: Timestamp::EPOCH, id: Mark([7; 16]) }
    }

    #[test]
    fn the_group_is_the_key_or_what_stands_for_it() {
        assert_eq!(group(&event("anna", 0)), "anna");
        assert_eq!(group(&event("", 0)), Mark([7; 16]).to_hex());
        let (one, two) = (group(&event("with space", 0)), group(&event(&"k".repeat(200), 0)));
        assert_eq!((one.len(), two.len()), (32, 32));
        assert_ne!(one, two);
        assert_eq!(one, group(&event("with space", 9)), "equal keys, equal groups");
    }

    #[test]
    fn what_is_too_large_is_refused_and_its_neighbours_go_in_calls_that_fit() {
        let events = [event("a", 10), event("b", 4000), event("c", 900), event("d", 900)];
        let events: Vec<&Outgoing> = events.iter().collect();
        let (ready, answers) = ready("SQS", &events, true, 2000);
        let refused = answers[1].as_ref().unwrap().as_ref().unwrap_err();
        assert_eq!(refused.unsent, Unsent::Never);
        assert!(refused.message.contains("and 2000 are allowed"), "{refused}");
        let parts: Vec<Vec<usize>> =
            by_size(ready, 2000).iter().map(|part| part.iter().map(|one| one.number).collect()).collect();
        assert_eq!(parts, [vec![0, 2], vec![3]]);
    }

    #[test]
    fn each_entry_of_a_batch_has_its_own_answer() {
        let mut answers = vec![None, None, None, None];
        let refused = Refused { id: "1".into(), code: "ThrottlingException".into(), message: "slow".into() };
        let answered = Answered { done: vec!["0".into()], refused: vec![refused] };
        enter(&mut answers, "SQS", &[0, 1, 2], Ok(answered));
        let answers = all(answers);
        assert!(answers[0].is_ok());
        assert_eq!(answers[1].as_ref().unwrap_err().unsent, Unsent::Overload);
        assert_eq!(answers[2].as_ref().unwrap_err().unsent, Unsent::Unknown, "nobody spoke of it");
        assert_eq!(answers[3].as_ref().unwrap_err().unsent, Unsent::Unreachable, "it was in no call");
    }
}
