#include <stdlib.h>
#include <string.h>

#include "tests.h"

/* --- The smallest plugin: it has no state. --- */

static bool init_nothing(void *self, baton_cx *cx) {
    (void)self, (void)cx;
    return true;
}

static bool echo(void *self, baton_bytes body, baton_cx *cx) {
    (void)self;
    if (body.len == 0) return baton_fail(cx, "empty", "there is nothing to say");
    if (body.at[0] == '?') return true;
    if (body.at[0] == '!') return false;
    return baton_reply_bytes(cx, body);
}

static const baton_plugin smallest = {
    .name = "smallest", .version = "0.1.0", .schema = 1, .init = init_nothing, .handle_bytes = echo};

/* --- Three schemas, and a fourth that is newer. --- */

struct v1 {
    uint32_t count;
};

struct v2 {
    uint64_t count;
};

struct thing {
    uint64_t count;
    char *name; /* on the heap */
};

static void decode_v1(void *state, baton_reader *in) { ((struct v1 *)state)->count = baton_read_u32(in); }

static bool v1_to_v2(const void *state, void *next, baton_cx *cx) {
    const struct v1 *old = state;
    if (old->count == 13) return baton_invalid(cx, "13 was never counted");
    ((struct v2 *)next)->count = old->count;
    return true;
}

static void decode_v2(void *state, baton_reader *in) { ((struct v2 *)state)->count = baton_read_u64(in); }

static char *on_heap(baton_text text) {
    char *copy = malloc(text.len + 1);
    if (!copy) abort();
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return copy;
}

static bool v2_to_thing(const void *state, void *next, baton_cx *cx) {
    struct thing *thing = next;
    thing->count = ((const struct v2 *)state)->count;
    thing->name = on_heap(baton_text_of(baton_actor(cx)));
    return true;
}

static bool v4_to_thing(const void *state, void *next, baton_cx *cx) {
    const struct v2 *newer = state;
    if (newer->count > 100) return baton_invalid(cx, "%llu would be lost", (unsigned long long)newer->count);
    return v2_to_thing(state, next, cx);
}

static bool init(void *self, baton_cx *cx) {
    struct thing *thing = self;
    baton_json args;
    if (!baton_args_json(cx, &args)) return false;
    if (!baton_json_is_null(args) && !baton_json_u64(args, &thing->count)) return baton_bad_args(cx, "a number");
    thing->name = on_heap(baton_text_of("fresh"));
    return true;
}

static bool handle(void *self, baton_json message, baton_cx *cx) {
    struct thing *thing = self;
    if (baton_json_is(message, "count")) return baton_reply_u64(cx, thing->count);
    if (baton_json_is(message, "name")) return baton_reply_string(cx, thing->name);
    if (baton_json_is(message, "nothing")) return true;
    if (baton_json_is(message, "open")) {
        baton_put_array(baton_reply(cx));
        return true;
    }
    if (baton_json_is(message, "who")) {
        baton_out *out = baton_reply(cx);
        baton_put_array(out);
        baton_put_string(out, baton_actor(cx)), baton_put_string(out, baton_sender(cx));
        baton_put_string(out, baton_request_id(cx)), baton_put_bool(out, baton_expects_reply(cx));
        baton_put_u64(out, baton_generation(cx));
        const baton_predecessor *before = baton_predecessor_of(cx);
        if (before) baton_put_u64(out, before->schema), baton_put_string(out, before->stop.name);
        baton_put_end(out);
        return true;
    }
    return baton_bad_message(cx, "\"count\" or \"name\"");
}

static void encode(const void *self, baton_writer *out) {
    const struct thing *thing = self;
    baton_write_u64(out, thing->count);
    baton_write_string(out, thing->name);
    if (thing->count == 99) baton_writer_refuse(out, "99 is not written");
}

static void decode(void *self, baton_reader *in) {
    struct thing *thing = self;
    thing->count = baton_read_u64(in);
    thing->name = on_heap(baton_read_text(in));
}

static bool validate(const void *self, baton_cx *cx) {
    const struct thing *thing = self;
    return thing->count < 1000 || baton_invalid(cx, "the count is %llu", (unsigned long long)thing->count);
}

static bool resumed(void *self, const baton_predecessor *predecessor, baton_cx *cx) {
    const struct thing *thing = self;
    if (thing->count == 7) return baton_refuse(cx, BATON_UNAVAILABLE, "nobody answers %s", predecessor->written_by);
    return true;
}

static baton_legacy terminate(void *self, baton_stop_reason reason, uint64_t budget_ms, baton_cx *cx) {
    (void)self;
    if (reason.kind == BATON_STOP_NORMAL) return BATON_FORGET;
    if (reason.kind == BATON_STOP_PASSIVATE) return BATON_KEEP;
    if (budget_ms < 10) return baton_fail(cx, "late", "%llu ms", (unsigned long long)budget_ms), BATON_TERMINATE_FAILED;
    return BATON_SAVE;
}

static void drop(void *self) { free(((struct thing *)self)->name); }

BATON_PLUGIN(
    .name = "thing",
    .version = "3.0.0",
    .license = "Apache-2.0",
    .authors = "",
    .metadata = BATON_FACTS({"funding", "none"}),
    .schema = 3,
    .state_size = sizeof(struct thing),
    .layouts = BATON_LAYOUTS({1, sizeof(struct v1), decode_v1, v1_to_v2}, {2, sizeof(struct v2), decode_v2, v2_to_thing},
                             {4, sizeof(struct v2), decode_v2, v4_to_thing}),
    .init = init,
    .handle = handle,
    .encode = encode,
    .decode = decode,
    .validate = validate,
    .resumed = resumed,
    .terminate = terminate,
    .drop = drop,
);

/* --- The tests. --- */

static void check_plugin(void *plugin) { baton_check_plugin(plugin); }

void a_plugin_is_described(void) {
    uint32_t from, to;
    size_t count;
    CHECK(!baton_test_panic(check_plugin, (void *)(uintptr_t)&baton_the_plugin));
    baton_reads(&baton_the_plugin, &from, &to);
    CHECK(from == 1 && to == 4);
    CHECK_TEXT(baton_media_type(&baton_the_plugin), "application/json");
    CHECK_TEXT(baton_media_type(&smallest), "application/octet-stream");
    scratch()->plugin = &baton_the_plugin;
    const baton_fact *facts = baton_facts(scratch(), &count);
    CHECK_NUMBER(count, 3);
    CHECK_TEXT(facts[0].name, "license");
    CHECK_TEXT(facts[1].value, "baton-c " BATON_SDK_VERSION);
    CHECK_TEXT(facts[2].name, "funding");
    scratch_end();
}

static void check_panics(baton_plugin plugin, const char *begin) {
    const char *why = baton_test_panic(check_plugin, &plugin);
    baton_check(why && strncmp(why + strlen("panic: "), begin, strlen(begin)) == 0, __FILE__, __LINE__, "%s and not %s",
                why ? why : "all is well", begin);
}

void a_plugin_with_gaps_is_not_described(void) {
    baton_plugin plugin = baton_the_plugin;
    plugin.layouts = BATON_LAYOUTS({1, 4, decode_v1, v1_to_v2});
    check_panics(plugin, "`.layouts` ends before schema 2");
    plugin.layouts = BATON_LAYOUTS({1, 4, decode_v1, v1_to_v2}, {4, 4, decode_v2, v4_to_thing});
    check_panics(plugin, "`.layouts` has schema 4 where 2 is expected");
    plugin.layouts = BATON_LAYOUTS({2, 4, decode_v1, v1_to_v2}, {1, 4, decode_v1, v1_to_v2});
    check_panics(plugin, "`.layouts` has schema 1 where 3 is expected");
    plugin.layouts = BATON_LAYOUTS({5, 4, decode_v1, v1_to_v2});
    check_panics(plugin, "`.layouts` has schema 5 where 4 is expected");
    plugin.layouts = BATON_LAYOUTS({2, 4, decode_v1, v2_to_thing}, {3, 4, decode_v1, v1_to_v2});
    check_panics(plugin, "schema 3 is the current one");
    plugin.layouts = BATON_LAYOUTS({2, 4, decode_v1, NULL});
    check_panics(plugin, "the layout of schema 2 needs");
    plugin = baton_the_plugin, plugin.schema = 0;
    check_panics(plugin, "a plugin says which number");
    plugin = baton_the_plugin, plugin.name = "Thing";
    check_panics(plugin, "a plugin's name has");
    plugin = baton_the_plugin, plugin.handle = NULL;
    check_panics(plugin, "a plugin handles messages");
    plugin = baton_the_plugin, plugin.decode = NULL;
    check_panics(plugin, "what `.encode` writes");
    plugin = smallest, plugin.state_size = 8;
    check_panics(plugin, "a state of 8 bytes");
}

void what_is_left_out_has_defaults(void) {
    baton_test *test = baton_test_start_plugin(&smallest, "s/1", NULL);
    CHECK_REPLY(test, "x", "x");
    CHECK_REPLY(test, "?", "");
    CHECK_FAILURE(test, "", "empty");
    CHECK_FAILURE(test, "!", "failed");
    CHECK(!baton_test_timer(test, "tick"));
    CHECK_TEXT(baton_test_code(test), "unexpected-timer");
    CHECK(!baton_test_other(test, "news", baton_bytes_of("")));
    CHECK_TEXT(baton_test_message(test), "messages of the kind \"news\" are not known here");
    CHECK(baton_test_down(test, "b/1", "killed") && baton_test_exit(test, "b/2", "normal"));
    CHECK_TEXT(baton_test_logged(test), "info nothing is done about the end of an actor down=b/1 reason=killed\n"
                                        "info nothing is done about an exit exit=b/2 reason=normal\n");
    CHECK(!baton_test_other(test, "exit", baton_bytes_of("{}")));
    CHECK_TEXT(baton_test_code(test), "bad-exit");
    CHECK_NUMBER(baton_test_snapshot(test).len, 0);
    test = baton_test_handover(test);
    CHECK_REPLY(test, "x", "x");
    baton_test_end(test);
    test = baton_test_resume_plugin(&smallest, "s/1", NULL, 1, "x", 1);
    CHECK_REFUSED(test, "corrupt: state of schema 1: 1 bytes are left over, since there is no state");
    baton_test_end(test);
}

void replies_and_failures(void) {
    baton_test *test = baton_test_start("thing/1", "5");
    CHECK_REPLY(test, "\"count\"", "5");
    CHECK_REPLY(test, "\"nothing\"", "null");
    CHECK_FAILURE(test, "\"open\"", "bad-reply");
    CHECK_FAILURE(test, "{\"a\": 1}", "bad-message");
    CHECK_TEXT(baton_test_message(test),
               "thing 3.0.0 does not take this message: expected \"count\" or \"name\", not {\"a\": 1}");
    CHECK_FAILURE(test, "count", "bad-message");
    CHECK_TEXT(baton_test_message(test),
               "thing 3.0.0 does not take this message: a value was expected at line 1 column 1");
    CHECK_FAILURE(test, "\xff", "bad-message");
    CHECK(baton_test_cast(test, "\"open\""));
    CHECK_TEXT(baton_test_call_from(test, "b/1", "\"who\""), "[\"thing/1\",\"b/1\",\"test-8\",true,1]");
    test = baton_test_handover(test);
    CHECK_REPLY(test, "\"who\"", "[\"thing/1\",null,\"test-9\",true,2,3,\"upgrade\"]");
    baton_test_end(test);
    test = baton_test_start("thing/1", "\"x\"");
    CHECK_REFUSED(test, "bad-args: the arguments: expected a number, not \"x\"");
    baton_test_end(test);
    test = baton_test_start("thing/1", "x");
    CHECK_REFUSED(test, "bad-args: the arguments: a value was expected at line 1 column 1");
    baton_test_end(test);
}

static void check_resumes(uint32_t schema, const char *bytes, size_t len, const char *count, const char *name) {
    baton_test *test = baton_test_resume("thing/2", NULL, schema, bytes, len);
    if (CHECK(!baton_test_refused(test))) {
        CHECK_REPLY(test, "\"count\"", count);
        CHECK_REPLY(test, "\"name\"", name);
    }
    baton_test_end(test);
}

void states_of_other_schemas_are_brought_up(void) {
    check_resumes(1, "\x05", 1, "5", "\"thing/2\"");
    check_resumes(2, "\xac\x02", 2, "300", "\"thing/2\"");
    check_resumes(3, "\x05\x01x", 3, "5", "\"x\"");
    check_resumes(4, "\x05", 1, "5", "\"thing/2\"");
}

static void check_refused(uint32_t schema, const char *bytes, size_t len, const char *why) {
    baton_test *test = baton_test_resume("thing/2", NULL, schema, bytes, len);
    CHECK_REFUSED(test, why);
    baton_test_end(test);
}

void states_that_do_not_fit_are_refused(void) {
    check_refused(5, "\x05", 1, "incompatible: schema 5 is not among 1 to 4");
    check_refused(1, "", 0, "corrupt: state of schema 1: 1 bytes were expected, and there are 0, at byte 0 of 0");
    check_refused(1, "\x05\x06", 2, "corrupt: state of schema 1: 1 bytes are left over, at byte 1 of 2");
    check_refused(1, "\x0d", 1, "corrupt: state of schema 1 does not migrate: 13 was never counted");
    check_refused(2, "\xe8\x07", 2, "corrupt: state of schema 2 breaks a rule: the count is 1000");
    check_refused(3, "\x05\x01\xff", 3, "corrupt: state of schema 3: a text is not UTF-8, at byte 3 of 3");
    check_refused(4, "\x65", 1, "incompatible: state of schema 4 has no way back: 101 would be lost");
    check_refused(3, "\x07\x01x", 3, "unavailable: nobody answers 3.0.0");
}

void legacies(void) {
    baton_test *test = baton_test_start("thing/1", "5");
    baton_bytes state = {NULL, 0};
    CHECK(baton_test_stop(test, BATON_STOP_NORMAL, BATON_NO_LIMIT, &state) == BATON_FORGET);
    CHECK(baton_test_stop(test, BATON_STOP_PASSIVATE, BATON_NO_LIMIT, &state) == BATON_KEEP);
    CHECK(baton_test_stop(test, BATON_STOP_SHUTDOWN, 5, &state) == BATON_TERMINATE_FAILED);
    CHECK_TEXT(baton_test_code(test), "late");
    CHECK(state.at == NULL);
    CHECK(baton_test_stop(test, BATON_STOP_SHUTDOWN, 5000, &state) == BATON_SAVE);
    CHECK(state.len == 7
          && memcmp(state.at,
                    "\x05\x05"
                    "fresh",
                    7)
                 == 0);
    baton_test_end(test);
    test = baton_test_start("thing/1", "99");
    CHECK(baton_test_stop(test, BATON_STOP_SHUTDOWN, 5000, &state) == BATON_TERMINATE_FAILED);
    CHECK_TEXT(baton_test_message(test), "the state cannot be written: 99 is not written");
    baton_test_end(test);
}
