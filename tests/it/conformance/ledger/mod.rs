//! One body of tests holds every ledger to the promises of [`Ledger`](sacker::ledger::Ledger).
//!
//! `for_sequential` is what any ledger must do with one writer at a time; `for_tables` looks at the table beneath as
//! well; `for_concurrent` has many writers.

mod adding;
mod adopting;
mod blobs;
pub mod changing;
mod changing_races;
mod concurrent;
mod events;
pub mod freezing;
mod guards;
mod history;
mod items;
mod keys;
mod labels;
mod pages;
pub mod plans;
mod pruning;
mod reading;
pub mod recalling;
mod resuming;
pub mod rollback;
mod standing;
mod status;
pub mod steps;
mod tagging;
mod times;
mod transfer;
mod undeleting;
mod undoing;
mod unreadable;

/// Makes a test of each case, in a world of its own.
macro_rules! expand {
    ($world:expr; $($module:ident::$case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$module::$case(&$world).await;
            }
        )*
    };
}

macro_rules! for_sequential {
    ($world:expr) => {
        expand! {
            $world;
            adding::the_first_version_makes_the_package
            adding::numbers_are_dense_and_latest_follows
            adding::what_is_added_is_read_back
            adding::tags_move_with_the_version
            adding::sixteen_tags_and_one_given_twice
            adding::unchanged_content_adds_nothing
            adding::unchanged_content_still_moves_tags
            adding::latest_must_be_as_expected
            keys::a_repeated_addition_gives_the_first_outcome
            keys::a_repeated_unchanged_addition_gives_the_first_outcome
            keys::a_repeated_move_gives_the_first_outcome
            keys::a_repeated_move_that_changed_nothing_gives_the_first_outcome
            keys::a_repeated_untag_gives_the_first_outcome
            keys::a_key_is_good_for_one_thing
            reading::an_empty_ledger_has_nothing
            reading::what_is_missing_is_named
            reading::packages_come_in_bytewise_order
            reading::a_listing_begins_where_requested
            reading::summaries_follow_the_releases
            reading::versions_come_newest_first
            reading::creating_again_changes_nothing
            tagging::tags_come_with_latest
            tagging::a_move_reports_where_the_tag_was
            tagging::already_there_changes_nothing
            tagging::a_spec_is_resolved
            tagging::a_tag_must_be_where_it_is_expected
            tagging::what_can_not_be_tagged
            tagging::untag_once_and_again
            tagging::messages_are_kept
        }
    };
}

macro_rules! for_tables {
    ($world:expr) => {
        expand! {
            $world;
            adopting::an_identity_is_changed_by_compare_and_swap
            adopting::each_epoch_has_generations_and_counts_of_its_own
            blobs::generations_follow_the_blob_item
            blobs::a_generation_of_another_epoch_is_damage
            blobs::a_blob_condemned_meanwhile_is_stored_again
            blobs::what_was_not_stored_is_not_committed
            blobs::versions_are_counted
            changing::latest_falls_to_the_highest_active_version
            changing::latest_falls_past_many_yanked_ones
            changing::a_change_already_in_effect_changes_nothing
            changing::a_deleted_version_is_gone_and_its_number_spent
            changing::a_tagged_version_is_not_withdrawn
            changing::the_target_of_a_rollback_is_not_deleted
            changing::a_blob_is_counted_down_by_each_deletion
            changing::labels_are_added_and_never_replaced
            changing::a_repeated_change_gives_the_first_outcome
            changing::a_change_is_resumed
            changing::messages_of_changes_are_kept
            undeleting::a_deleted_version_comes_back_as_it_was
            undeleting::what_was_collected_does_not_come_back
            undeleting::an_undeletion_is_done_once
            undeleting::an_undeletion_of_what_is_not_deleted_never_reports_a_deletion
            undeleting::a_forced_deletion_takes_the_target_of_a_rollback
            pruning::the_stops_are_what_rollbacks_can_reach
            pruning::a_stop_is_never_pruned
            pruning::stops_that_can_not_be_read_are_damage
            events::events_continue_after_any_position
            events::a_missing_entry_ends_the_events
            freezing::a_freeze_refuses_every_move_forward
            freezing::an_emergency_passes_and_is_recorded
            freezing::a_freeze_ends_by_itself
            freezing::a_repeated_freeze_gives_the_first_outcome
            freezing::a_freeze_stops_releases_that_do_not_obey_it
            freezing::wrong_freezes_are_found
            freezing::a_repeat_completes_a_freeze
            recalling::every_tag_goes_back
            recalling::a_recall_that_is_refused_names_its_tags
            recalling::a_repeated_recall_gives_the_first_outcome
            guards::write_once_stays
            guards::confirm_needs_the_name_again
            guards::protection_is_an_event
            guards::gates_are_conditions_of_the_move
            guards::gates_in_a_plan
            standing::every_move_forward_must_pass
            standing::a_new_version_passes_gates_for_its_labels_alone
            standing::an_override_is_recorded
            standing::no_override_is_kept_until_all_protection_goes
            standing::a_version_that_was_overwritten_keeps_its_credit
            standing::a_check_changes_nothing
            history::history_is_newest_first
            history::what_is_not_there_has_no_history
            history::a_long_history_comes_page_by_page
            history::entries_under_a_damaged_or_lost_head_are_shown
            plans::all_moves_are_made
            plans::or_none_and_every_reason_is_named
            plans::tags_already_in_place_stay
            plans::two_tags_change_places
            plans::a_repeated_plan_gives_the_first_outcome
            plans::a_plan_that_did_not_land_is_resumed_once
            plans::a_resumed_plan_is_found_by_any_of_its_entries
            undoing::a_release_is_taken_back
            undoing::a_plan_whose_tags_moved_again_is_not_undone
            undoing::what_can_not_be_restored_is_named
            plans::limits_are_checked_first
            rollback::a_second_rollback_goes_further_back
            rollback::a_removed_tag_is_restored_by_a_rollback
            rollback::back_to_any_earlier_one
            rollback::what_is_not_active_is_refused_with_the_nearest
            rollback::a_repeated_rollback_gives_the_first_outcome
            rollback::the_past_is_named
            items::the_items_are_what_the_schema_says
            items::times_grow_with_any_clock
            items::an_age_that_no_clock_proves_is_reported_as_unproven
            items::an_unknown_schema_is_left_alone
            items::a_malformed_item_is_damage
            items::states_are_respected
            items::a_protected_tag_is_left_alone
            items::a_head_that_only_a_fence_made_is_no_package
            status::a_status_shows_each_tag_with_its_last_move
            status::a_status_needs_no_list_in_the_head
            status::a_status_of_the_past_comes_from_the_log
            status::a_status_of_the_past_agrees_with_each_spec
            status::a_status_of_an_uncertain_time_is_refused
            times::the_server_corrects_a_wrong_clock
            times::one_wrong_clock_shuts_no_gate_where_the_server_states_the_time
            times::no_gate_opens_early_after_a_clock_was_behind
            times::the_past_is_not_guessed_after_a_clock_was_ahead
            times::the_past_is_not_guessed_after_a_clock_was_behind
            reading::many_versions_come_page_by_page
            unreadable::a_tag_that_can_not_be_read_holds_what_its_log_says
            unreadable::a_tag_that_its_log_does_not_show_either_holds_active_versions
            unreadable::a_lost_way_back_holds_active_versions
            transfer::what_is_exported_is_imported
            transfer::an_import_continues_from_an_earlier_state
            transfer::later_changes_are_left_out
            transfer::another_past_is_refused
            transfer::what_a_newer_release_wrote_is_carried
            transfer::an_unanswered_import_is_not_counted_twice
            transfer::a_broken_chain_is_refused
            resuming::what_landed_is_found
            resuming::what_did_not_land_is_done_once
            resuming::a_key_of_something_else_is_refused
            resuming::a_rerun_in_another_slot_is_found_as_well
        }
    };
}

macro_rules! for_concurrent {
    ($world:expr) => {
        expand! {
            $world;
            concurrent::sixteen_adders_lose_nothing
            concurrent::concurrent_changes_with_one_expectation_have_one_winner
            concurrent::tags_set_by_adding_and_by_tagging
            concurrent::one_key_makes_one_version
            concurrent::a_promotion_takes_what_the_tag_was_on
            concurrent::unchanged_content_is_added_once
            plans::no_snapshot_ever_sees_half
            plans::a_plan_and_single_moves_exclude_each_other
            changing_races::a_tag_and_a_yank_exclude_each_other
            changing_races::versions_yanked_at_once_leave_the_right_latest
            freezing::no_move_lands_after_a_freeze
            recalling::no_tag_is_on_a_recalled_version
            changing_races::moves_and_prunes_exclude_each_other
            changing_races::an_undeletion_and_a_collection_exclude_each_other
            labels::labels_of_many_are_all_kept
            labels::one_name_takes_one_value
        }
    };
}

mod memory {
    for_sequential!(crate::support::world::Tables::memory());
    for_tables!(crate::support::world::Tables::memory());
    for_concurrent!(crate::support::world::Tables::memory());
}

mod sqlite {
    for_sequential!(crate::support::world::Tables::sqlite());
    for_tables!(crate::support::world::Tables::sqlite());
    for_concurrent!(crate::support::world::Tables::sqlite());
}

mod git {
    for_sequential!(crate::support::world::Tables::git().await);
    for_tables!(crate::support::world::Tables::git().await);
    for_concurrent!(crate::support::world::Tables::git().await);
}

/// A part: what it adds to `git` is the fetching and pushing, which the suite of tables has in full.
mod git_http {
    for_concurrent!(crate::support::world::Tables::git_http().await);
}

mod dynamodb {
    for_sequential!(crate::support::world::Tables::dynamodb().await);
    for_tables!(crate::support::world::Tables::dynamodb().await);
    for_concurrent!(crate::support::world::Tables::dynamodb().await);
}

#[cfg(feature = "zookeeper")]
mod zookeeper {
    for_sequential!(crate::support::world::Tables::zookeeper().await);
    for_tables!(crate::support::world::Tables::zookeeper().await);
    for_concurrent!(crate::support::world::Tables::zookeeper().await);
}

#[cfg(feature = "postgres")]
mod postgres {
    for_sequential!(crate::support::world::Tables::postgres().await);
    for_tables!(crate::support::world::Tables::postgres().await);
    for_concurrent!(crate::support::world::Tables::postgres().await);
}

#[cfg(feature = "weak-s3-ledger")]
mod weak_s3 {
    for_sequential!(crate::support::world::Weak::new().await);
}
