//! Where a value of an event is: `{ attribute: orderid }`, `{ header: x-id }` or `{ pointer: /order/id }`.

use evenkeel_delivery::Policy;
use evenkeel_transport::Pick;

use super::value;
use crate::config::plan::TopicPlan;
use crate::config::raw::pick as raw;
use crate::error::Error;

/// The versions of more keys than this are not remembered.
const KEYS_MAX: u32 = 1_000_000;

/// What a subscription looks at.
pub(super) struct Picked {
    pub(super) identity: Option<Pick>,
    pub(super) sequence: Option<Pick>,
    pub(super) versions: usize,
}

/// What a subscription says, or else its topic; `at` ends with a dot.
pub(super) fn of(
    at: &str,
    own: Option<raw::Pick>,
    sequence_of: Option<raw::Sequence>,
    topic: Option<&TopicPlan>,
) -> Result<Picked, Error> {
    let own = own.map(|written| identity(&format!("{at}identity"), written)).transpose()?;
    let (sequence, versions) = match (sequence(&format!("{at}sequence"), sequence_of)?, topic) {
        ((None, _), Some(TopicPlan { sequence: Some((pick, keys)), .. })) => (Some(pick.clone()), *keys),
        (own, _) => own,
    };
    let identity = own.or_else(|| topic.and_then(|topic| topic.identity.clone()));
    Ok(Picked { identity, sequence, versions })
}

/// What identifies an event.
pub(super) fn identity(at: &str, raw: raw::Pick) -> Result<Pick, Error> {
    one(at, raw.attribute, raw.header, raw.pointer)
}

/// Which version of its key an event is, and of how many keys that is remembered.
pub(super) fn sequence(at: &str, raw: Option<raw::Sequence>) -> Result<(Option<Pick>, usize), Error> {
    let default = Policy::default().versions;
    let Some(raw) = raw else { return Ok((None, default)) };
    let keys = raw.keys.map_or(default, |keys| keys as usize);
    if raw.keys.is_some_and(|keys| !(1..=KEYS_MAX).contains(&keys)) {
        return Err(value(&format!("{at}.keys"), format!("{keys} is not between 1 and {KEYS_MAX}")));
    }
    Ok((Some(one(at, raw.attribute, raw.header, raw.pointer)?), keys))
}

fn one(at: &str, attribute: Option<String>, header: Option<String>, pointer: Option<String>) -> Result<Pick, Error> {
    let hint = "write one of `{ attribute: NAME }`, `{ header: NAME }`, `{ pointer: /PATH }`";
    match (attribute, header, pointer) {
        (Some(name), None, None) => {
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            match !name.is_empty() && name.chars().all(legal) {
                true => Ok(Pick::Attribute(name)),
                false => Err(value(
                    &format!("{at}.attribute"),
                    format!("`{name}` cannot be an attribute: their names are a-z and 0-9"),
                )),
            }
        }
        (None, Some(name), None) if !name.is_empty() => Ok(Pick::Header(name)),
        (None, None, Some(pointer)) if pointer.starts_with('/') => Ok(Pick::Pointer(pointer)),
        (None, None, Some(pointer)) => Err(value(
            &format!("{at}.pointer"),
            format!("`{pointer}` is no JSON pointer: they begin with `/`, like `/order/id`"),
        )),
        (None, _, None) => Err(value(at, "says not where the value is").hint(hint)),
        _ => Err(value(at, "names several places").hint(hint)),
    }
}
