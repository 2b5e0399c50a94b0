//! Drives the engine through the experiment: asks it what comes next, does that, tells it what
//! came of it, and announces each mishap as it begins and ends.
//!
//! The engine decides; this acts. Invariant: [`Faults::end`] leaves no fault in place, however
//! far the run got.

use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{Clock as _, SystemClock};
use evenkeel_respond::{Action, Engine, Input, Part, RunId, StepAction};
use http::Method;
use tokio::sync::Mutex;

use super::house::House;
use super::mishaps::Experiment;
use super::proof::Mishap;
use super::screen;
use super::web::Web;

const TICK: Duration = Duration::from_millis(25);
const END_MAX: Duration = Duration::from_secs(60);

/// The experiment as it runs.
pub(crate) struct Faults<'a> {
    engine: Engine,
    house: &'a Mutex<House>,
    web: Web,
    clock: SystemClock,
    says: Vec<String>,
    names: Vec<String>,
    mishaps: Vec<(usize, Mishap)>,
}

struct Deed {
    run: RunId,
    step: usize,
    part: Part,
    action: StepAction,
}

impl<'a> Faults<'a> {
    pub(crate) fn prepare(experiment: Experiment, house: &'a Mutex<House>) -> Result<Faults<'a>, String> {
        let Experiment { playbook, says } = experiment;
        let faults = playbook.steps.iter().enumerate().filter(|(_, step)| step.undo.is_some());
        let mishaps = faults.map(|(n, step)| (n, Mishap { name: step.name.to_string(), happened: false })).collect();
        let names = playbook.steps.iter().map(|step| step.name.replace('-', " ")).collect();
        let engine = Engine::new(vec![playbook]).map_err(|problems| format!("the experiment: {problems:?}"))?;
        let web = Web::patient_for(Duration::from_secs(3));
        Ok(Faults { engine, house, web, clock: SystemClock::new(), says, names, mishaps })
    }

    /// Runs the experiment; never ends by itself, so that what overlaps stays in place.
    pub(crate) async fn run(&mut self) {
        let playbook = self.engine.playbooks().first().map(|p| p.name.clone()).unwrap_or_default();
        let start = Input::Start { playbook, why: "evenkeel demo".to_owned() };
        self.step(start).await;
        loop {
            tokio::time::sleep(TICK).await;
            self.step(Input::Tick).await;
        }
    }

    /// Takes back whatever is still in place.
    pub(crate) async fn end(&mut self, why: &str) {
        let runs: Vec<RunId> = self.engine.active().map(|run| run.id).collect();
        for run in runs {
            self.step(Input::Abort { run, why: why.to_owned() }).await;
        }
        let undoing = async {
            while self.engine.active().next().is_some() {
                tokio::time::sleep(TICK).await;
                self.step(Input::Tick).await;
            }
        };
        if tokio::time::timeout(END_MAX, undoing).await.is_err() {
            screen::say("some mishaps could not be taken back");
        }
    }

    pub(crate) fn mishaps(&self) -> Vec<Mishap> {
        self.mishaps.iter().map(|(_, mishap)| mishap.clone()).collect()
    }

    async fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let actions = self.engine.step(self.clock.now(), input);
            for deed in actions.into_iter().filter_map(deed) {
                let done = self.carry_out(&deed).await;
                let Deed { run, step, part, .. } = deed;
                let (ok, detail) = (done.is_ok(), done.err().unwrap_or_default());
                inputs.insert(0, Input::Done { run, step, part, ok, detail });
            }
        }
    }

    async fn carry_out(&mut self, deed: &Deed) -> Result<(), String> {
        let name = self.says.get(deed.step).cloned().unwrap_or_default();
        if deed.part == Part::Do {
            screen::say(&name);
        }
        let done = self.act(&deed.action).await;
        match (&done, deed.part) {
            (Ok(()), Part::Do) => {
                self.mishaps.iter_mut().filter(|(n, _)| *n == deed.step).for_each(|(_, m)| m.happened = true);
            }
            (Ok(()), Part::Undo) => {
                screen::say(&format!("over: {}", self.names.get(deed.step).map_or("", String::as_str)))
            }
            (Err(why), _) => screen::say(&format!("{name}: {why}")),
        }
        done
    }

    async fn act(&self, action: &StepAction) -> Result<(), String> {
        match action {
            StepAction::Call { method, url, body } => {
                let method = method.parse::<Method>().map_err(|e| e.to_string())?;
                let body = Bytes::from(body.clone().unwrap_or_default());
                let answer = self.web.send(method, url, body, "application/json").await?;
                if answer.status.is_success() { Ok(()) } else { Err(format!("{url}: {}", answer.status)) }
            }
            StepAction::Signal { process, .. } => self.house.lock().await.kill(process),
            StepAction::Custom { name, args } if name == "start" => {
                let process = args.first().map(|(_, process)| process.as_str()).unwrap_or_default();
                self.house.lock().await.start_again(process).await
            }
            other => Err(format!("nobody here can {}", other.describe())),
        }
    }
}

fn deed(action: Action) -> Option<Deed> {
    match action {
        Action::Run { run, step, action, .. } => Some(Deed { run, step, part: Part::Do, action }),
        Action::Undo { run, step, action, .. } => Some(Deed { run, step, part: Part::Undo, action }),
        Action::Record(_) | Action::Check { .. } => None,
    }
}
