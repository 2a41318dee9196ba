//! The list of behaviours, and the macro that makes a test of each.

/// Makes one test of each behaviour of the battery, for a type that is a [`Subject`](crate::battery::Subject).
///
/// The crate that uses it needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! battery {
    (@each $then:ident $subject:tt) => {
        $crate::battery! { @$then $subject
            finds_an_accepted_update_after_a_restart
            finds_an_accepted_update_after_a_crash
            answers_none_for_what_it_does_not_have
            knows_a_key_again_with_what_it_was_used_for
            keeps_the_keys_of_systems_apart
            takes_one_of_many_updates_under_one_key
            takes_an_update_on_once_however_often_it_is_handed_over
            takes_on_what_many_hand_over_at_once
            knows_whether_a_record_has_updates_to_come
            refuses_what_comes_after_its_end
            gives_the_updates_of_a_record_in_the_order_of_acceptance
            gives_each_update_once
            gives_a_registry_its_own_updates
            hands_an_update_over_as_it_was_accepted
            loses_nothing_when_a_taker_gives_up
            gives_what_is_not_concluded_again_after_a_restart
            gives_what_is_not_concluded_again_after_a_crash
            keeps_how_far_an_update_has_come
            concludes_an_update_once
            forgets_the_payload_of_a_concluded_update
            never_gives_a_concluded_update_again
            refuses_a_lease_that_is_over
            tells_who_waits_how_an_update_settled
            gives_a_parked_update_only_when_it_is_sent
            tells_later_updates_of_a_parked_one_before_them
            holds_nothing_up_for_a_parked_update_of_another_record
            takes_along_what_is_parked_behind
            gives_an_update_again_that_has_nobody_to_wait_behind
            counts_attempts_anew_and_keeps_the_doubt
            refuses_a_lease_from_before_it_was_parked
            discards_a_parked_update
            says_what_an_act_cannot_do
            acts_on_several_of_a_record_at_once
            records_what_operators_did
            lists_updates_page_by_page_in_the_order_of_acceptance
            refuses_a_cursor_that_it_did_not_give
            lists_the_updates_that_a_filter_names
            lists_updates_by_their_state_and_by_what_came_in_their_way
            counts_what_waits
            publishes_the_events_of_an_update_with_its_conclusion
            publishes_no_event_where_it_does_not_conclude
            publishes_an_event_once_however_often_it_is_handed_over
            goes_on_with_events_after_a_position
            knows_its_positions_after_a_crash
            begins_with_the_first_event_where_there_was_none
            refuses_a_position_that_it_did_not_give
            tells_of_new_events
            keeps_values_by_their_keys
            publishes_and_keeps_together
        }
    };
    (@tests ($subject:ty) $($behaviour:ident)*) => {
        $(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                $crate::battery::behaviours::$behaviour::<$subject>().await;
            }
        )*
    };
    (@names () $($behaviour:ident)*) => {
        &[$(stringify!($behaviour)),*]
    };
    ($subject:ty) => {
        $crate::battery! { @each tests ($subject) }
    };
}

/// The names of all behaviours.
pub const BEHAVIOURS: &[&str] = battery!(@each names ());

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
        let known: BTreeSet<&str> = BEHAVIOURS.iter().copied().collect();
        assert_eq!(named, known);
    }
}
