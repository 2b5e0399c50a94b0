use super::*;
use crate::VersionMark;
use crate::{
    BreakerMark, Counters, Forced, LettersClosed, Open, Pending, PendingWhy, Redrive, RedrivePlan, RedriveState,
    Redriven,
};
use evenkeel_model::ledger::{Ended, Overdue};
use evenkeel_model::{FailureClass, FailureInfo, Outcome};

fn ended(shard: &Shard, offset: u64, mark: Option<Mark>, at: i64) -> Fact {
    let entry = Ended {
        created_to_ended_us: 1,
        handler_us: 1,
        ..Ended::at_once(offset, Outcome::Completed, "k", "s", Timestamp::from_micros(at))
    };
    Fact::Ended { shard: shard.clone(), mark, entry }
}

fn pending(shard: &Shard, why: PendingWhy, key: Option<&'static [u8]>, failed: bool) -> Pending {
    let failure = failed.then(|| FailureInfo {
        class: FailureClass::Failed,
        status: Some(500),
        fingerprint: "0123456789abcdef".into(),
        message: "größer".into(),
        reason: String::new(),
        first_failed_at: Timestamp::from_micros(-5),
        last_failed_at: Timestamp::from_micros(i64::MAX),
    });
    Pending {
        at: Position { shard: shard.clone(), offset: u64::MAX },
        key: key.map(Bytes::from_static),
        counters: Counters { attempts: 3, deliveries: 9, deferrals: 6, crashes: 1, aged: Duration::from_micros(77) },
        next_at: Timestamp::from_micros(123_456),
        why,
        overdue: failed,
        failure,
    }
}

fn redriven() -> Redriven {
    Redriven {
        at: Position { shard: Shard::new("orders", 7), offset: 3 },
        letter: Position { shard: Shard::new("s.dead", 0), offset: 12 },
        job: Arc::from("r1"),
        new_key: true,
        when: Timestamp::from_micros(-3),
    }
}

fn job() -> Redrive {
    let plan = RedrivePlan {
        id: Arc::from("r1"),
        selection: Arc::from("reason=rejected"),
        letters: Shard::new("s.dead", 0),
        until: 99,
        selected: 40,
        reason: "geheilt ü".into(),
        canary: 3,
        every: Duration::from_millis(20),
        at_once: 64,
        stop_permille: 200,
        stop_min: 20,
        new_key: true,
        started_at: Timestamp::from_micros(5),
    };
    let after = Some(Position { shard: Shard::new("orders", 9), offset: 1 });
    Redrive {
        after,
        taken: 7,
        completed: 3,
        dead: 2,
        otherwise: 1,
        skipped: 4,
        ended_at: Some(Timestamp::from_micros(8)),
        state: RedriveState::Stopped,
        why: "w".into(),
        proven: true,
        ..Redrive::new(plan)
    }
}

fn closed_letters() -> LettersClosed {
    LettersClosed { letters: Shard::new("s.dead", 0), from: 3, until: 9, reason: Some("test".into()) }
}

fn versions() -> Vec<VersionMark> {
    let mark = |n: u8, version| VersionMark { key: Mark([n; 16]), version };
    vec![mark(1, Some(-5)), mark(2, None), mark(3, Some(1_790_000_000_000_000)), mark(4, Some(i128::MIN))]
}

fn opened() -> Vec<Open> {
    let at = Position { shard: Shard::new("orders", 7), offset: u64::MAX };
    vec![
        Open::Nobody,
        Open::Among { shard: Shard::new("orders", 0), offsets: vec![5, 3, u64::MAX, 0] },
        Open::Suspect { at: at.clone(), crashes: 2 },
        Open::Alone { at, crashes: u32::MAX },
    ]
}

fn sample() -> (Vec<Fact>, Vec<Remembered>) {
    let (a, b) = (Shard::new("orders", 0), Shard::new("orders", 7));
    let mark = Mark([9; 16]);
    let (one, two) =
        (pending(&a, PendingWhy::Undecided, Some(b"k"), true), pending(&b, PendingWhy::Retry, None, false));
    let breaker = BreakerMark {
        dependency: Arc::from("handler"),
        open_until: Some(Timestamp::from_micros(9)),
        since: Timestamp::from_micros(4),
        steps: 0,
        forced: None,
    };
    let closed = BreakerMark { open_until: None, ..breaker.clone() };
    let forced = Forced { open: true, reason: "maintenance".into(), at: Timestamp::from_micros(3) };
    let forced = BreakerMark { steps: 7, forced: Some(forced), ..breaker.clone() };
    let facts: Vec<Fact> = vec![
        ended(&a, 10, Some(mark), 1_000_000),
        ended(&b, 3, None, 1_000_001),
        ended(&a, 12, None, 999_999),
        Fact::Overdue {
            shard: b.clone(),
            entry: Overdue { offset: 4, at: Timestamp::from_micros(1), threshold_us: 500_000 },
        },
        Fact::Pending(one.clone()),
        Fact::Pending(two.clone()),
        Fact::Progress { shard: a.clone(), below: 11 },
        Fact::Breaker(breaker.clone()),
        Fact::Breaker(forced.clone()),
        Fact::Breaker(closed.clone()),
        Fact::Paused(Some("why".into())),
        Fact::Paused(None),
        Fact::Redriven(redriven()),
        Fact::Redrive(job()),
        Fact::LettersClosed(closed_letters()),
    ]
    .into_iter()
    .chain(opened().into_iter().map(Fact::Open))
    .chain(versions().into_iter().map(Fact::Version))
    .collect();
    let done = |shard: &Shard, offset, mark, when| Remembered::Done {
        at: Position { shard: shard.clone(), offset },
        mark,
        when: Timestamp::from_micros(when),
    };
    let back: Vec<Remembered> = vec![
        done(&a, 10, Some(mark), 1_000_000),
        done(&a, 12, None, 999_999),
        done(&b, 3, None, 1_000_001),
        Remembered::Overdue { at: Position { shard: b, offset: 4 }, threshold: Duration::from_micros(500_000) },
        Remembered::Pending(one),
        Remembered::Pending(two),
        Remembered::Progress { shard: a, below: 11 },
        Remembered::Breaker(breaker),
        Remembered::Breaker(forced),
        Remembered::Breaker(closed),
        Remembered::Paused(Some("why".into())),
        Remembered::Paused(None),
        Remembered::Redriven(redriven()),
        Remembered::Redrive(job()),
        Remembered::LettersClosed(closed_letters()),
    ]
    .into_iter()
    .chain(opened().into_iter().map(Remembered::Open))
    .chain(versions().into_iter().map(Remembered::Version))
    .collect();
    (facts, back)
}

#[test]
fn what_is_remembered_can_be_written_again() {
    let (_, remembered) = sample();
    let again = decode_journal(&crate::encode_remembered(&remembered)).unwrap();
    assert_eq!(again, remembered);
}

#[test]
fn a_round_is_remembered_as_it_was() {
    let (facts, back) = sample();
    assert_eq!(decode_journal(&encode_journal(&facts)), Ok(back));
    assert_eq!(decode_journal(&encode_journal(&[])), Ok(vec![]));
}

#[test]
fn an_outcome_costs_at_most_five_bytes_beside_its_mark() {
    let shard = Shard::new("orders", 0);
    let start = 1_790_000_000_000_000_i64;
    let facts: Vec<Fact> =
        (0..1000).map(|i| ended(&shard, 5_000_000 + i, Some(Mark([1; 16])), start + i.cast_signed() * 90)).collect();
    let bytes = encode_journal(&facts).len();
    assert!(bytes <= 1000 * 21, "{bytes} bytes for 1000 outcomes");
}

#[test]
fn no_cut_record_is_believed_and_none_panics() {
    let (facts, back) = sample();
    let whole = encode_journal(&facts);
    for end in 0..whole.len() {
        if let Ok(read) = decode_journal(&whole[..end]) {
            assert!(read.len() < back.len(), "cut at {end} reads as if it were whole");
        }
    }
}

#[test]
fn damaged_bytes_are_read_or_refused_but_never_panic_or_allocate_wildly() {
    let whole = encode_journal(&sample().0);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bad = whole.to_vec();
            bad[at] ^= 1 << bit;
            if let Ok(read) = decode_journal(&bad) {
                assert!(read.capacity() <= 16 * whole.len());
            }
        }
    }
    let mut huge = vec![1_u8];
    put_u64(&mut huge, u64::MAX);
    assert_eq!(decode_journal(&huge).map_err(|e| e.what), Err("partitions"));
}

#[test]
fn another_version_is_refused_by_name() {
    assert_eq!(decode_journal(&[9, 0]).map_err(|e| e.what), Err("version"));
    assert_eq!(decode_journal(&[]).map_err(|e| e.what), Err("version"));
}

/// Written by version 1 before attempts were on record, and after: what is on disk is read for ever.
#[test]
fn journals_of_earlier_versions_are_read() {
    let old: &[u8] = &[1, 1, 6, b'o', b'r', b'd', b'e', b'r', b's', 0, 1, 6, 8, 2, 0, 4, 4, 1, 1, b'x'];
    let shard = Shard::new("orders", 0);
    let at = |offset| Position { shard: shard.clone(), offset };
    let done = Remembered::Done { at: at(3), mark: None, when: Timestamp::from_micros(2) };
    let progress = Remembered::Progress { shard: shard.clone(), below: 4 };
    assert_eq!(decode_journal(old), Ok(vec![done, progress, Remembered::Paused(Some("x".into()))]));
    let opened: &[u8] = &[1, 1, 6, b'o', b'r', b'd', b'e', b'r', b's', 0, 0, 6, 0, 0, 2, 10, 1, 6, 1, 0, 7, 2, 6, 3];
    let among = Remembered::Open(Open::Among { shard: shard.clone(), offsets: vec![5, 4] });
    let alone = Remembered::Open(Open::Alone { at: at(7), crashes: 2 });
    assert_eq!(decode_journal(opened), Ok(vec![among, alone, Remembered::Open(Open::Nobody)]));
}
