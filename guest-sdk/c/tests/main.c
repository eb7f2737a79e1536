#include "tests.h"

static baton_cx cx;

baton_cx *scratch(void) { return &cx; }

void scratch_end(void) { baton_arena_free(&cx.arena); }

int main(void) {
    return baton_test_run(texts_are_compared_and_checked, formats_are_those_of_printf,
                          memory_of_a_turn_grows_and_is_free_again, doubles_are_written_as_short_as_they_read_back,
                          json_is_read_where_it_stands, what_is_no_json_is_told_with_its_place,
                          numbers_keep_every_digit, texts_have_their_escapes_resolved, nesting_is_bounded,
                          json_is_written_with_its_commas, what_is_put_wrongly_is_told,
                          rubbish_is_never_read_beyond_its_end, bytes_are_those_of_postcard, what_is_written_reads_back,
                          what_does_not_decode_is_told, a_plugin_is_described, a_plugin_with_gaps_is_not_described,
                          what_is_left_out_has_defaults, replies_and_failures, states_of_other_schemas_are_brought_up,
                          states_that_do_not_fit_are_refused, legacies, what_an_actor_asks_is_recorded,
                          what_the_host_refuses_is_the_failure_of_the_turn, calls_are_answered, supervisors_are_asked,
                          timers_come_due_in_their_order);
}
