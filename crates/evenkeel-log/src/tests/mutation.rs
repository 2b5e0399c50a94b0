//! Mutation control: each safeguard, taken away alone, turns a proof red that is green with it.

use super::damage;
use super::explore::explore;
use super::met;
use super::producers;
use crate::Safeguard;

/// A proof: `Ok` when what was promised holds.
type Proof = fn(Option<Safeguard>) -> Result<(), String>;

/// Which proof needs which safeguard.
fn proof(safeguard: Safeguard) -> Proof {
    match safeguard {
        Safeguard::GroupWrite
        | Safeguard::WalFileFlush
        | Safeguard::WalFolderSync
        | Safeguard::RecoveredFlush
        | Safeguard::SegmentFlush
        | Safeguard::TimesFlush
        | Safeguard::TimesFolderSync
        | Safeguard::SegmentFolderSync
        | Safeguard::TopicsFolderSync
        | Safeguard::SlotWrite
        | Safeguard::FreshFolderSync => histories,
        Safeguard::GroupChecksum => damage::a_damaged_last_group_is_not_believed,
        Safeguard::GroupSeed => damage::a_value_cannot_pose_as_a_group,
        Safeguard::Chain => damage::a_group_with_another_past_is_not_believed,
        Safeguard::Vouching => damage::damage_before_a_later_group_is_reported,
        Safeguard::Generation => damage::a_lost_checkpoint_is_reported,
        Safeguard::SlotChecksum => damage::a_damaged_slot_is_not_believed,
        Safeguard::FileChecksum => damage::a_damaged_file_header_is_healed_by_its_copy,
        Safeguard::BatchChecksum => damage::a_damaged_segment_is_reported,
        Safeguard::SentChecksum => producers::a_batch_that_was_damaged_on_its_way_is_refused,
        Safeguard::IndexChecksum => damage::a_damaged_index_is_not_believed,
        Safeguard::TimesChecksum => damage::damaged_times_are_not_believed,
        Safeguard::BothSlots => damage::one_damaged_slot_loses_nothing,
        Safeguard::NoteFolderSync => met::told_damage_is_known_after_a_power_cut,
        Safeguard::Sealing => damage::damage_to_a_sealed_last_group_is_reported,
    }
}

/// So many histories show any missing flush or sync.
fn histories(without: Option<Safeguard>) -> Result<(), String> {
    (0..160).try_for_each(|seed| explore(seed, without).map_err(|e| format!("seed {seed}: {e}")))
}

#[test]
fn every_safeguard_is_missed_when_it_is_taken_away() {
    for safeguard in Safeguard::ALL {
        assert!(proof(safeguard)(Some(safeguard)).is_err(), "nothing turned red without {safeguard:?}");
    }
}

#[test]
fn every_proof_holds_with_all_safeguards() {
    for safeguard in Safeguard::ALL {
        let proof = proof(safeguard);
        if proof as usize != histories as Proof as usize {
            proof(None).unwrap_or_else(|e| panic!("{safeguard:?}: {e}"));
        }
    }
}
