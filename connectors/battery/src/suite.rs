//! The list of behaviours, and the macro that makes a test of each.

/// Makes one test of each behaviour of the battery, for a type that is a [`Subject`](crate::Subject). With `stallable`
/// after it, for one that is [`Stallable`](crate::Stallable) too, those that need it.
///
/// The crate that uses it needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! battery {
    (@each $then:ident $subject:tt) => {
        $crate::battery! { @$then $subject
            finds_a_record_by_its_key
            answers_none_for_an_absent_record
            answers_several_keys_in_their_order
            hands_over_what_is_wanted
            tells_null_from_text
            finds_by_equality
            finds_by_prefix
            finds_by_range
            finds_by_all_conditions_at_once
            overlooks_the_differences_that_it_declares
            pages_hold_every_record_once
            pages_go_on_when_records_change_between_them
            refuses_a_cursor_that_it_did_not_give
            hostile_keys_find_nothing_and_harm_nothing
            hostile_filters_find_only_what_matches
            hostile_values_round_trip_or_are_refused
            hostile_keys_of_new_records_round_trip_or_are_refused
            shows_a_created_record
            shows_an_updated_record
            shows_a_replaced_record
            shows_no_deleted_record
            finds_a_conflict_in_creating_what_is_there
            finds_nothing_to_change_where_no_record_is
            changes_only_the_version_that_was_expected
            one_of_many_changes_of_one_version_wins
            does_with_a_change_sent_twice_what_it_declares
            never_makes_a_change_that_was_forgone
            tells_of_a_change_to_be_forgone_whether_it_was_made
            does_a_named_action_and_answers_it
            acts_on_nothing_where_no_record_is
            acts_only_on_the_version_that_was_expected
            does_with_an_action_sent_twice_what_it_declares
            finds_changes_in_their_order_and_goes_on
            finds_no_changes_from_before_its_beginning
            serves_binary_values_whole
            refuses_as_unsupported_what_it_does_not_declare
            probes_a_registry_that_is_up
            probes_a_registry_that_is_down
            gives_up_in_time_on_a_registry_that_is_slow
            gives_up_in_time_on_a_registry_that_was_never_quick
            gives_up_at_once_when_the_deadline_has_passed
            finds_a_dead_registry_unavailable_and_quickly
            works_again_after_the_registry_was_killed
            works_again_after_its_connections_were_reset
            takes_no_garbage_for_an_answer
            takes_no_cut_answer_for_a_whole_one
            says_of_a_change_that_was_cut_only_what_it_knows
            works_on_after_calls_were_dropped
            leaves_nothing_under_way_when_calls_are_dropped
            answers_each_of_many_callers_rightly
            loses_no_change_of_many_at_once
        }
    };
    (@each_stallable $then:ident $subject:tt) => {
        $crate::battery! { @$then $subject
            leaves_the_registry_idle_after_a_deadline
        }
    };
    (@tests ($subject:ty) $($behaviour:ident)*) => {
        $(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                $crate::behaviours::$behaviour::<$subject>().await;
            }
        )*
    };
    (@names () $($behaviour:ident)*) => {
        &[$(stringify!($behaviour)),*]
    };
    ($subject:ty) => {
        $crate::battery! { @each tests ($subject) }
    };
    ($subject:ty, stallable) => {
        $crate::battery! { @each tests ($subject) }
        $crate::battery! { @each_stallable tests ($subject) }
    };
}

/// The names of all behaviours: those of every subject, then those of the stallable ones.
pub const BEHAVIOURS: [&[&str]; 2] = [battery!(@each names ()), battery!(@each_stallable names ())];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::BEHAVIOURS;

    #[test]
    fn the_specification_names_every_behaviour_and_no_other() {
        let specification = include_str!("../../SPEC.md");
        let named: BTreeSet<&str> = specification
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.matches('_').count() >= 2 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
            .collect();
        let known: BTreeSet<&str> = BEHAVIOURS.into_iter().flatten().copied().collect();
        assert_eq!(named, known);
    }
}
