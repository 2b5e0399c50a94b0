//! A run of the demo from its first line to its exit code.
//!
//! One task does it all, so that children are started from the thread that lives longest and end
//! when it does. Invariant: whatever happens, Ctrl-C included, the house is dropped.

use std::process::ExitCode;

use tokio::sync::Mutex;

use super::args::DemoArgs;
use super::asking::Node;
use super::faults::Faults;
use super::house::{self, House};
use super::plan::Plan;
use super::settling::{self, Settled};
use super::web::Web;
use super::{gathering, keeping, mishaps, proof, screen};

const LOOK: std::time::Duration = std::time::Duration::from_millis(200);

/// Runs the demo; 0 only when the proof holds.
pub async fn run(args: DemoArgs) -> ExitCode {
    tokio::select! {
        biased;
        ended = perform(args) => match ended {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(why) => {
                eprintln!("evenkeel demo: {why}");
                ExitCode::FAILURE
            }
        },
        () = interrupted() => {
            eprintln!("evenkeel demo: interrupted; everything it started is ended");
            ExitCode::from(130)
        }
    }
}

async fn perform(args: DemoArgs) -> Result<bool, String> {
    let plan = Plan::draft(&args)?;
    let dir = args.data.clone().unwrap_or_else(house::default_dir);
    let dir = std::path::absolute(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut house = House::found(&args, dir.clone())?;
    house.open(&plan).await?;
    let experiment = house.write("experiment.yaml", &mishaps::file(&house, &plan))?;
    introduce(&args, &plan, &house, &experiment);
    let house = Mutex::new(house);
    let proved = show(&args, &plan, &house).await?;
    drop(house);
    if proved && args.data.is_none() {
        let _ = std::fs::remove_dir_all(&dir);
        let _ = dir.parent().map(std::fs::remove_dir);
    } else {
        println!("everything is in {}", dir.display());
    }
    Ok(proved)
}

/// The load, the mishaps and the proof, in a house that is open.
async fn show(args: &DemoArgs, plan: &Plan, house: &Mutex<House>) -> Result<bool, String> {
    let (node, desk, experiment) = {
        let house = house.lock().await;
        let file = house.dir.join("experiment.yaml");
        let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        (house.url("node"), house.url("order"), mishaps::read(&text)?)
    };
    let mut faults = Faults::prepare(experiment, house)?;
    let asked = Node::at(node.clone());
    let begin = serde_json::json!({ "node": node });
    Web::patient_for(LOOK * 10).post(&format!("{desk}/control"), &begin).await?;
    let settled = tokio::select! {
        settled = settling::wait(&asked, &desk, plan) => settled?,
        () = faults.run() => Settled::No("the experiment ended".to_owned()),
        () = screen::tell(Node::at(node.clone()), desk.clone()) => Settled::No("the screen ended".to_owned()),
        why = fallen(house) => return Err(why),
    };
    report(&settled, args);
    let proof = {
        let house = house.lock().await;
        proof::prove(&gathering::gather(&asked, &house, plan, faults.mishaps()).await?)
    };
    println!("\n{proof}");
    if args.keep {
        faults.end("the proof is done").await;
        keeping::say(&*house.lock().await, &plan.poison.id);
        tokio::select! {
            why = fallen(house) => return Err(why),
            () = interrupted() => {}
        }
    } else {
        faults.end("the demo is over").await;
    }
    Ok(proof.holds() && settled == Settled::Yes)
}

fn introduce(args: &DemoArgs, plan: &Plan, house: &House, experiment: &std::path::Path) {
    let orders = match &args.events {
        Some(path) => format!("{} orders of {}", plan.desk.total, path.display()),
        None => format!("{} orders of seed {}", plan.desk.total, args.seed),
    };
    println!("evenkeel demo: the shop, and a bad day");
    println!("  {orders}, {:.0} a second, for {:.0} s", plan.desk.per_second, plan.load.as_secs_f64());
    println!("  node       {}/   (a status page)", house.url("node"));
    let shipping = if house.speaks_python() { "shipping in Python" } else { "shipping in Rust (no python3 here)" };
    println!("  services   inventory and payment in Rust, {shipping}, each a process with a book of its own");
    println!("  mishaps    {}", experiment.display());
    println!("  objectives 99.9 % within 500 ms over 30 days, on payment and shipping; beside the standard windows");
    println!("             a pair of 10 s and 2 s at 0.1 % of the budget, so that a minute is enough to see it");
    if args.no_healing {
        println!("  healing    off: the playbook is not configured, and the last mishap must not resolve");
    }
    if let Some(sabotage) = args.sabotage {
        println!("  sabotage   the node cheats on purpose ({}): the proof must say so", sabotage.name());
    }
    println!();
}

fn report(settled: &Settled, args: &DemoArgs) {
    match settled {
        Settled::Yes => screen::say("everything has settled"),
        Settled::No(why) => screen::say(&format!("it does not settle: {why}")),
    }
    if args.no_healing {
        screen::say("without its playbook nothing recycles shipping: the mishap goes on, as it should");
    }
}

/// Waits for a child that ends without being told to.
async fn fallen(house: &Mutex<House>) -> String {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Ok(mut house) = house.try_lock()
            && let Some(why) = house.fallen()
        {
            return why;
        }
    }
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
