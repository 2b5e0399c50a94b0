//! Filters as they are written: `{ type: OrderCreated }`, `{ prefix: { type: Order } }`,
//! `{ any: [ … ] }`, `{ not: { … } }`. A plain map means that all of it must match.

use evenkeel_cloudevents::filter::Filter;
use serde_json::Value;

use super::value;
use crate::config::nearest;
use crate::error::{Error, codes};

const OPERATORS: [&str; 6] = ["all", "any", "not", "exact", "prefix", "suffix"];
const ATTRIBUTES: [&str; 8] =
    ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "specversion"];

/// The filter that this value means.
pub(super) fn read(at: &str, written: &Value) -> Result<Filter, Error> {
    let Value::Object(map) = written else {
        return Err(value(at, "a filter is a map, like `{ type: OrderCreated }`"));
    };
    let mut parts = Vec::new();
    for (name, argument) in map {
        let at = format!("{at}.{name}");
        match name.as_str() {
            "all" => parts.push(Filter::All(list(&at, argument)?)),
            "any" => parts.push(Filter::Any(list(&at, argument)?)),
            "not" => parts.push(Filter::Not(Box::new(read(&at, argument)?))),
            "exact" => parts.extend(texts(&at, argument)?.into_iter().map(|(n, v)| Filter::Exact(n, v))),
            "prefix" => parts.extend(texts(&at, argument)?.into_iter().map(|(n, v)| Filter::Prefix(n, v))),
            "suffix" => parts.extend(texts(&at, argument)?.into_iter().map(|(n, v)| Filter::Suffix(n, v))),
            attribute => {
                meant(&at, attribute)?;
                parts.push(exact(&at, attribute, argument)?);
            }
        }
    }
    match parts.len() {
        0 => Err(value(at, "an empty filter: leave it out to get every event")),
        1 => Ok(parts.remove(0)),
        _ => Ok(Filter::All(parts)),
    }
}

/// A near miss of a core attribute may be an extension; whoever means one says so. A filter on `typ`
/// would match nothing, and its events would be gone as `filtered`.
fn meant(at: &str, name: &str) -> Result<(), Error> {
    if name == "sql" {
        let error =
            Error::new(codes::CONFIG_UNKNOWN_KEY, format!("unknown key `{at}`: the dialect `sql` is not spoken"));
        return Err(error.hint("write it with all, any, not, exact, prefix and suffix"));
    }
    let near = |core: &&&str| core.len() > 3 && **core != name && strsim::osa_distance(core, name) == 1;
    match ATTRIBUTES.iter().find(near) {
        Some(core) => {
            let error = Error::new(codes::CONFIG_UNKNOWN_KEY, format!("`{at}` is no attribute that every event has"));
            let hint = format!("did you mean `{core}`? An extension of that name is written `exact: {{ {name}: … }}`");
            Err(error.hint(hint))
        }
        None => Ok(()),
    }
}

fn exact(at: &str, name: &str, argument: &Value) -> Result<Filter, Error> {
    attribute(at, name)?;
    match argument {
        Value::Array(any) => Ok(Filter::Any(
            any.iter().map(|v| Ok(Filter::Exact(name.to_owned(), text(at, v)?))).collect::<Result<_, Error>>()?,
        )),
        one => Ok(Filter::Exact(name.to_owned(), text(at, one)?)),
    }
}

fn list(at: &str, argument: &Value) -> Result<Vec<Filter>, Error> {
    let Value::Array(parts) = argument else { return Err(value(at, "takes a list of filters")) };
    if parts.is_empty() {
        return Err(value(at, "the list is empty"));
    }
    parts.iter().enumerate().map(|(i, part)| read(&format!("{at}[{i}]"), part)).collect()
}

fn texts(at: &str, argument: &Value) -> Result<Vec<(String, String)>, Error> {
    let Value::Object(map) = argument else { return Err(value(at, "takes a map of attributes")) };
    if map.is_empty() {
        return Err(value(at, "names no attribute"));
    }
    map.iter()
        .map(|(name, v)| {
            let at = format!("{at}.{name}");
            attribute(&at, name)?;
            Ok((name.clone(), text(&at, v)?))
        })
        .collect()
}

fn text(at: &str, argument: &Value) -> Result<String, Error> {
    match argument {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        _ => Err(value(at, "takes text")),
    }
}

/// Attribute names are lower-case letters and digits; any such name may be an extension.
fn attribute(at: &str, name: &str) -> Result<(), Error> {
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return Ok(());
    }
    let error = Error::new(codes::CONFIG_UNKNOWN_KEY, format!("unknown key `{at}`: no attribute can be called so"));
    match nearest(name, OPERATORS.into_iter().chain(ATTRIBUTES)) {
        Some(right) => Err(error.hint(format!("did you mean `{right}`?"))),
        None => Err(error),
    }
}
