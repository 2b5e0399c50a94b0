//! `evenkeel topics`.

use clap::Subcommand;

use super::asking::{Where, escaped};
use super::output::{print, rows, table};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    node: Where,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All topics
    List(Where),
    /// One topic, with the ends of its partitions
    Show {
        /// Its name
        topic: String,
        #[command(flatten)]
        node: Where,
    },
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    match args.what {
        None => list(&args.node).await,
        Some(What::List(node)) => list(&node).await,
        Some(What::Show { topic, node }) => {
            let answer = node.get(&format!("/v1/topics/{}", escaped(&topic))).await?;
            print(node.output, &answer, |a| {
                table(&["PARTITION", "START", "END"], &rows(a, "ends", &["/partition", "/start", "/end"]))
            });
            Ok(())
        }
    }
}

async fn list(node: &Where) -> Result<(), Error> {
    let answer = node.get("/v1/topics").await?;
    print(node.output, &answer, |a| {
        let rows = rows(a, "topics", &["/name", "/partitions", "/records", "/retention/age", "/retention/size"]);
        table(&["TOPIC", "PARTITIONS", "RECORDS", "AGE", "SIZE"], &rows)
    });
    Ok(())
}
