use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1000)
}

fn bank(members: u64) -> Dependency {
    let mut bank = Dependency::new(Arc::from("bank"), BreakerPolicy::default(), 1);
    (0..members).for_each(|m| bank.join(Member(m), None, &mut Vec::new()));
    bank
}

fn told(bank: &mut Dependency, now: Timestamp, member: u64, report: DependencyReport) -> Vec<(u64, DependencyNews)> {
    let mut out = Vec::new();
    bank.report(now, Member(member), report, &mut out);
    out.into_iter().map(|(m, news)| (m.0, news)).collect()
}

fn probes(out: &[(u64, DependencyNews)]) -> Vec<u64> {
    out.iter().filter(|(_, n)| matches!(n, DependencyNews::Probe { .. })).map(|(m, _)| *m).collect()
}

#[test]
fn leave_to_probe_is_given_in_the_order_of_asking() {
    let mut bank = bank(3);
    told(&mut bank, at(0), 0, DependencyReport::Down);
    assert!(probes(&told(&mut bank, at(1), 2, DependencyReport::Ask { stale: false })).is_empty(), "not yet");
    assert_eq!(probes(&told(&mut bank, at(50), 1, DependencyReport::Ask { stale: false })), [2]);
    told(&mut bank, at(50), 0, DependencyReport::Ask { stale: false });
    let generation = bank.generation;
    let next = told(&mut bank, at(51), 2, DependencyReport::Succeeded { generation, slow: None });
    assert_eq!(probes(&next), [1, 0], "two at once now");
}

#[test]
fn results_of_an_earlier_generation_decide_nothing() {
    let mut bank = bank(2);
    let before = bank.generation;
    told(&mut bank, at(0), 0, DependencyReport::Down);
    told(&mut bank, at(50), 1, DependencyReport::Ask { stale: false });
    let state = bank.view(at(50)).0.state;
    assert!(told(&mut bank, at(50), 0, DependencyReport::Failed { generation: before, event: 1 }).is_empty());
    assert_eq!(bank.view(at(50)).0.state, state, "still half open, its probe still out");
    let generation = bank.generation;
    told(&mut bank, at(51), 1, DependencyReport::Failed { generation, event: 1 });
    assert_eq!(bank.view(at(51)).0.state, crate::BreakerState::Open);
}

#[test]
fn a_call_without_waiting_passes_one_at_a_time_while_nobody_knows() {
    let mut bank = bank(1);
    assert!(bank.admit(at(0), Member(0)).is_some());
    told(&mut bank, at(0), 0, DependencyReport::Down);
    assert_eq!(bank.admit(at(1), Member(0)), None);
    let generation = bank.admit(at(50), Member(0)).expect("the probe");
    assert_eq!(bank.admit(at(50), Member(0)), None, "one at a time");
    told(&mut bank, at(51), 0, DependencyReport::Succeeded { generation, slow: None });
    assert!(bank.admit(at(51), Member(0)).is_some());
}
