//! What the tests of the library share: events, and waiting for what the audit says.

use std::time::Duration;

use evenkeel::{Audit, Evenkeel, Event, SubscriptionAudit};

/// An event of a customer, with `data` as it stands.
pub(crate) fn event(id: impl Into<String>, customer: &str, data: &str) -> Event {
    let mut event = Event::new("/test", id, "OrderCreated");
    event.subject = Some(customer.to_owned());
    event.datacontenttype = Some("application/json".to_owned());
    event.data = Some(data.to_owned().into());
    event
}

/// Waits until the audit says so; each look follows something that became durable.
pub(crate) async fn audited(evenkeel: &Evenkeel, so: impl Fn(&Audit) -> bool) -> Audit {
    let looking = async {
        loop {
            let version = evenkeel.log().version();
            let audit = evenkeel.audit().await.expect("the log can be read");
            if so(&audit) {
                return audit;
            }
            evenkeel.log().beyond(version).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(120), looking).await {
        Ok(audit) => audit,
        Err(_) => panic!("it never came to that: {:#?}", evenkeel.audit().await),
    }
}

/// Waits until every subscription has an outcome for so many events, and nothing is left over.
pub(crate) async fn all_ended(evenkeel: &Evenkeel, appended: u64) -> Audit {
    let ended = |s: &SubscriptionAudit| s.appended == appended && s.in_flight + s.parked + s.unread == 0;
    let audit = audited(evenkeel, |audit| audit.subscriptions.iter().all(ended)).await;
    assert!(audit.ok, "{audit:#?}");
    audit
}
