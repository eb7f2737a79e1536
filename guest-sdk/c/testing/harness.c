/* Actors under test: they are started, handed over, told things and stopped as a host does it. */
#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static const char *const refusals[] = {"incompatible", "corrupt", "stale", "unavailable", "refused"};
static const char *const stops[] = {"normal", "shutdown", "upgrade", "passivate", "relocate", "restart", "other"};

static void replace(char **text, const char *with) {
    free(*text);
    *text = test_copy(with);
}

static char *joined(const char *first, const char *second) {
    size_t room = strlen(first) + strlen(second) + 3;
    char *text = test_alloc(room);
    snprintf(text, room, "%s: %s", first, second);
    return text;
}

static void begin(baton_test *test) {
    baton_test_current = test;
    baton_turn_begin(&test->cx);
}

/* Notes the failure of the turn, if it failed, and ends it. */
static bool end(baton_test *test, bool ok) {
    if (!ok) {
        baton_failure told = baton_told_failure(&test->cx);
        replace(&test->code, told.code);
        replace(&test->message, told.message);
    }
    baton_turn_end(&test->cx);
    return ok;
}

static baton_test *with_world(const baton_plugin *plugin, const char *actor, const char *args) {
    baton_test *test = test_alloc(sizeof *test);
    test->plugin = plugin;
    test->actor = test_copy(actor);
    test->args = test_copy(args ? args : "");
    test->generation = 1;
    test->now_ms = UINT64_C(1700000000000);
    test->remaining_ms = 30000;
    return test;
}

/* `init` and `continue`. */
static void start(baton_test *test, const baton_handoff *handoff) {
    begin(test);
    bool made = baton_do_init(&test->cx, test->plugin, test->actor, baton_bytes_of(test->args));
    if (!end(test, made)) {
        test->refused = joined(test->code, test->message);
        return;
    }
    begin(test);
    bool taken = baton_do_continue(&test->cx, test->generation, handoff);
    if (!taken) {
        baton_refusal told = baton_told_refusal(&test->cx);
        test->refused = joined(refusals[told.kind], told.message);
    }
    end(test, taken);
}

baton_test *baton_test_start_plugin(const baton_plugin *plugin, const char *actor, const char *args) {
    baton_test *test = with_world(plugin, actor, args);
    start(test, NULL);
    return test;
}

static baton_handoff handoff_of(const baton_plugin *plugin, uint32_t schema, baton_bytes state, uint64_t generation) {
    return (baton_handoff){
        .state = {schema, state},
        .predecessor = {.schema = schema,
                        .origin = BATON_TERMINATED,
                        .origin_name = "terminated",
                        .stop = {BATON_STOP_UPGRADE, "upgrade"},
                        .generation = generation,
                        .written_by = plugin->version},
    };
}

baton_test *baton_test_resume_plugin(const baton_plugin *plugin, const char *actor, const char *args, uint32_t schema,
                                     const void *state, size_t len) {
    baton_test *test = with_world(plugin, actor, args);
    baton_handoff handoff = handoff_of(plugin, schema, (baton_bytes){state, len}, test->generation++);
    start(test, &handoff);
    return test;
}

baton_test *baton_test_start(const char *actor, const char *args) {
    return baton_test_start_plugin(&baton_the_plugin, actor, args);
}

baton_test *baton_test_resume(const char *actor, const char *args, uint32_t schema, const void *state, size_t len) {
    return baton_test_resume_plugin(&baton_the_plugin, actor, args, schema, state, len);
}

const char *baton_test_refused(const baton_test *test) { return test->refused; }

void *baton_test_self(baton_test *test) { return test->cx.self; }

void baton_test_end(baton_test *test) {
    if (test->cx.plugin) baton_do_drop(&test->cx);
    free(test->actor);
    free(test->args);
    free(test->refused);
    free(test->code);
    free(test->message);
    entry **all[] = {&test->timers, &test->answers, &test->members, &test->having, &test->attributes, &test->phases};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) entries_free(all[i]);
    free(test->effects.at);
    free(test->logged.at);
    free(test->given_effects);
    free(test->given_logged);
    free((void *)(uintptr_t)test->given_reply.at);
    free((void *)(uintptr_t)test->given_snapshot.at);
    if (baton_test_current == test) baton_test_current = NULL;
    free(test);
}

/* A state that is written but does not read back is the kind of error that shows only at the next start: found here. */
static void check_round_trip(const baton_test *test, baton_bytes written) {
    baton_test *again = with_world(test->plugin, test->actor, test->args);
    again->now_ms = test->now_ms;
    begin(again);
    bool read = baton_do_init(&again->cx, again->plugin, again->actor, baton_bytes_of(again->args));
    read = read && baton_load_state(&again->cx, (baton_state){test->plugin->schema, written});
    if (!read)
        baton_panic("the actor's own state does not read back: %s",
                    again->cx.refusal.message ? again->cx.refusal.message : again->cx.failure.message);
    baton_state state;
    if (!baton_save_state(&again->cx, &state) || state.data.len != written.len
        || memcmp(state.data.at, written.at, written.len) != 0)
        baton_panic("the actor's state reads back as another one: `encode` and `decode` differ");
    end(again, true);
    baton_test_end(again);
}

static void give_snapshot(baton_test *test, baton_bytes data) {
    baton_bytes copy = test_copy_bytes(data.at, data.len);
    free((void *)(uintptr_t)test->given_snapshot.at);
    test->given_snapshot = copy;
    check_round_trip(test, copy);
}

baton_bytes baton_test_snapshot(baton_test *test) {
    baton_state state;
    begin(test);
    if (!baton_do_snapshot(&test->cx, &state)) baton_panic("no snapshot: %s", test->cx.failure.message);
    give_snapshot(test, state.data);
    end(test, true);
    return test->given_snapshot;
}

baton_legacy baton_test_stop(baton_test *test, baton_stop_kind reason, uint64_t budget_ms, baton_bytes *state) {
    baton_state saved = {0};
    baton_legacy legacy = BATON_SAVE;
    begin(test);
    bool ok = baton_do_terminate(&test->cx, (baton_stop_reason){reason, stops[reason]}, budget_ms, &legacy, &saved);
    if (!ok) legacy = BATON_TERMINATE_FAILED;
    if (legacy == BATON_SAVE) give_snapshot(test, saved.data);
    end(test, ok);
    if (state && legacy == BATON_SAVE) *state = test->given_snapshot;
    return legacy;
}

/* Timers, answers and the rest go over as they are. */
baton_test *baton_test_handover(baton_test *test) {
    baton_bytes state;
    if (baton_test_stop(test, BATON_STOP_UPGRADE, BATON_NO_LIMIT, &state) != BATON_SAVE)
        baton_panic("the actor left no state to hand over");
    baton_test *next = test_alloc(sizeof *next);
    *next = *test;
    next->cx = (baton_cx){0};
    next->actor = test_copy(test->actor);
    next->args = test_copy(test->args);
    next->refused = next->code = next->message = NULL;
    next->given_effects = next->given_logged = NULL;
    next->given_reply = next->given_snapshot = (baton_bytes){NULL, 0};
    baton_handoff handoff = handoff_of(test->plugin, test->plugin->schema, state, next->generation++);
    start(next, &handoff);
    test->timers = test->answers = test->members = test->having = test->attributes = test->phases = NULL;
    test->effects = test->logged = (lines){0};
    baton_test_end(test);
    return next;
}

/* --- Messages. --- */

static bool tell(baton_test *test, const baton_message *message, baton_bytes *reply) {
    if (test->refused) baton_panic("the actor does not run: %s", test->refused);
    baton_bytes given;
    begin(test);
    bool ok = baton_do_handle(&test->cx, message, &given);
    if (ok) {
        baton_bytes copy = test_copy_bytes(given.at, given.len);
        free((void *)(uintptr_t)test->given_reply.at);
        test->given_reply = copy;
        if (reply) *reply = copy;
    }
    return end(test, ok);
}

static bool request(baton_test *test, baton_message_kind kind, const char *sender, baton_bytes body,
                    baton_bytes *reply) {
    char id[32];
    snprintf(id, sizeof id, "test-%llu", (unsigned long long)++test->requests);
    return tell(test, &(baton_message){.kind = kind, .id = id, .sender = sender, .body = body}, reply);
}

bool baton_test_call_bytes(baton_test *test, baton_bytes body, baton_bytes *reply) {
    return request(test, BATON_MESSAGE_CALL, NULL, body, reply);
}

const char *baton_test_call_from(baton_test *test, const char *sender, const char *body) {
    baton_bytes reply;
    if (!request(test, BATON_MESSAGE_CALL, sender, baton_bytes_of(body), &reply)) return NULL;
    return (const char *)reply.at;
}

const char *baton_test_call(baton_test *test, const char *body) { return baton_test_call_from(test, NULL, body); }

bool baton_test_cast(baton_test *test, const char *body) {
    return request(test, BATON_MESSAGE_CAST, NULL, baton_bytes_of(body), NULL);
}

bool baton_test_timer(baton_test *test, const char *name) {
    entry_remove(&test->timers, name);
    return tell(test, &(baton_message){.kind = BATON_MESSAGE_TIMER, .name = name}, NULL);
}

bool baton_test_advance_ms(baton_test *test, uint64_t ms) {
    uint64_t until = test->now_ms + ms;
    for (;;) {
        entry *due = NULL;
        for (entry *timer = test->timers; timer; timer = timer->next)
            if (timer->number <= until && (!due || timer->number < due->number)) due = timer;
        if (!due) break;
        if (due->number > test->now_ms) test->now_ms = due->number;
        char *name = test_copy(due->name);
        bool ok = baton_test_timer(test, name);
        free(name);
        if (!ok) return false;
    }
    test->now_ms = until;
    return true;
}

bool baton_test_down(baton_test *test, const char *actor, const char *reason) {
    return tell(test, &(baton_message){.kind = BATON_MESSAGE_DOWN, .name = actor, .reason = reason}, NULL);
}

bool baton_test_other(baton_test *test, const char *kind, baton_bytes data) {
    return tell(test, &(baton_message){.kind = BATON_MESSAGE_OTHER, .name = kind, .body = data}, NULL);
}

bool baton_test_exit(baton_test *test, const char *actor, const char *reason) {
    baton_cx scratch = {0};
    baton_out *out = baton_json_out(&scratch);
    baton_put_object(out);
    baton_put_key(out, "actor"), baton_put_string(out, actor);
    baton_put_key(out, "reason"), baton_put_string(out, reason);
    baton_put_end(out);
    bool ok = baton_test_other(test, "exit", baton_out_bytes(out));
    baton_arena_free(&scratch.arena);
    return ok;
}

const char *baton_test_code(const baton_test *test) { return test->code ? test->code : ""; }

const char *baton_test_message(const baton_test *test) { return test->message ? test->message : ""; }

/* --- What the test sees and sets. --- */

static const char *give_lines(lines *from, char **given) {
    free(*given);
    *given = from->at ? from->at : test_copy("");
    *from = (lines){0};
    return *given;
}

const char *baton_test_effects(baton_test *test) { return give_lines(&test->effects, &test->given_effects); }

const char *baton_test_logged(baton_test *test) { return give_lines(&test->logged, &test->given_logged); }

uint64_t baton_test_timer_due(const baton_test *test, const char *name) {
    entry *timer = entry_find(test->timers, name);
    return timer ? timer->number : 0;
}

uint64_t baton_test_now_ms(const baton_test *test) { return test->now_ms; }

void baton_test_set_now_ms(baton_test *test, uint64_t now_ms) { test->now_ms = now_ms; }

void baton_test_set_remaining_ms(baton_test *test, uint64_t left) { test->remaining_ms = left; }

void baton_test_answer(baton_test *test, const char *actor, const char *reply) {
    entry_put(&test->answers, actor)->text = test_copy(reply);
}

void baton_test_answer_failure(baton_test *test, const char *actor, const char *code, const char *message) {
    entry *answer = entry_put(&test->answers, actor);
    answer->number = BATON_CALL_FAILED;
    answer->text = test_copy(code);
    answer->more = test_copy(message);
}

void baton_test_answer_problem(baton_test *test, const char *actor, baton_problem problem) {
    entry_put(&test->answers, actor)->number = (uint64_t)problem;
}

void baton_test_refuse_effects(baton_test *test, baton_problem problem) { test->refuse_effects = problem; }

#endif
