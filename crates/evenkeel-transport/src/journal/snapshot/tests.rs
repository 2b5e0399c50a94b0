use super::*;
use crate::bench::Bench;

fn snapshot(upto: u64, bytes: usize) -> Snapshot {
    let kept = |nth: u8| Kept {
        sequences: [(Shard::new("orders", 3), 17), (Shard::new("orders", 4), u64::MAX)].into(),
        facts: Bytes::from(vec![nth; bytes]),
    };
    Snapshot { upto, subscriptions: [("payment".to_owned(), kept(1)), ("mail".to_owned(), kept(2))].into() }
}

fn journal() -> Shard {
    Shard::new(names::JOURNAL_TOPIC, 3)
}

fn bench() -> Bench {
    Bench::new(&[(names::SNAPSHOTS_TOPIC, 8)])
}

#[test]
fn the_newest_is_read_and_those_before_are_gone() {
    let mut bench = bench();
    assert_eq!(Snapshot::read(&bench.log, &journal()), Ok(None));
    for (upto, bytes) in [(5, 100), (9, 3_000_000), (12, 0)] {
        let written = snapshot(upto, bytes);
        written.write(&bench.log, &journal(), crate::bench::START).unwrap();
        assert_eq!(Snapshot::read(&bench.log, &journal()), Ok(Some(written.clone())));
        bench.crash();
        assert_eq!(Snapshot::read(&bench.log, &journal()), Ok(Some(written)));
    }
    assert_eq!(bench.records(names::SNAPSHOTS_TOPIC).len(), 1, "what is read at a start is one snapshot");
}

#[test]
fn one_that_was_not_finished_does_not_count_and_does_not_stand_in_the_way() {
    let mut bench = bench();
    let (first, second) = (snapshot(5, 100), snapshot(9, 4_300_000));
    first.write(&bench.log, &journal(), crate::bench::START).unwrap();
    // It takes several sets: whichever of them is the last to get through, one of the two is whole.
    for cut in 0..100 {
        bench.disk.fail_in(cut);
        let written = second.write(&bench.log, &journal(), crate::bench::START).is_ok();
        bench.crash();
        let found = Snapshot::read(&bench.log, &journal()).unwrap().expect("one of the two");
        assert!(if written { found == second } else { found == first || found == second }, "cut {cut}");
        if found == second {
            assert!(cut > 5, "cut {cut} came before the last set");
            break;
        }
    }
    second.write(&bench.log, &journal(), crate::bench::START).unwrap();
    assert_eq!(Snapshot::read(&bench.log, &journal()), Ok(Some(second)));
}

#[test]
fn hostile_bytes_are_refused_or_read_and_never_panic() {
    let bytes = snapshot(5, 20).encode();
    assert_eq!(Snapshot::decode(5, &bytes), Some(snapshot(5, 20)));
    for at in 0..bytes.len() {
        assert_eq!(Snapshot::decode(5, &bytes[..at]), None);
        for value in 0..=255 {
            let mut hostile = bytes.to_vec();
            hostile[at] = value;
            let _ = Snapshot::decode(5, &hostile);
            let _ = Part::decode(&hostile.into());
        }
    }
}
