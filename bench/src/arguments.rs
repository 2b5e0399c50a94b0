//! What the user typed.

use std::path::PathBuf;
use std::time::Duration;

use crate::delivery::{DeliveryPlan, DeliveryTrial};
use crate::log::row;
use crate::log::{Form, LogPlan, TrialPlan};
#[cfg(feature = "brokers")]
use crate::transports::{BROKERS, TransportsPlan};
use crate::trials::Size;
use crate::watch::WatchPlan;

pub(crate) const USAGE: &str = "\
usage: evenkeel-bench chain [--events N] [--runs N] [--data DIR]
       evenkeel-bench delivery [--only NAME,NAME…] [--events N] [--parked N] [--runs N] [--data DIR]
       evenkeel-bench trials [--events N]
       evenkeel-bench log [--row N,N…] [--only NAME,NAME…] [--runs N] [--seconds N] [--long] [--workers N] [--data DIR]
                          [--output table|json]
       evenkeel-bench watch [--only NAME,NAME…] [--outcomes N] [--objectives N] [--delivered N] [--stories N] [--runs N] [--data DIR]
       evenkeel-bench transports [--only NAME,NAME…] [--events N] [--runs N] [--data DIR]   (with the feature `brokers`)";

pub(crate) enum Command {
    Chain(Plan),
    Delivery(DeliveryPlan),
    DeliveryTrial(DeliveryTrial),
    Log(LogPlan),
    Trial(TrialPlan),
    Watch(WatchPlan),
    Trials(Size),
    #[cfg(feature = "brokers")]
    Transports(TransportsPlan),
    Sink,
}

/// How much is measured, and where the log lies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Events of one run at full speed.
    pub(crate) events: u64,
    /// Runs; the table shows medians.
    pub(crate) runs: usize,
    /// A folder on the disk to be measured; that of this program by default.
    pub(crate) data: Option<PathBuf>,
}

pub(crate) fn parse(words: &[String]) -> Result<Command, String> {
    let mut words = words.iter().map(String::as_str);
    match words.next() {
        Some("chain") => chain(words).map(Command::Chain),
        Some("delivery") => delivery(words).map(Command::Delivery),
        Some("delivery-trial") => delivery_trial(words).map(Command::DeliveryTrial),
        Some("log") => log(words).map(Command::Log),
        Some("log-trial") => trial(words).map(Command::Trial),
        Some("watch") => watch(words).map(Command::Watch),
        Some("trials") => tried(words).map(Command::Trials),
        #[cfg(feature = "brokers")]
        Some("transports") => transports(words).map(Command::Transports),
        Some("sink") => Ok(Command::Sink),
        Some(other) => Err(format!("`{other}` is not a benchmark")),
        None => Err("name a benchmark".to_owned()),
    }
}

fn chain<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Plan, String> {
    let mut plan = Plan { events: 50_000, runs: 3, data: None };
    while let Some(flag) = words.next() {
        let value = value(flag, &mut words)?;
        match flag {
            "--events" => plan.events = count(value)?,
            "--runs" => plan.runs = size(value)?,
            "--data" => plan.data = Some(value.into()),
            other => return Err(not_an_option(other)),
        }
    }
    Ok(plan)
}

fn delivery<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<DeliveryPlan, String> {
    let mut plan = DeliveryPlan::default();
    while let Some(flag) = words.next() {
        let value = value(flag, &mut words)?;
        match flag {
            "--only" => plan.only = trials(value)?,
            "--events" => plan.events = count(value)?,
            "--parked" => plan.parked = count(value)?,
            "--runs" => plan.runs = size(value)?,
            "--data" => plan.data = Some(value.into()),
            other => return Err(not_an_option(other)),
        }
    }
    Ok(plan)
}

#[cfg(feature = "brokers")]
fn transports<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<TransportsPlan, String> {
    let mut plan = TransportsPlan::default();
    while let Some(flag) = words.next() {
        let value = value(flag, &mut words)?;
        match flag {
            "--only" => plan.only = value.split(',').map(broker).collect::<Result<_, _>>()?,
            "--events" => plan.events = count(value)?,
            "--runs" => plan.runs = size(value)?,
            "--data" => plan.data = Some(value.into()),
            other => return Err(not_an_option(other)),
        }
    }
    Ok(plan)
}

#[cfg(feature = "brokers")]
fn broker(name: &str) -> Result<String, String> {
    let known = BROKERS.map(|(name, _)| name);
    known.contains(&name).then(|| name.to_owned()).ok_or_else(|| format!("`{name}` is none of {}", known.join(", ")))
}

fn trials(value: &str) -> Result<Vec<String>, String> {
    let known = |name: &str| crate::delivery::TRIALS.contains(&name);
    let all = crate::delivery::TRIALS.join(", ");
    let one = |name: &str| known(name).then(|| name.to_owned()).ok_or_else(|| format!("`{name}` is none of {all}"));
    value.split(',').map(one).collect()
}

/// The words that `delivery` calls this program with again, once for each trial.
fn delivery_trial<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<DeliveryTrial, String> {
    let mut next = |what: &str| words.next().ok_or_else(|| format!("a trial needs {what}"));
    Ok(DeliveryTrial {
        name: next("a name")?.to_owned(),
        events: count(next("events")?)?,
        parked: count(next("parked events")?)?,
        folder: next("a folder")?.into(),
    })
}

fn tried<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Size, String> {
    let mut size = Size::FULL;
    while let Some(flag) = words.next() {
        match flag {
            "--events" => size.events = count(value(flag, &mut words)?)?,
            other => return Err(not_an_option(other)),
        }
    }
    Ok(size)
}

fn log<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<LogPlan, String> {
    let mut plan = LogPlan::default();
    while let Some(flag) = words.next() {
        if flag == "--long" {
            plan.long = true;
            continue;
        }
        let value = value(flag, &mut words)?;
        match flag {
            "--row" => plan.rows = value.split(',').map(count).collect::<Result<_, _>>()?,
            "--only" => plan.only = value.split(',').map(str::to_owned).collect(),
            "--runs" => plan.runs = Some(size(value)?),
            "--seconds" => plan.seconds = Some(Duration::from_secs(count(value)?)),
            "--workers" => plan.workers = Some(size(value)?),
            "--data" => plan.data = Some(value.into()),
            "--output" => plan.form = form(value)?,
            other => return Err(not_an_option(other)),
        }
    }
    Ok(plan)
}

fn watch<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<WatchPlan, String> {
    let mut plan = WatchPlan::default();
    while let Some(flag) = words.next() {
        let value = value(flag, &mut words)?;
        match flag {
            "--outcomes" => plan.outcomes = count(value)?,
            "--objectives" => plan.objectives = count(value)?,
            "--stories" => plan.stories = count(value)?,
            "--delivered" => plan.delivered = count(value)?,
            "--only" => plan.only = watch_rows(value)?,
            "--data" => plan.data = Some(value.into()),
            "--runs" => plan.runs = size(value)?,
            other => return Err(not_an_option(other)),
        }
    }
    Ok(plan)
}

fn watch_rows(value: &str) -> Result<Vec<String>, String> {
    let known = |name: &str| crate::watch::ROWS.contains(&name);
    let all = crate::watch::ROWS.join(", ");
    let one = |name: &str| known(name).then(|| name.to_owned()).ok_or_else(|| format!("`{name}` is none of {all}"));
    value.split(',').map(one).collect()
}

/// The words that `log` calls this program with again, once for each trial.
fn trial<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<TrialPlan, String> {
    let mut next = |what: &str| words.next().ok_or_else(|| format!("a trial needs {what}"));
    let row = count(next("a row")?)?;
    let name = next("a name")?;
    let row = row::rows().into_iter().find(|r| r.number == row).ok_or_else(|| format!("there is no row {row}"))?;
    let trial = row.trials.into_iter().find(|t| t.name == name).ok_or_else(|| format!("`{name}` is not in it"))?;
    Ok(TrialPlan {
        trial,
        seconds: Duration::from_secs(count(next("seconds")?)?),
        long: next("a length")? == "long",
        workers: size(next("workers")?)?,
        write_bytes: size(next("bytes of a write")?)?,
        folder: next("a folder")?.into(),
    })
}

fn value<'a>(flag: &str, words: &mut impl Iterator<Item = &'a str>) -> Result<&'a str, String> {
    words.next().ok_or_else(|| format!("`{flag}` needs a value"))
}

fn count(value: &str) -> Result<u64, String> {
    value.parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(|| format!("`{value}` is no count"))
}

fn size(value: &str) -> Result<usize, String> {
    usize::try_from(count(value)?).map_err(|error| error.to_string())
}

fn form(value: &str) -> Result<Form, String> {
    match value {
        "table" => Ok(Form::Table),
        "json" => Ok(Form::Json),
        other => Err(format!("`{other}` is neither table nor json")),
    }
}

fn not_an_option(word: &str) -> String {
    format!("`{word}` is not an option")
}
