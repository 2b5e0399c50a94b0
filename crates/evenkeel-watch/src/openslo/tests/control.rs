//! Each check of a document, left out, turns one of the other tests red: an automatic control of all of them.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use super::{executed, rules};
use crate::openslo::finding::left_out::{self, Places};

const TESTS: &[fn()] = &[
    rules::what_has_fields_is_no_text_and_has_each_of_them_once,
    executed::a_threshold_metric_says_of_what_and_how_it_is_compared,
    executed::a_metric_of_a_data_source_is_of_its_type_and_annotations_are_read,
    executed::a_chain_is_counted_as_a_whole_and_stands_alone,
    rules::the_sound_documents_are_sound_and_all_seven_kinds_are_among_them,
    rules::a_finding_stands_at_the_line_of_its_field,
    rules::version_and_kind_are_the_ones_that_there_are,
    rules::metadata_has_a_name_that_is_a_label_and_keys_that_have_a_form,
    rules::descriptions_have_at_most_1050_characters,
    rules::an_slo_says_its_service_and_a_method_that_there_is,
    rules::the_indicator_stands_in_one_place,
    rules::there_is_one_time_window_and_it_rolls_or_has_a_calendar,
    rules::durations_are_a_whole_number_and_a_unit,
    rules::targets_leave_a_budget,
    rules::op_and_value_are_for_threshold_metrics,
    rules::slices_have_a_length_and_where_they_are_counted_a_target,
    rules::weights_of_a_composite_are_above_zero,
    rules::an_sli_is_a_threshold_or_a_ratio_of_good_or_bad_or_raw,
    rules::a_metric_source_says_at_least_one_thing,
    rules::a_data_source_says_its_type_and_how_it_is_reached,
    rules::a_notification_target_says_what_it_is,
    rules::a_policy_has_one_condition_and_a_target,
    rules::an_slo_names_its_policies_or_writes_them_in_place,
    rules::a_condition_says_severity_kind_op_threshold_and_window,
    executed::a_ratio_of_good_ones_is_a_latency_objective_with_its_alert,
    executed::references_are_followed_and_a_data_source_gives_what_its_metrics_begin_with,
    executed::a_threshold_metric_is_compared_in_seconds_over_slices_of_a_calendar,
    executed::the_parts_of_a_composite_are_one_objective_and_targets_of_one_indicator_are_several,
    executed::a_metric_may_be_narrowed_to_a_type_a_source_and_a_handler_version,
    executed::what_the_ledger_does_not_know_is_refused_by_name_and_the_others_run,
    executed::what_is_named_must_be_there_once_and_zones_must_exist,
    executed::an_alert_that_can_never_fire_is_refused_where_it_stands,
    executed::factors_come_from_the_share_of_the_budget_and_windows_may_have_seconds,
    executed::an_alert_may_be_on_the_budget_itself_or_on_silence,
    executed::without_policies_the_tiers_of_the_workbook_apply_that_can_fire,
    executed::what_openslo_has_no_words_for_stands_in_annotations,
];

thread_local! {
    /// This thread's panics are what is looked for, and say nothing.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Where findings are made, by file and line.
fn places(folder: &Path, found: &mut Vec<(String, u32)>) {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        if path.is_dir() && !path.ends_with("tests") {
            places(&path, found);
        }
        if path.extension().is_none_or(|kind| kind != "rs") || path.ends_with("tests.rs") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for (line, text) in (1..).zip(std::fs::read_to_string(&path).unwrap().lines()) {
            let is_made = text.contains("out.add(") || text.contains("out.check(");
            if is_made && !text.trim_start().starts_with("//") {
                found.push((format!("openslo/{name}"), line));
                found.push((format!("kinds/{name}"), line));
            }
        }
    }
}

/// The checks that find something in a test.
fn heard(test: &fn()) -> Places {
    left_out::spoke();
    test();
    left_out::spoke()
}

#[test]
fn each_check_that_is_left_out_turns_a_test_red() {
    let own =
        include_str!("rules.rs").matches("#[test]").count() + include_str!("executed.rs").matches("#[test]").count();
    assert_eq!(TESTS.len(), own, "a test that is not listed here controls nothing");
    let said = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !QUIET.get() {
            said(info);
        }
    }));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/openslo");
    let mut found = Vec::new();
    places(&folder, &mut found);
    let there = |(file, _): &(String, u32)| folder.parent().unwrap().join(file).exists() || folder.join(file).exists();
    found.retain(there);
    assert!(found.len() > 60, "{found:?}");
    // Left out, a check can change only what it would have said: other tests need not run again.
    let heard: Vec<(&fn(), Places)> = TESTS.iter().map(|test| (test, heard(test))).collect();
    QUIET.set(true);
    let mut green = Vec::new();
    for place in found {
        let (file, line) = &place;
        let in_one = |spoke: &Places| spoke.iter().any(|(at, of)| of == line && at.ends_with(file));
        left_out::leave(Some(place.clone()));
        let mut concerned = heard.iter().filter(|(_, spoke)| in_one(spoke));
        let red = concerned.any(|(test, _)| panic::catch_unwind(AssertUnwindSafe(test)).is_err());
        left_out::leave(None);
        if !red {
            green.push(place);
        }
    }
    QUIET.set(false);
    assert_eq!(green, [], "left out, and no test noticed");
}
