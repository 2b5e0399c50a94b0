//! The suite on the embedded log over a simulated disk, and on transports that break promises.

mod doubles;
mod embedded;
mod memory;
mod remote;

use super::{CHECKS, run};
use doubles::{Double, Fault};
use embedded::Embedded;
use memory::{Moving, Queued};
use remote::{Remote, RemoteFault};

use super::doubles::QueueFault;

#[tokio::test]
async fn the_embedded_log_keeps_the_contract() {
    let broken = run(Embedded::new).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_log_whose_ownership_moves_keeps_the_contract() {
    let broken = run(Moving::new).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_queue_without_partitions_keeps_the_contract() {
    let broken = run(|| Queued::new(None)).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(start_paused = true)]
async fn each_bad_queue_is_refused_by_the_check_that_names_its_fault() {
    for (fault, check) in [
        (QueueFault::Loses, "everything_is_given_once_and_in_order"),
        (QueueFault::RepeatsAfterSettle, "what_is_settled_is_not_given_again"),
        (QueueFault::ReordersAKey, "everything_is_given_once_and_in_order"),
        (QueueFault::SettlesBeforeTheJournal, "nothing_is_settled_before_its_outcome_is_journaled"),
        (QueueFault::DropsHeaders, "key_headers_and_payload_come_back_as_they_were"),
        (QueueFault::KeepsWhatWasLeft, "what_was_left_without_an_outcome_is_given_to_the_next_one_at_once"),
        (QueueFault::LetsLeasesEnd, "a_lease_is_renewed_while_a_handler_works"),
        (QueueFault::HandsOutEverything, "no_more_is_handed_out_than_the_reader_has_room_for"),
    ] {
        let check = CHECKS.iter().find(|c| c.name == check).unwrap();
        let why = check.run(&Queued::new(Some(fault))).await.expect_err(&format!("{fault:?} passed {}", check.name));
        assert!(!why.0.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_goes_and_returns_keeps_the_contract() {
    let broken = run(|| Remote::new(None)).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(start_paused = true)]
async fn each_bad_adapter_is_refused_by_the_check_that_names_its_fault() {
    for (fault, check) in [
        (RemoteFault::LetsAnybodyIn, "wrong_credentials_are_told"),
        (RemoteFault::ImaginesTopics, "a_topic_that_does_not_exist_is_told"),
        (RemoteFault::SkipsWhatWasUnderWay, "reading_goes_on_when_the_broker_returns"),
        (RemoteFault::CommitsToNobody, "a_commit_while_the_broker_is_away_is_whole_or_nothing"),
        (RemoteFault::CommitsHalf, "a_commit_while_the_broker_is_away_is_whole_or_nothing"),
        (RemoteFault::ConfirmsUnsent, "a_sink_confirms_nothing_while_the_broker_is_away"),
        (RemoteFault::DropsConfirmed, "what_a_sink_confirms_is_there_once_and_in_order"),
        (RemoteFault::AllOrNothing, "a_sink_answers_each_event_by_itself"),
    ] {
        let check = CHECKS.iter().find(|c| c.name == check).unwrap();
        let why = check.run(&Remote::new(Some(fault))).await.expect_err(&format!("{fault:?} passed {}", check.name));
        assert!(!why.0.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_fence_is_refused() {
    let check = CHECKS.iter().find(|c| c.name == "who_lost_his_right_writes_no_more").unwrap();
    assert!(check.run(&Moving::unfenced()).await.is_err());
}

/// Time stands still: what never comes is not waited for.
#[tokio::test(start_paused = true)]
async fn each_bad_transport_is_refused_by_the_check_that_names_its_fault() {
    for (fault, check) in [
        (Fault::Loses, "everything_is_given_once_and_in_order"),
        (Fault::Reorders, "everything_is_given_once_and_in_order"),
        (Fault::Repeats, "everything_is_given_once_and_in_order"),
        (Fault::SkipsAcrossPages, "reading_goes_on_from_any_offset"),
        (Fault::DropsHeaders, "key_headers_and_payload_come_back_as_they_were"),
        (Fault::CutsPayload, "a_payload_of_1_mb_comes_back_as_it_was"),
        (Fault::GivesTheNext, "one_event_can_be_had_again"),
        (Fault::Sleeps, "news_wake_a_waiting_reader"),
        (Fault::SettlesOnFetch, "what_has_no_outcome_is_given_again_after_a_crash"),
        (Fault::SettlesTooMuch, "settling_takes_nothing_that_is_still_owed"),
        (Fault::Imagines, "a_new_journal_remembers_nothing"),
        (Fault::AcksWithoutWriting, "what_was_committed_is_remembered_after_a_crash"),
        (Fault::ForgetsMarks, "what_was_committed_is_remembered_after_a_crash"),
        (Fault::ForgetsProgress, "progress_is_restored_exactly"),
        (Fault::KeepsTheFirst, "a_later_fact_replaces_an_earlier_one"),
        (Fault::LosesReturnedEvents, "a_round_is_committed_with_its_dead_letters_and_events"),
        (Fault::CommitsInTwo, "a_commit_that_was_cut_off_is_whole_or_nothing"),
    ] {
        let check = CHECKS.iter().find(|c| c.name == check).unwrap();
        let why = check.run(&Double::new(fault)).await.expect_err(&format!("{fault:?} passed {}", check.name));
        assert!(!why.0.is_empty());
    }
}

#[test]
fn no_two_checks_share_a_name() {
    let mut names: Vec<&str> = CHECKS.iter().map(|c| c.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHECKS.len());
}
