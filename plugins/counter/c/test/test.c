/* Native tests: the same sources, with a recorder in place of the host. `make test` runs them. */
#include <baton/testing.h>

#include <string.h>

static void counts_from_its_argument(void) {
    static const char *const args[][2] = {{"", "3"}, {"null", "3"}, {"40", "43"}, {" 40 ", "43"}};
    for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
        baton_test *counter = baton_test_start("counter/1", args[i][0]);
        CHECK_REPLY(counter, "{\"add\": 3}", args[i][1]);
        baton_test_end(counter);
    }
    static const char *const bad[] = {"-1", "1.5", "\"1\"", "{}", "x", "18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        baton_test *counter = baton_test_start("counter/1", bad[i]);
        CHECK_REFUSED(counter, "bad-args: ");
        baton_test_end(counter);
    }
}

static void a_replacement_counts_on(void) {
    baton_test *counter = baton_test_start("counter/1", "");
    CHECK(baton_test_cast(counter, "{\"add\": 5}"));
    counter = baton_test_handover(counter);
    CHECK_REPLY(counter, "{\"add\": 1}", "6");
    CHECK_REPLY(counter, "\"reset\"", "0");
    baton_test_end(counter);
}

static void what_does_not_fit_leaves_the_count_alone(void) {
    baton_test *counter = baton_test_start("counter/1", "18446744073709551615");
    CHECK_FAILURE(counter, "{\"add\": 1}", "overflow");
    CHECK_TEXT(baton_test_message(counter),
               "18446744073709551615 + 1 is more than a counter holds (18446744073709551615)");
    static const char *const bad[] = {"{\"add\": -1}",
                                      "{\"add\": 1.0}",
                                      "{\"add\": \"1\"}",
                                      "{\"add\": 1, \"b\": 2}",
                                      "\"add\"",
                                      "\"sub\"",
                                      "[\"get\"]",
                                      "get",
                                      "",
                                      "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK_FAILURE(counter, bad[i], "bad-message");
    CHECK_REPLY(counter, "\"get\"", "18446744073709551615");
    baton_test_end(counter);
}

/* What 1.0.0 wrote of 300, in whatever language: it must be read for ever. */
static void the_bytes_of_schema_1_are_known(void) {
    baton_test *counter = baton_test_resume("counter/1", "", 1, "\xac\x02", 2);
    CHECK_REPLY(counter, "\"get\"", "300");
    baton_bytes state = baton_test_snapshot(counter);
    CHECK(state.len == 2 && memcmp(state.at, "\xac\x02", 2) == 0);
    baton_test_end(counter);
}

static void other_bytes_are_refused(void) {
    static const struct {
        const char *bytes;
        size_t len;
    } rubbish[] = {{"", 0},
                   {"\x80", 1},
                   {"\x05\x00", 2},
                   {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
                   {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11}};
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        baton_test *counter = baton_test_resume("counter/1", "", 1, rubbish[i].bytes, rubbish[i].len);
        CHECK_REFUSED(counter, "corrupt: state of schema 1: ");
        baton_test_end(counter);
    }
    baton_test *counter = baton_test_resume("counter/1", "", 2, "\x05", 1);
    CHECK_REFUSED(counter, "incompatible: schema 2 is not among 1 to 1");
    baton_test_end(counter);
}

int main(void) {
    return baton_test_run(counts_from_its_argument, a_replacement_counts_on, what_does_not_fit_leaves_the_count_alone,
                          the_bytes_of_schema_1_are_known, other_bytes_are_refused);
}
