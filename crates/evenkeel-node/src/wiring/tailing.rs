//! What lies in a topic at a broker, page by page, for whoever looks.

use std::sync::Arc;

use evenkeel_delivery::ports::BoxFuture;
use evenkeel_model::{Clock, Stored, Timestamp};

use crate::config::brokers::Home;
use crate::error::Error;

/// Where to begin.
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "an adapter reads it, and none is built in"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Begin {
    Earliest,
    Latest,
    Offset(u64),
    Time(Timestamp),
}

/// The next offset of each partition.
pub(crate) type Places = Vec<(u32, u64)>;

/// Some records, and where the next page begins.
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "an adapter makes it, and none is built in"))]
pub(crate) struct Page {
    pub(crate) records: Vec<Stored>,
    pub(crate) next: Places,
}

/// Where each partition begins, of all or of one; `None`: there is no such topic.
pub(crate) fn places(home: &Home, only: Option<u32>, from: Begin) -> BoxFuture<'_, Result<Option<Places>, Error>> {
    #[cfg(feature = "kafka")]
    if home.broker.kind == crate::config::brokers::BrokerKind::Kafka {
        return Box::pin(kafka::places(home, only, from));
    }
    let _ = (only, from);
    Box::pin(std::future::ready(Err(super::overlay::not_read(&home.broker))))
}

/// Up to so many records, and where the next page begins; `None`: there is no such topic.
pub(crate) fn page<'a>(
    home: &'a Home,
    clock: &'a Arc<dyn Clock>,
    places: Places,
    max: usize,
) -> BoxFuture<'a, Result<Option<Page>, Error>> {
    #[cfg(feature = "kafka")]
    if home.broker.kind == crate::config::brokers::BrokerKind::Kafka {
        return Box::pin(kafka::page(home, clock, places, max));
    }
    let _ = (clock, places, max);
    Box::pin(std::future::ready(Err(super::overlay::not_read(&home.broker))))
}

#[cfg(feature = "kafka")]
mod kafka {
    use std::sync::Arc;
    use std::time::Duration;

    use evenkeel_model::Clock;
    use evenkeel_transport_kafka::Place;

    use super::{Begin, Page, Places};
    use crate::config::brokers::Home;
    use crate::error::Error;
    use crate::wiring::{failed, kafka::broker};

    /// Who asks waits.
    const WITHIN: Duration = Duration::from_secs(5);

    pub(super) async fn places(home: &Home, only: Option<u32>, from: Begin) -> Result<Option<Places>, Error> {
        let from = match from {
            Begin::Earliest => Place::Earliest,
            Begin::Latest => Place::Latest,
            Begin::Offset(offset) => Place::Offset(offset),
            Begin::Time(at) => Place::Time(at),
        };
        let broker = broker(&home.broker)?;
        evenkeel_transport_kafka::places(&broker, &home.topic, only, from).await.map_err(|e| failed(&e))
    }

    pub(super) async fn page(
        home: &Home,
        clock: &Arc<dyn Clock>,
        places: Places,
        max: usize,
    ) -> Result<Option<Page>, Error> {
        let broker = broker(&home.broker)?;
        let page = evenkeel_transport_kafka::page(&broker, clock.clone(), &home.topic, places, max, WITHIN);
        let read = page.await.map_err(|e| failed(&e))?;
        Ok(read.map(|read| Page { records: read.records, next: read.next }))
    }
}
