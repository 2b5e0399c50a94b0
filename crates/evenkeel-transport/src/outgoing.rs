//! What goes out to a broker, as a record and as a message.
//!
//! An event goes as one. What was no event where it died, and goes back there, goes as it was: whoever reads it there
//! knows nothing of events.

use evenkeel_cloudevents::kafka::{PLAIN_TYPE, to_record};
use evenkeel_cloudevents::{Parcel, Style};
use evenkeel_delivery::ports::Outgoing;
use evenkeel_model::{Record, names};

/// As a record, in the Kafka binding.
pub fn record(out: &Outgoing) -> Record {
    let goes_back = out.event.kind == PLAIN_TYPE && out.headers.iter().any(|h| h.name == names::REDRIVEN_FROM);
    let mut record = match goes_back {
        true => Record { value: out.event.data.clone(), created: out.created, ..Record::default() },
        false => to_record(&out.event, out.created),
    };
    if goes_back {
        let kind = out.event.datacontenttype.as_deref();
        kind.into_iter().for_each(|kind| record.push_header("content-type", kind.to_owned()));
    }
    // The types of extensions are said by the event itself.
    record.headers.extend(out.headers.iter().filter(|header| header.name != names::EXTENSION_TYPES).cloned());
    if out.key.is_some() {
        record.key.clone_from(&out.key);
    }
    record
}

/// As a message with text headers.
pub fn parcel(out: &Outgoing, style: Style) -> Parcel {
    let mut record = record(out);
    record.key.clone_from(&out.key);
    record.created = out.created;
    Parcel::of(&record, style)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use evenkeel_delivery::Mark;
    use evenkeel_model::{Event, Header, Timestamp};

    use super::*;

    fn out(kind: &str, header: &str) -> Outgoing {
        let mut event = Event::new("/orders/3", "17", kind);
        event.data = Some(Bytes::from_static(b"{}"));
        let header = Header { name: header.to_owned(), value: Some(Bytes::from_static(b"x")) };
        let id = Mark::of("test", "/orders/3", "17");
        Outgoing { event, key: Some("k".into()), headers: vec![header], created: Timestamp::EPOCH, id }
    }

    #[test]
    fn what_was_no_event_goes_back_as_it_was_and_out_as_one() {
        let back = record(&out(PLAIN_TYPE, names::REDRIVEN_FROM));
        assert!(back.headers.iter().all(|header| !header.name.starts_with("ce_")), "{back:?}");
        assert_eq!((back.key.as_deref(), back.value.as_deref()), (Some(&b"k"[..]), Some(&b"{}"[..])));
        let message = parcel(&out(PLAIN_TYPE, names::REDRIVEN_FROM), Style::Amqp);
        assert_eq!((message.get("cloudEvents:id"), &*message.body), (None, &b"{}"[..]));
        for other in [out("Paid", names::REDRIVEN_FROM), out(PLAIN_TYPE, "x-tenant")] {
            assert!(record(&other).header("ce_id").is_some(), "{other:?}");
        }
    }
}
