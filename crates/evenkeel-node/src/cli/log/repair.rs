//! `evenkeel log repair`: gives up what is damaged. Without `--yes` it only says what that is, and
//! exits with 3 when there is anything.

use std::sync::Arc;

use evenkeel_log::{Options, Repair, Repaired};
use evenkeel_model::SystemClock;
use serde_json::{Value, json};

use super::super::output::print;
use super::{Folder, disk, unopened};
use crate::error::{Error, codes};
use crate::forms::damage;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// Do it; there is no way back but a copy of the folder
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let Folder { data, output } = &args.folder;
    let repair = Repair::plan(disk(data)?, Options::default()).map_err(|e| unopened(data, &e))?;
    let planned = repair.outcome().clone();
    let done = args.yes && !planned.damage.is_empty();
    if done {
        repair.run(Arc::new(SystemClock::new())).map_err(|e| unopened(data, &e))?;
    }
    print(*output, &form(&planned, done), |_| shown(&planned, done));
    if done || planned.damage.is_empty() {
        return Ok(());
    }
    Err(Error::new(codes::DATA_CORRUPT, format!("`{}` is damaged; nothing was changed", data.display()))
        .hint(format!(
            "copy the folder, then give up what is named above: `evenkeel log repair {} --yes`",
            data.display()
        ))
        .exit(3))
}

fn form(planned: &Repaired, done: bool) -> Value {
    json!({
        "repaired": done,
        "damage": planned.damage.iter().map(damage::form).collect::<Vec<_>>(),
        "lost": planned.lost.iter().map(damage::offsets).collect::<Vec<_>>(),
        "cut": planned.cut.iter().map(damage::offsets).collect::<Vec<_>>(),
    })
}

fn shown(planned: &Repaired, done: bool) -> String {
    if planned.damage.is_empty() {
        return "ok: there is nothing to repair".to_owned();
    }
    let mut lines: Vec<String> = planned.damage.iter().map(|d| format!("damaged  {d}")).collect();
    lines.extend(planned.lost.iter().map(|o| format!("lost     {o}")));
    lines.extend(planned.cut.iter().map(|o| format!("cut off  {o}: whole, and behind the damage")));
    lines.push(if done {
        "repaired: the log goes on without these; each partition that was cut has a new leader epoch".to_owned()
    } else {
        "a repair would give these up".to_owned()
    });
    lines.join("\n")
}
