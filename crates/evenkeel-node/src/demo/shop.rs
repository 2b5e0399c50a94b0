//! The processes of the shop: an order desk, three services with books of their own, and a
//! receiver of alerts. Each is the same binary under a hidden verb.
//!
//! None of them shares a book, or a line of code that counts, with the proof.

mod book;
mod call;
mod effect;
mod switch;
mod inventory;
mod payment;
mod shipping;
mod station;
mod hooks;
mod desk;
mod serving;

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{Role, ServiceArgs};
use super::tether;

/// What a process of the shop needs to know of its place.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) name: &'static str,
}

/// Runs one process of the shop until it is killed.
pub async fn service(args: ServiceArgs) -> ExitCode {
    if args.role == Role::Tether {
        return tether::become_program(&args.program);
    }
    let Some(dir) = args.dir else {
        eprintln!("{} needs --dir, where its book is kept", args.role.name());
        return ExitCode::from(2);
    };
    let place = Place { dir, port: args.port, name: args.role.name() };
    let ended = match args.role {
        Role::Order => desk::open(place, args.plan).await,
        Role::Inventory => station::open(place, inventory::TRADE).await,
        Role::Payment => station::open(place, payment::TRADE).await,
        Role::Shipping => station::open(place, shipping::TRADE).await,
        Role::Hooks => hooks::open(place).await,
        Role::Tether => Ok(()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{}: {why}", args.role.name());
            ExitCode::FAILURE
        }
    }
}
