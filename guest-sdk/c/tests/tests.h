/* Tests of the SDK itself; main.c runs them. */
#ifndef TESTS_H
#define TESTS_H

#include "../src/internal.h"
#include "baton/testing.h"

/* An actor's cx without an actor: memory alone. */
baton_cx *scratch(void);
void scratch_end(void);

void texts_are_compared_and_checked(void);
void formats_are_those_of_printf(void);
void memory_of_a_turn_grows_and_is_free_again(void);
void doubles_are_written_as_short_as_they_read_back(void);

void json_is_read_where_it_stands(void);
void what_is_no_json_is_told_with_its_place(void);
void numbers_keep_every_digit(void);
void texts_have_their_escapes_resolved(void);
void nesting_is_bounded(void);
void json_is_written_with_its_commas(void);
void what_is_put_wrongly_is_told(void);
void rubbish_is_never_read_beyond_its_end(void);

void bytes_are_those_of_postcard(void);
void what_is_written_reads_back(void);
void what_does_not_decode_is_told(void);

void a_plugin_is_described(void);
void a_plugin_with_gaps_is_not_described(void);
void what_is_left_out_has_defaults(void);
void replies_and_failures(void);
void states_of_other_schemas_are_brought_up(void);
void states_that_do_not_fit_are_refused(void);
void legacies(void);

void what_an_actor_asks_is_recorded(void);
void what_the_host_refuses_is_the_failure_of_the_turn(void);
void calls_are_answered(void);
void supervisors_are_asked(void);
void timers_come_due_in_their_order(void);

#endif
