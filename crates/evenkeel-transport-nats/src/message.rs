//! Messages of NATS as parcels, and back.

use async_nats::HeaderMap;
use bytes::Bytes;
use evenkeel_model::{Record, Timestamp};
use evenkeel_transport::{Parcel, Style};

/// What the server's own headers begin with.
const SERVERS_OWN: &str = "Nats-";

/// A message as a record.
pub(crate) fn record(headers: Option<&HeaderMap>, body: Bytes, key: Option<Bytes>, created: Timestamp) -> Record {
    let mut parcel = Parcel { headers: Vec::new(), body };
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        let name: &str = name.as_ref();
        if !name.starts_with(SERVERS_OWN) {
            parcel.headers.extend(values.iter().map(|value| (name.to_owned(), value.as_str().to_owned())));
        }
    }
    parcel.into_record(Style::Nats, key, created)
}

/// A parcel as a message.
pub(crate) fn message(parcel: Parcel) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    for (name, value) in &parcel.headers {
        headers.append(name.as_str(), value.as_str());
    }
    (headers, parcel.body)
}
