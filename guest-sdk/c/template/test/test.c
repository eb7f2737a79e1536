/* Native tests: the same sources, with a recorder in place of the host. `make test` runs them. */
#include <baton/testing.h>

#include <string.h>

static void adds_up(void) {
    baton_test *actor = baton_test_start("{{name}}/1", "");
    CHECK_REPLY(actor, "\"get\"", "0");
    CHECK_REPLY(actor, "{\"add\": 3}", "3");
    CHECK_FAILURE(actor, "{\"add\": -1}", "bad-message");
    CHECK_REPLY(actor, "\"get\"", "3");
    baton_test_end(actor);
}

/* What a swap or a restart does: the state goes over, and nothing else. */
static void a_replacement_goes_on(void) {
    baton_test *actor = baton_test_start("{{name}}/1", "40");
    CHECK_REPLY(actor, "{\"add\": 2}", "42");
    actor = baton_test_handover(actor);
    CHECK_REPLY(actor, "\"get\"", "42");
    baton_test_end(actor);
}

/* The bytes of each released schema stay in a test: they must be read for ever. */
static void the_bytes_of_schema_1_are_known(void) {
    baton_test *actor = baton_test_resume("{{name}}/1", "", 1, "\xac\x02", 2);
    CHECK_REPLY(actor, "\"get\"", "300");
    baton_bytes state = baton_test_snapshot(actor);
    CHECK(state.len == 2 && memcmp(state.at, "\xac\x02", 2) == 0);
    baton_test_end(actor);
}

/* Name each test here. */
int main(void) { return baton_test_run(adds_up, a_replacement_goes_on, the_bytes_of_schema_1_are_known); }
