//! `evenkeel mirror translate`: where a consumer of a mirrored topic goes on in the copy.

use clap::Subcommand;
use serde_json::Value;

use super::asking::{Where, escaped};
use super::output::{cell, print};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say an offset of the topic that is mirrored as one of the copy
    Translate {
        /// The subscription that mirrors
        subscription: String,
        /// The partition, the same in both
        #[arg(long)]
        partition: u32,
        /// The offset of the next record that a consumer wanted there
        #[arg(long)]
        offset: u64,
        #[command(flatten)]
        node: Where,
    },
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let What::Translate { subscription, partition, offset, node } = args.what;
    let path = format!("/v1/subscriptions/{}/mirror?partition={partition}&offset={offset}", escaped(&subscription));
    let answer = node.get(&path).await?;
    print(node.output, &answer, told);
    Ok(())
}

fn told(answer: &Value) -> String {
    let of = |name: &str| cell(answer.get(name));
    match answer["translated"].as_u64() {
        Some(there) => format!("{there}"),
        None => format!(
            "nothing of partition {} of {} was copied up to offset {}",
            of("partition"),
            of("from"),
            of("offset")
        ),
    }
}
