//! Responds: alerts become incidents, incidents start playbooks, and their steps are carried out.
//!
//! One task owns the incidents; everybody else speaks to it. What it decided is rebuilt from the
//! incidents topic at every start. Invariants: an entry is durable in its topic before the action
//! that follows it; when entries cannot be made durable, nothing is done any more.

mod acting;
mod book;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_log::Log;
use evenkeel_model::Clock;
use evenkeel_respond::{Action, Check, Incident, Incidents, Input, Playbook, RunId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::client::Client;
use crate::error::{Error, codes};
use crate::happenings::{IncidentWent, IncidentsStopped};
use crate::watching::Watching;
use crate::wiring::Wires;
use book::Book;

/// How often the engine hears that time went on.
const EVERY: Duration = Duration::from_millis(500);

/// The way to speak to responding.
#[derive(Clone)]
pub(crate) struct Responding {
    inputs: mpsc::Sender<Said>,
}

/// What it is told or asked.
enum Said {
    Input(Input),
    Incidents(oneshot::Sender<Vec<Incident>>),
}

/// The other end, before its task runs.
pub(crate) struct Listening(mpsc::Receiver<Said>, mpsc::Sender<Said>);

/// Both ends; the task is started with [`start`].
pub(crate) fn channel() -> (Responding, Listening) {
    let (inputs, heard) = mpsc::channel(256);
    (Responding { inputs: inputs.clone() }, Listening(heard, inputs))
}

/// What the task works with.
pub(crate) struct Means {
    pub(crate) log: Log,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wires: Wires,
    pub(crate) watching: Watching,
}

/// Starts the task of incidents and playbooks.
pub(crate) fn start(
    playbooks: Vec<Playbook>,
    means: Means,
    listening: Listening,
    stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut incidents = Incidents::new(playbooks).map_err(|problems| {
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::new(codes::CONFIG_VALUE, said.join("; "))
    })?;
    let (book, entries) = Book::open(means.log.clone());
    incidents.replay(&entries);
    let Listening(heard, inputs) = listening;
    // Weak, so that the task ends when nobody else can speak to it.
    let owner = Owner { incidents, book, means, client: Client::new(""), inputs: inputs.downgrade() };
    drop(inputs);
    tokio::spawn(owner.run(heard, stop));
    Ok(())
}

impl Responding {
    /// Tells it something; without effect when the node is going down.
    pub(crate) async fn say(&self, input: Input) {
        let _ = self.inputs.send(Said::Input(input)).await;
    }

    /// All incidents that are kept, oldest first.
    pub(crate) async fn incidents(&self) -> Option<Vec<Incident>> {
        let (tell, told) = oneshot::channel();
        self.inputs.send(Said::Incidents(tell)).await.ok()?;
        told.await.ok()
    }
}

struct Owner {
    incidents: Incidents,
    book: Book,
    means: Means,
    client: Client,
    inputs: mpsc::WeakSender<Said>,
}

impl Owner {
    async fn run(mut self, mut heard: mpsc::Receiver<Said>, mut stop: watch::Receiver<bool>) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let begun = self.incidents.resume(self.means.clock.now());
        let mut sound = self.carry_out(begun).await;
        while sound {
            let input = tokio::select! {
                _ = every.tick() => Input::Tick,
                said = heard.recv() => match said {
                    Some(Said::Input(input)) => input,
                    Some(Said::Incidents(tell)) => {
                        let _ = tell.send(self.incidents.incidents().cloned().collect());
                        continue;
                    }
                    None => return,
                },
                _ = crate::node::told_to_stop(&mut stop) => return,
            };
            let actions = self.incidents.step(self.means.clock.now(), input);
            sound = self.carry_out(actions).await;
        }
        IncidentsStopped {}.tell();
    }

    /// Carries actions out in order; false when an entry could not be made durable.
    async fn carry_out(&mut self, actions: Vec<Action>) -> bool {
        for action in actions {
            match action {
                Action::Record(entry) => {
                    let incident = entry.incident.map(|id| id.to_string()).unwrap_or_default();
                    IncidentWent { incident, what: entry.describe() }.tell();
                    if !self.book.write(&entry, self.means.clock.now()).await {
                        return false;
                    }
                }
                Action::Run { run, step, action, key, timeout } => {
                    self.act(acting::Order { run, step, part: evenkeel_respond::Part::Do, action, key, timeout });
                }
                Action::Undo { run, step, action, key, timeout } => {
                    self.act(acting::Order { run, step, part: evenkeel_respond::Part::Undo, action, key, timeout });
                }
                Action::Check { run, step, check } => self.look(run, step, check),
            }
        }
        true
    }

    /// Does it in a task of its own, and says what came of it.
    fn act(&self, order: acting::Order) {
        let (client, wires, inputs) = (self.client.clone(), self.means.wires.clone(), self.inputs.clone());
        tokio::spawn(async move {
            let done = acting::act(&client, &wires, order).await;
            if let Some(inputs) = inputs.upgrade() {
                let _ = inputs.send(Said::Input(done)).await;
            }
        });
    }

    /// Looks at the objective in a task of its own: the watch may be waiting for this one.
    fn look(&self, run: RunId, step: usize, check: Check) {
        let (watching, inputs) = (self.means.watching.clone(), self.inputs.clone());
        tokio::spawn(async move {
            let (holds, detail) = match check {
                Check::None => (true, String::new()),
                Check::ObjectiveBurnBelow { objective, factor, .. } => match watching.burn(objective).await {
                    Some(burn) => (burn < factor, format!("burn {burn:.2}")),
                    None => (false, "no events to judge by".to_owned()),
                },
            };
            if let Some(inputs) = inputs.upgrade() {
                let _ = inputs.send(Said::Input(Input::CheckResult { run, step, holds, detail })).await;
            }
        });
    }
}
