//! Chains of events that are followed: checked, written back, said in words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_watch::ChainRule;

use super::checked::{duration, positive, unknown, value};
use super::plan::Plan;
use super::raw::chains as raw;
use super::units::show_duration;
use crate::error::Error;

/// A chain, and where its events are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// What is followed.
    pub rule: ChainRule,
    /// The topics that its events are in.
    pub topics: Vec<Arc<str>>,
}

pub(super) fn read(raw: BTreeMap<String, raw::Chain>, plan: &Plan) -> Result<Vec<Chain>, Error> {
    raw.into_iter().map(|(name, chain)| one(&name, chain, plan)).collect()
}

fn one(name: &str, raw: raw::Chain, plan: &Plan) -> Result<Chain, Error> {
    let key = |part: &str| format!("chains.{name}.{part}");
    if raw.topics.is_empty() {
        return Err(value(&key("topics"), "is empty").hint("name the topics that its events are in"));
    }
    let known: Vec<&str> = plan.topics.iter().map(|topic| &*topic.name).collect();
    if let Some(wrong) = raw.topics.iter().find(|topic| !known.contains(&topic.as_str())) {
        return Err(unknown(&key("topics"), "topic", wrong, &known));
    }
    if raw.steps.len() < 2 {
        return Err(
            value(&key("steps"), "names fewer than two types").hint("the first begins a chain, the last ends it")
        );
    }
    if let Some(twice) =
        raw.steps.iter().enumerate().find_map(|(i, step)| raw.steps[..i].contains(step).then_some(step))
    {
        return Err(value(&key("steps"), format!("`{twice}` is there twice")));
    }
    let open = raw.open.unwrap_or(100_000);
    if open == 0 {
        return Err(value(&key("open"), "0 would follow none"));
    }
    let within = positive(&key("within"), duration(&key("within"), &raw.within, Duration::from_secs(3_600))?)?;
    let steps = raw.steps.iter().map(|step| Arc::from(step.as_str())).collect();
    Ok(Chain {
        rule: ChainRule { name: Arc::from(name), steps, within, open_max: open as usize },
        topics: raw.topics.iter().map(|topic| Arc::from(topic.as_str())).collect(),
    })
}

/// The form that is written, with every default filled in.
pub(super) fn written(chain: &Chain) -> raw::Chain {
    let texts = |all: &[Arc<str>]| all.iter().map(ToString::to_string).collect();
    raw::Chain {
        topics: texts(&chain.topics),
        steps: texts(&chain.rule.steps),
        within: Some(show_duration(chain.rule.within)),
        open: u32::try_from(chain.rule.open_max).ok(),
    }
}

/// A chain in words.
pub(super) fn explain(chain: &Chain) -> String {
    let rule = &chain.rule;
    format!(
        "Chain {}: {} in {}, by correlationid, late after {}; {} are followed at once.",
        rule.name,
        rule.steps.join(" → "),
        chain.topics.join(", "),
        show_duration(rule.within),
        rule.open_max,
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config;

    const FILE: &str = "topics: { orders: {} }\nchains: { shop: { topics: [ orders ], steps: [ Placed, Shipped ] } }\n";

    #[test]
    fn a_chain_is_explained_and_written_back() {
        let plan = config::parse(FILE, Path::new("/")).unwrap();
        let words = config::explain(&plan);
        assert!(words.contains("Chain shop: Placed → Shipped in orders, by correlationid, late after 1h"), "{words}");
        assert_eq!(config::parse(&config::effective(&plan), Path::new("/")).unwrap().chains, plan.chains);
    }

    #[test]
    fn a_wrong_chain_is_refused_with_field_value_and_fix() {
        for (from, to, says) in [
            ("[ orders ]", "[ ordres ]", "chains.shop.topics`: there is no topic `ordres`"),
            ("[ orders ]", "[]", "chains.shop.topics`: is empty"),
            ("Placed, Shipped", "Placed", "chains.shop.steps`: names fewer than two"),
            ("Placed, Shipped", "Placed, Placed", "chains.shop.steps`: `Placed` is there twice"),
            ("steps:", "within: 0s, steps:", "chains.shop.within`: must be more than 0"),
            ("steps:", "open: 0, steps:", "chains.shop.open`: 0 would follow none"),
        ] {
            let error = config::parse(&FILE.replacen(from, to, 1), Path::new("/")).unwrap_err();
            assert!(error.message.contains(says), "{to}: {error}");
        }
    }
}
