//! One subscription, as a user declares it: plain settings, nothing running.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_cloudevents::filter::Filter;
use evenkeel_delivery::ports::{Handler, PortError};
use evenkeel_delivery::{Effects, Fallback, Policy};
use evenkeel_model::Clock;
use evenkeel_transport::{From, HttpHandler, HttpSettings, Pick};
use serde::de::DeserializeOwned;

use crate::handler::Typed;
use crate::runtime::FallbackTo;
use crate::{Context, Done, HandlerError};

type MakeHandler = Box<dyn FnOnce(&Subscribe, Arc<dyn Clock>) -> Result<Arc<dyn Handler>, PortError> + Send>;

/// A subscription to be: which topic, which handler, which policy.
///
/// ```
/// use evenkeel::{Context, HandlerError, Policy, RetrySchedule, Subscribe};
///
/// async fn reserve(_: Context, order: serde_json::Value) -> Result<(), HandlerError> {
///     println!("reserving for {order}");
///     Ok(())
/// }
/// let retry = RetrySchedule { attempts: 3, ..RetrySchedule::default() };
/// let inventory = Subscribe::new("inventory", "orders", reserve)
///     .only("OrderCreated")
///     .policy(Policy { retry, ..Policy::default() });
/// # drop(inventory);
/// ```
pub struct Subscribe {
    pub(crate) name: Arc<str>,
    pub(crate) uid: String,
    pub(crate) topic: Arc<str>,
    pub(crate) filter: Option<Filter>,
    pub(crate) from: Option<From>,
    pub(crate) identity: Option<Pick>,
    pub(crate) sequence: Option<Pick>,
    pub(crate) effects: Option<Arc<str>>,
    pub(crate) policy: Policy,
    pub(crate) fallback: Option<FallbackTo>,
    pub(crate) fallback_topic: Option<Arc<str>>,
    make: Option<MakeHandler>,
}

impl Subscribe {
    /// An async function of this process handles the events of `topic`. Its second argument is
    /// the event's data, read from JSON; it returns `()` or events that it caused.
    pub fn new<F, T, Doing, D>(name: &str, topic: &str, function: F) -> Subscribe
    where
        F: Fn(Context, T) -> Doing + Send + Sync + 'static,
        T: DeserializeOwned + 'static,
        Doing: Future<Output = Result<D, HandlerError>> + Send + 'static,
        D: Done,
    {
        Subscribe::made(name, topic, |subscribe, clock| {
            Ok(Arc::new(Typed {
                subscription: subscribe.name.clone(),
                clock,
                publishes: subscribe.effects.is_some(),
                function,
                data: PhantomData,
            }))
        })
    }

    /// A service at `url` handles the events of `topic`, in any language: each is a POST.
    pub fn http(name: &str, topic: &str, url: &str) -> Subscribe {
        let url = url.to_owned();
        Subscribe::made(name, topic, move |subscribe, clock| {
            let settings = HttpSettings::new(url, subscribe.name.clone());
            Ok(Arc::new(HttpHandler::new(settings, clock)?))
        })
    }

    /// Your own [`Handler`] handles the events of `topic`.
    pub fn by(name: &str, topic: &str, handler: Arc<dyn Handler>) -> Subscribe {
        Subscribe::made(name, topic, move |_, _| Ok(handler))
    }

    /// What idempotency keys are derived from, so that they outlive a change of the name; the
    /// name by default.
    #[must_use]
    pub fn uid(mut self, uid: &str) -> Subscribe {
        uid.clone_into(&mut self.uid);
        self
    }

    /// Only events of that type.
    #[must_use]
    pub fn only(self, kind: &str) -> Subscribe {
        self.filter(Filter::Exact("type".to_owned(), kind.to_owned()))
    }

    /// Only events that match.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Subscribe {
        self.filter = Some(filter);
        self
    }

    /// What identifies an event in place of its `id`: two events that agree in it, and in their source, are one.
    #[must_use]
    pub fn identified_by(mut self, pick: Pick) -> Subscribe {
        self.identity = Some(pick);
        self
    }

    /// Which version of its key an event is: one that is older than the last completed one of its key ends as
    /// stale, and is not handled ([`Policy::versions`] says of how many keys that is remembered).
    #[must_use]
    pub fn versioned_by(mut self, pick: Pick) -> Subscribe {
        self.sequence = Some(pick);
        self
    }

    /// Where it begins at its very first start. By default at the beginning of a topic that is
    /// created with it, and behind the last event of one that was there.
    #[must_use]
    pub fn from(mut self, from: From) -> Subscribe {
        self.from = Some(from);
        self
    }

    /// Events that the handler returns are committed to `topic` in one atomic set with the
    /// outcome of the event that caused them: both are there, or neither.
    #[must_use]
    pub fn publishes(mut self, topic: &str) -> Subscribe {
        self.effects = Some(topic.into());
        self
    }

    /// Events that meet a breaker which has been open for `after` go to this handler instead of
    /// waiting, and end as completed, with `fallback` on the record. What it cannot do waits.
    #[must_use]
    pub fn fallback(mut self, after: Duration, handler: Arc<dyn Handler>) -> Subscribe {
        self.policy.fallback = Some(Fallback { after });
        self.fallback = Some(FallbackTo::Handler(handler));
        self
    }

    /// As [`Subscribe::fallback`], into a topic: the event's record goes there in one atomic set
    /// with its outcome.
    #[must_use]
    pub fn fallback_topic(mut self, after: Duration, topic: &str) -> Subscribe {
        self.policy.fallback = Some(Fallback { after });
        (self.fallback, self.fallback_topic) = (Some(FallbackTo::Topic), Some(topic.into()));
        self
    }

    /// How often, how many at once, in which order.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Subscribe {
        // A fallback that was named before stays.
        let fallback = policy.fallback.or(self.policy.fallback);
        self.policy = Policy { fallback, ..policy };
        self
    }

    fn made<M>(name: &str, topic: &str, make: M) -> Subscribe
    where
        M: FnOnce(&Subscribe, Arc<dyn Clock>) -> Result<Arc<dyn Handler>, PortError> + Send + 'static,
    {
        Subscribe {
            name: name.into(),
            uid: name.to_owned(),
            topic: topic.into(),
            filter: None,
            from: None,
            identity: None,
            sequence: None,
            effects: None,
            policy: Policy::default(),
            fallback: None,
            fallback_topic: None,
            make: Some(Box::new(make)),
        }
    }

    pub(crate) fn handler(&mut self, clock: Arc<dyn Clock>) -> Result<Arc<dyn Handler>, PortError> {
        match self.make.take() {
            Some(make) => make(self, clock),
            None => Err(PortError(format!("the handler of subscription `{}` was taken before", self.name))),
        }
    }

    /// The policy that runs: effects are kept exactly when there is a topic for them.
    pub(crate) fn checked_policy(&self) -> Policy {
        let effects = match (&self.effects, self.policy.effects) {
            (Some(_), _) => Effects::Log,
            (None, Effects::Log) => Effects::None,
            (None, other) => other,
        };
        Policy { effects, ..self.policy.clone() }
    }
}
