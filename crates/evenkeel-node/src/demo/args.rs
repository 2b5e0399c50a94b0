//! What can be said to `evenkeel demo` and to its hidden companion `evenkeel shop-service`.

use std::path::PathBuf;
use std::time::Duration;

/// The shop, with its mishaps, and the proof.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// How long the whole of it may take, the proof apart; the load takes two thirds of it.
    #[arg(long = "for", value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub run_for: Duration,
    /// Orders per second of the generator, outside the spike.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub rate: u32,
    /// Publish these orders (JSON lines, also gzipped) in place of generated ones.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// The same seed gives the same orders, the same poison and the same mishaps.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where everything is written; kept afterwards when it is named.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How long nothing may move before it counts as stuck; unless told a third of `--for`, 30s at least, and
    /// 330s while only an incident is open.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub patience: Option<Duration>,
    /// Stay up after the proof.
    #[arg(long)]
    pub keep: bool,
    /// Leave out the playbook: the last mishap must then not resolve.
    #[arg(long)]
    pub no_healing: bool,
    /// Let the node cheat: the proof must say so.
    #[arg(long, hide = true)]
    pub sabotage: Option<Sabotage>,
}

/// How the node cheats, to prove the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// An event is never handed out, and reported as completed.
    Lose,
    /// An event is handed out a second time under another key.
    Twice,
    /// Two events of a key change places.
    Reorder,
    /// The audit's numbers are not the log's.
    Misreport,
}

impl Sabotage {
    /// The name as it stands on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Sabotage::Lose => "lose",
            Sabotage::Twice => "twice",
            Sabotage::Reorder => "reorder",
            Sabotage::Misreport => "misreport",
        }
    }
}

/// One process of the shop.
#[derive(Clone, Debug, clap::Args)]
pub struct ServiceArgs {
    /// Which one.
    #[arg(value_enum)]
    pub role: Role,
    /// Where its book and its port are written.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The port to bind on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// The order desk's plan.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// For `tether`: the program to become, and its arguments.
    #[arg(last = true)]
    pub program: Vec<std::ffi::OsString>,
}

/// The processes of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Publishes orders, and cancels those whose payment died.
    Order,
    /// Reserves and releases.
    Inventory,
    /// Captures.
    Payment,
    /// Ships.
    Shipping,
    /// Takes alerts.
    Hooks,
    /// Becomes another program that ends when its parent does.
    Tether,
}

impl Role {
    /// The name as it stands on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Role::Order => "order",
            Role::Inventory => "inventory",
            Role::Payment => "payment",
            Role::Shipping => "shipping",
            Role::Hooks => "hooks",
            Role::Tether => "tether",
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is not a duration such as 60s or 2m"))?;
    let seconds = match unit {
        "s" | "" => number,
        "m" => number.saturating_mul(60),
        _ => return Err(format!("`{unit}` is no unit of time here: use s or m")),
    };
    match seconds {
        20..=3600 => Ok(Duration::from_secs(seconds)),
        _ => Err("between 20s and 60m: the mishaps need that long".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn a_duration_carries_its_unit_and_fits_the_mishaps() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("5s").is_err());
        assert!(duration("60h").is_err());
        assert!(duration("soon").is_err());
    }
}
