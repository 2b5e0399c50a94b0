//! Who is told of which alerts: one routing for each receiver, and the words on their way out.
//!
//! A word is an event of `evenkeel.notices`, delivered by a subscription like any (`receivers`).
//! What was said before a restart is read back from there, so that nothing is said twice and an
//! end is not forgotten. It judges nothing; that is `evenkeel_watch::Routing`. Invariant: words go
//! into the topic in the order in which they were said; one that can't be stored waits.

use std::collections::VecDeque;

use evenkeel_cloudevents::kafka::{Read, from_record, to_record};
use evenkeel_log::{Log, ReadLimit, Set};
use evenkeel_model::{Shard, Timestamp, names};
use evenkeel_watch::{Alert, AlertEvent, Muted, Routing, Silence};

use super::silences;
use crate::config::receivers::{Receiver, told};
use crate::error::Error;
use crate::forms::notice::{self, NoticeForm};
use crate::happenings::{NoticeNotStored, NoticesLost};

/// Words that wait for the log; when there are more the oldest are lost, and that is said.
const WAITING_MAX: usize = 10_000;

/// The receivers, and what each was told.
pub(super) struct Telling {
    log: Log,
    receivers: Vec<Receiver>,
    routings: Vec<Routing>,
    /// When each heard last that the node is alive.
    beats: Vec<Option<Timestamp>>,
    silences: Vec<Silence>,
    waiting: VecDeque<NoticeForm>,
}

/// Where an alert that fires stands with those who are told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The silence that keeps it quiet.
    pub(crate) silenced_by: Option<String>,
    /// The graver alert that keeps it quiet, at one receiver or more.
    pub(crate) inhibited_by: Option<String>,
    /// Who is told of it, and whether they know by now.
    pub(crate) receivers: Vec<(String, bool)>,
}

impl Telling {
    pub(super) fn new(log: Log, receivers: Vec<Receiver>) -> Telling {
        let silences = silences::read_back(&log);
        let (routings, beats) = (Vec::new(), Vec::new());
        let mut telling = Telling { log, receivers, routings, beats, silences, waiting: VecDeque::new() };
        telling.begin();
        telling
    }

    /// Every receiver knows what it was told, and nothing fires.
    fn begin(&mut self) {
        self.beats = vec![None; self.receivers.len()];
        self.routings = self.receivers.iter().map(|receiver| Routing::new(receiver.routes.clone())).collect();
        for silence in &self.silences {
            self.routings.iter_mut().for_each(|routing| routing.silence(silence.clone()));
        }
        for form in read_back(&self.log) {
            let Some(at) = self.receivers.iter().position(|r| *r.name == *form.receiver) else { continue };
            if let Some((said_at, notice)) = form.read() {
                self.routings[at].recall(said_at, &notice);
            }
        }
    }

    /// Other receivers from here on; those that stay know what they were told.
    pub(super) fn replace(&mut self, receivers: Vec<Receiver>, now: Timestamp, firing: &[Alert]) {
        self.receivers = receivers;
        self.begin();
        firing.iter().for_each(|alert| self.hear(now, &AlertEvent::Firing(alert.clone())));
        self.only(now, firing);
    }

    /// Takes a change of an alert; those who are told of it hear at the next step.
    pub(super) fn hear(&mut self, now: Timestamp, event: &AlertEvent) {
        let told: Vec<&str> = told(&self.receivers, event.alert()).map(|receiver| &*receiver.name).collect();
        for (receiver, routing) in self.receivers.iter().zip(&mut self.routings) {
            // Who was told that it fires is told its end, though it would not be told today.
            if told.contains(&&*receiver.name) || matches!(event, AlertEvent::Resolved(_)) {
                routing.hear(now, event);
            }
        }
    }

    /// Only these fire; every other alert is over.
    pub(super) fn only(&mut self, now: Timestamp, firing: &[Alert]) {
        self.routings.iter_mut().for_each(|routing| routing.only(now, firing));
    }

    /// Says what is to be said now; what waits is durable when this returns, unless the log can't.
    pub(super) async fn step(&mut self, now: Timestamp) {
        self.silences.retain(|silence| now < silence.until);
        for ((receiver, routing), beat) in self.receivers.iter().zip(&mut self.routings).zip(&mut self.beats) {
            let next = now + receiver.routes.repeat;
            self.waiting.extend(routing.step(now).iter().map(|said| NoticeForm::new(&receiver.name, said, now, next)));
            if let Some(every) = receiver.heartbeat
                && beat.is_none_or(|last| now.since(last) >= every)
            {
                *beat = Some(now);
                self.waiting.push_back(NoticeForm::heartbeat(&receiver.name, now, now + every));
            }
        }
        while self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
            NoticesLost { lost: 1 }.tell();
        }
        while let Some(form) = self.waiting.front() {
            let record = to_record(&notice::event(form), now);
            if let Err(e) = self.log.append(Set::of(shard(), vec![record])).await {
                NoticeNotStored { error: e.to_string() }.tell();
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Where an alert that fires stands.
    pub(super) fn told(&self, now: Timestamp, alert: &Alert) -> Told {
        let mut found = Told::default();
        let named: Vec<&str> = told(&self.receivers, alert).map(|receiver| &*receiver.name).collect();
        for (receiver, routing) in self.receivers.iter().zip(&self.routings) {
            if !named.contains(&&*receiver.name) {
                continue;
            }
            match routing.muted(now, alert) {
                Some(Muted::Silenced(id)) => found.silenced_by = Some(id.to_string()),
                Some(Muted::Inhibited(by)) => found.inhibited_by = Some(by.to_string()),
                None => {}
            }
            found.receivers.push((receiver.name.to_string(), routing.knows(alert)));
        }
        let silence = self.silences.iter().find(|s| s.from <= now && now < s.until && s.matches.holds(alert));
        found.silenced_by = found.silenced_by.or(silence.map(|silence| silence.id.to_string()));
        found
    }

    /// The silences that are not over.
    pub(super) fn silences(&self) -> &[Silence] {
        &self.silences
    }

    /// Keeps alerts quiet, on record.
    pub(super) async fn silence(&mut self, silence: Silence, now: Timestamp) -> Result<(), Error> {
        silences::store(&self.log, crate::forms::silence::SAID, &silence, now).await?;
        self.silences.retain(|there| there.id != silence.id);
        self.routings.iter_mut().for_each(|routing| routing.silence(silence.clone()));
        self.silences.push(silence);
        Ok(())
    }

    /// Ends a silence, on record; what it was, when it was there.
    pub(super) async fn unsilence(&mut self, id: &str, now: Timestamp) -> Result<Option<Silence>, Error> {
        let Some(silence) = self.silences.iter().find(|silence| &*silence.id == id).cloned() else { return Ok(None) };
        silences::store(&self.log, crate::forms::silence::WITHDRAWN, &silence, now).await?;
        self.silences.retain(|there| there.id != silence.id);
        for routing in &mut self.routings {
            routing.unsilence(id);
        }
        Ok(Some(silence))
    }
}

fn shard() -> Shard {
    Shard::new(names::NOTICES_TOPIC, 0)
}

/// All words of the topic, oldest first.
fn read_back(log: &Log) -> Vec<NoticeForm> {
    let shard = shard();
    let mut forms = Vec::new();
    let mut next = log.ends(&shard).map_or(0, |ends| ends.start);
    while let Ok(records) = log.read(&shard, next, ReadLimit::default()) {
        let Some(last) = records.last() else { break };
        next = last.at.offset + 1;
        forms.extend(records.iter().filter_map(|stored| match from_record(&stored.record, &stored.at) {
            Read::Event(event) => notice::read(&event),
            _ => None,
        }));
    }
    forms
}
