//! The log on a file system that drops what was not flushed, killed and cut off again and again.
//!
//! `evenkeel-lossy [CUTS]`: the log's load (`../tests/kill`) runs as a child on a FUSE mount whose
//! bytes are a simulated disk. A cycle ends with SIGKILL, or with the power failing in the middle
//! of a write; then whatever was not flushed is dropped, in part or whole, sectors torn and names
//! forgotten; then the log must hold what it acknowledged. After that the same with each kind of
//! making durable left out: that must be noticed.
//!
//! Without /dev/fuse it says so in `target/skipped.txt`; with `EVENKEEL_REQUIRE=fuse` it fails.

mod careless;
mod file_system;
#[path = "../../tests/kill/load.rs"]
mod load;
#[path = "../../tests/kill/check.rs"]
mod check;
#[path = "../../tests/kill/cycle.rs"]
mod cycle;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use careless::{Careless, CarelessDisk};
use check::Checker;
use cycle::{Dice, run, run_and_kill};
use evenkeel_log::sim::SimDisk;
use file_system::Lossy;

/// Cuts of a usual run.
const CUTS: u64 = 30;

/// After so many a new folder begins: what was not lost at the first cut may never be.
const CUTS_OF_A_LIFE: u64 = 10;

/// So many folders must show what was left out.
const LIVES_TO_NOTICE: u64 = 8;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--load", folder, run, careless @ ..] => {
            let careless = careless.first().and_then(|name| Careless::of(name));
            load::load(Arc::new(CarelessDisk::new(folder, careless)), run.parse().unwrap_or(0));
            Ok(())
        }
        _ if !has_fuse() => skip(),
        [] => all(CUTS),
        [cuts] => all(cuts.parse().unwrap_or(CUTS)),
        _ => Err("usage: evenkeel-lossy [CUTS]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("evenkeel-lossy: {why}");
            ExitCode::FAILURE
        }
    }
}

fn all(cuts: u64) -> Result<(), String> {
    let past_cache = Arc::new(AtomicU64::new(0));
    let lives = (0..cuts.div_ceil(CUTS_OF_A_LIFE)).map(|seed| cycles(seed, CUTS_OF_A_LIFE, None, &past_cache));
    let acked = lives.sum::<Result<usize, String>>()?;
    println!("{cuts} cuts, {acked} sets acknowledged: all of them there, whole and at their offsets");
    match past_cache.load(Ordering::Relaxed) >> 10 {
        0 => return Err("no run of a segment went past the cache: that way of writing was not tried".to_owned()),
        kib => println!("{kib} KiB of segments were written past the cache, in long runs"),
    }
    for careless in Careless::ALL {
        match (0..LIVES_TO_NOTICE)
            .try_for_each(|seed| cycles(seed, CUTS_OF_A_LIFE, Some(careless), &past_cache).map(drop))
        {
            Ok(()) => return Err(format!("{LIVES_TO_NOTICE} folders went well without {careless:?}")),
            Err(why) => println!("without {careless:?}: {why}"),
        }
    }
    Ok(())
}

/// So many kills and cuts of one folder. Gives back how many sets were acknowledged.
fn cycles(seed: u64, cuts: u64, careless: Option<Careless>, past_cache: &Arc<AtomicU64>) -> Result<usize, String> {
    let mount = tempfile::tempdir().map_err(|e| e.to_string())?;
    let disk = SimDisk::new(seed);
    let mut config = fuser::Config::default();
    config.mount_options = vec![fuser::MountOption::FSName("evenkeel-lossy".to_owned())];
    let session = fuser::spawn_mount(Lossy::new(disk.clone(), seed, past_cache.clone()), mount.path(), &config)
        .map_err(|e| format!("it cannot be mounted: {e}"))?;
    let folder = mount.path().join("data");
    let mut dice = Dice(seed);
    let mut checker = Checker::default();
    let mut outcome = Ok(());
    for number in 1..=cuts {
        outcome = cut(&disk, &folder, number, careless, &mut dice, &mut checker)
            .map_err(|e| format!("seed {seed}, cut {number}: {e}"));
        if outcome.is_err() {
            break;
        }
    }
    session.umount_and_join().map_err(|e| e.to_string())?;
    outcome.map(|()| checker.count())
}

fn cut(
    disk: &SimDisk,
    folder: &Path,
    number: u64,
    careless: Option<Careless>,
    dice: &mut Dice,
    checker: &mut Checker,
) -> Result<(), String> {
    let careless: Vec<String> = careless.iter().map(|c| format!("{c:?}")).collect();
    if dice.roll(2) == 0 {
        disk.fail_in(dice.roll(1500));
        checker.acked(run(folder, number, &careless)?);
    } else {
        checker.acked(run_and_kill(folder, number, dice.lines(), &careless)?);
    }
    disk.cut_power();
    checker.check(folder)
}

fn has_fuse() -> bool {
    std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").is_ok()
}

fn skip() -> Result<(), String> {
    let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
    if required.split(',').any(|name| name == "fuse") {
        return Err("/dev/fuse is required and not there".to_owned());
    }
    println!("skipped: no /dev/fuse");
    let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../target/skipped.txt");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
    // A note that cannot be written is still printed above.
    let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, b"lossy: fuse\n"));
    Ok(())
}
