//! Writing: entries first, into a body of their own, while the dictionary gathers what they name.

use std::collections::HashMap;

use bytes::{BufMut, Bytes};

use super::{
    DETAILS, KIND_ATTEMPT, KIND_ENDED, KIND_OVERDUE, KIND_REDRIVEN, MORE, NEXT_OFFSET, NOT_BELIEVED, OVERDUE,
    SAME_LABEL, VERSION,
};
use crate::ledger::{AttemptFailed, Ended, LedgerEntry, LedgerRecord, Overdue, Redriven};
use crate::varint::{put_i64, put_text, put_u64};
use crate::{FailureInfo, Outcome, Timestamp};

/// The bytes of a record.
pub fn encode(record: &LedgerRecord) -> Bytes {
    let mut writer = Writer::new(record.at);
    for entry in &record.entries {
        writer.entry(entry);
    }
    let mut out = Vec::with_capacity(64 + writer.body.len());
    out.put_u8(VERSION);
    put_text(&mut out, &record.subscription);
    put_text(&mut out, &record.topic);
    put_u64(&mut out, u64::from(record.partition));
    put_u64(&mut out, record.sequence);
    put_i64(&mut out, record.at.micros());
    put_u64(&mut out, writer.texts.order.len() as u64);
    for text in &writer.texts.order {
        put_text(&mut out, text);
    }
    put_u64(&mut out, writer.labels.len() as u64);
    for label in &writer.labels {
        label.iter().for_each(|&index| put_u64(&mut out, index));
    }
    put_u64(&mut out, record.entries.len() as u64);
    out.extend_from_slice(&writer.body);
    Bytes::from(out)
}

/// Each text once, in the order in which they were met.
#[derive(Default)]
struct Texts<'a> {
    order: Vec<&'a str>,
    index: HashMap<&'a str, u64>,
}

impl<'a> Texts<'a> {
    fn index(&mut self, text: &'a str) -> u64 {
        *self.index.entry(text).or_insert_with(|| {
            self.order.push(text);
            self.order.len() as u64 - 1
        })
    }
}

struct Writer<'a> {
    body: Vec<u8>,
    texts: Texts<'a>,
    labels: Vec<[u64; 3]>,
    label_index: HashMap<[u64; 3], u64>,
    label_before: Option<u64>,
    offset_before: u64,
    at_before: Timestamp,
}

impl<'a> Writer<'a> {
    fn new(at: Timestamp) -> Writer<'a> {
        Writer {
            body: Vec::new(),
            texts: Texts::default(),
            labels: Vec::new(),
            label_index: HashMap::new(),
            label_before: None,
            // So that a first entry at offset 0 is "the one before plus 1" as well.
            offset_before: u64::MAX,
            at_before: at,
        }
    }

    fn entry(&mut self, entry: &'a LedgerEntry) {
        match entry {
            LedgerEntry::Ended(ended) => self.ended(ended),
            LedgerEntry::Attempt(attempt) => self.attempt(attempt),
            LedgerEntry::Overdue(overdue) => self.overdue(overdue),
            LedgerEntry::Redriven(redriven) => self.redriven(redriven),
        }
    }

    fn ended(&mut self, ended: &'a Ended) {
        let label = self.label(ended);
        let simple = is_simple(ended);
        let flags = KIND_ENDED
            | flag(SAME_LABEL, self.label_before == Some(label))
            | flag(OVERDUE, ended.overdue)
            | flag(NOT_BELIEVED, !ended.created_believed)
            | flag(MORE, ended.emitted > 0)
            | flag(DETAILS, !simple);
        self.place(flags, (self.label_before != Some(label)).then_some(label), ended.offset, ended.at);
        self.label_before = Some(label);
        put_u64(&mut self.body, ended.created_to_ended_us);
        put_u64(&mut self.body, ended.handler_us);
        if ended.emitted > 0 {
            put_u64(&mut self.body, u64::from(ended.emitted));
        }
        if !simple {
            self.details(ended);
        }
    }

    fn details(&mut self, ended: &'a Ended) {
        self.body.put_u8(ended.outcome.number());
        for count in [ended.attempts, ended.deliveries, ended.deferrals, ended.crashes] {
            put_u64(&mut self.body, u64::from(count));
        }
        self.body.put_u8(u8::from(ended.failure.is_some()));
        if let Some(failure) = &ended.failure {
            self.failure(failure, ended.at);
        }
    }

    fn failure(&mut self, failure: &'a FailureInfo, at: Timestamp) {
        self.body.put_u8(failure.class.number());
        put_u64(&mut self.body, failure.status.map_or(0, |status| u64::from(status) + 1));
        for text in [&failure.fingerprint, &failure.message, &failure.reason] {
            let index = self.texts.index(text);
            put_u64(&mut self.body, index);
        }
        put_i64(&mut self.body, failure.first_failed_at.micros().wrapping_sub(at.micros()));
        put_i64(&mut self.body, failure.last_failed_at.micros().wrapping_sub(at.micros()));
    }

    fn attempt(&mut self, attempt: &'a AttemptFailed) {
        let flags = KIND_ATTEMPT | flag(MORE, attempt.next_at.is_some());
        self.place(flags, None, attempt.offset, attempt.at);
        put_u64(&mut self.body, u64::from(attempt.delivery));
        put_u64(&mut self.body, attempt.took_us);
        self.body.put_u8(attempt.class.number());
        put_u64(&mut self.body, attempt.status.map_or(0, |status| u64::from(status) + 1));
        for text in [&attempt.fingerprint, &attempt.message] {
            let index = self.texts.index(text);
            put_u64(&mut self.body, index);
        }
        if let Some(next) = attempt.next_at {
            put_i64(&mut self.body, next.micros().wrapping_sub(attempt.at.micros()));
        }
    }

    fn overdue(&mut self, overdue: &Overdue) {
        self.place(KIND_OVERDUE, None, overdue.offset, overdue.at);
        put_u64(&mut self.body, overdue.threshold_us);
    }

    fn redriven(&mut self, redriven: &'a Redriven) {
        self.place(KIND_REDRIVEN, None, redriven.offset, redriven.at);
        put_u64(&mut self.body, redriven.letter);
        let job = self.texts.index(&redriven.job);
        put_u64(&mut self.body, job);
    }

    /// What every entry begins with.
    fn place(&mut self, flags: u8, label: Option<u64>, offset: u64, at: Timestamp) {
        let delta = offset.wrapping_sub(self.offset_before);
        self.body.put_u8(flags | flag(NEXT_OFFSET, delta == 1));
        if let Some(label) = label {
            put_u64(&mut self.body, label);
        }
        if delta != 1 {
            put_i64(&mut self.body, delta.cast_signed());
        }
        put_i64(&mut self.body, at.micros().wrapping_sub(self.at_before.micros()));
        self.offset_before = offset;
        self.at_before = at;
    }

    fn label(&mut self, ended: &'a Ended) -> u64 {
        let label = [&ended.kind, &ended.source, &ended.handler_version].map(|text| self.texts.index(text));
        *self.label_index.entry(label).or_insert_with(|| {
            self.labels.push(label);
            self.labels.len() as u64 - 1
        })
    }
}

/// Completed at the first attempt, with nothing more to say.
fn is_simple(ended: &Ended) -> bool {
    ended.outcome == Outcome::Completed
        && (ended.attempts, ended.deliveries, ended.deferrals, ended.crashes) == (1, 1, 0, 0)
        && ended.failure.is_none()
}

fn flag(bit: u8, set: bool) -> u8 {
    if set { bit } else { 0 }
}
