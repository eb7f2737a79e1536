#include <string.h>

#include "tests.h"

/* An actor that does what its message says, so that each function of cx.h and supervision.h is called. */

static bool init(void *self, baton_cx *cx) {
    (void)self, (void)cx;
    return true;
}

static bool put_names(baton_cx *cx, bool ok, baton_names names) {
    if (!ok) return false;
    baton_out *out = baton_reply(cx);
    baton_put_array(out);
    for (size_t i = 0; i < names.count; i++) baton_put_string(out, names.at[i]);
    baton_put_end(out);
    return true;
}

static bool supervise(const char *what, baton_cx *cx) {
    baton_names names;
    baton_counts counts;
    baton_children children;
    if (strcmp(what, "start-child") == 0)
        return baton_start_child(cx, "sup", &(baton_child){.name = "w/1", .plugin = "worker"});
    if (strcmp(what, "terminate-child") == 0) return baton_terminate_child(cx, "w/1");
    if (strcmp(what, "restart-child") == 0) return baton_restart_child(cx, "w/1");
    if (strcmp(what, "delete-child") == 0) return baton_delete_child(cx, "w/1");
    if (strcmp(what, "which-children") == 0)
        return baton_which_children(cx, NULL, &children) && baton_reply_string(cx, children.at[0].name);
    if (strcmp(what, "count-children") == 0)
        return baton_count_children(cx, "sup", &counts) && baton_reply_u64(cx, counts.active);
    if (strcmp(what, "whereis") == 0) return baton_reply_string(cx, baton_phase_name(baton_whereis(cx, "b/1")));
    if (strcmp(what, "attribute") == 0) return baton_reply_string(cx, baton_attribute(cx, "b/1", "city"));
    if (strcmp(what, "members") == 0) return put_names(cx, baton_members(cx, "room", &names), names);
    if (strcmp(what, "having") == 0) return put_names(cx, baton_having(cx, "city", "BER", &names), names);
    if (strcmp(what, "link") == 0)
        return baton_link(cx, "b/1") && baton_unlink(cx, "b/2") && baton_exit(cx, "b/3", "killed");
    if (strcmp(what, "join") == 0)
        return baton_join(cx, "room") && baton_dispatch(cx, "room", baton_bytes_of("1")) && baton_leave(cx, "room")
               && baton_set_attribute(cx, "city", "BER") && baton_set_attribute(cx, "city", NULL);
    return baton_bad_message(cx, "something to do");
}

static bool handle(void *self, baton_json message, baton_cx *cx) {
    baton_text what;
    baton_json reply;
    (void)self;
    if (!baton_json_text(cx, message, &what)) return baton_bad_message(cx, "a text");
    if (baton_text_is(what, "effects")) {
        baton_cancel_timer(cx, "old"), baton_save(cx), baton_stop(cx), baton_demonitor(cx, "b/1");
        return baton_send_json(cx, "b/1", "{\"say\":1}") && baton_set_timer(cx, "tick", 10)
               && baton_set_timer(cx, "late", 50) && baton_monitor(cx, "b/1");
    }
    if (baton_text_is(what, "logs")) {
        baton_log(cx, BATON_WARN, "delayed", "airport", "BER", "minutes", baton_format(cx, "%d", 12), NULL);
        baton_trace(cx, "%d", 1), baton_debug(cx, "%d", 2), baton_info(cx, "%d", 3), baton_warn(cx, "%d", 4);
        baton_error(cx, "%d", 5);
        return true;
    }
    if (baton_text_is(what, "call")) {
        if (!baton_call(cx, "b/1", baton_bytes_of("\"get\""), &reply)) return false;
        baton_put_json(baton_reply(cx), reply);
        return true;
    }
    if (baton_text_is(what, "try")) {
        if (!baton_call_within(cx, "b/1", baton_bytes_of("1"), 100, NULL)
            && baton_last_problem(cx).problem == BATON_CALL_TIMEOUT)
            return baton_reply_string(cx, "timeout");
        return baton_reply_null(cx);
    }
    if (baton_text_is(what, "times")) {
        baton_out *out = baton_reply(cx);
        baton_put_array(out);
        baton_put_u64(out, baton_now_ms(cx)), baton_put_u64(out, baton_remaining_ms(cx));
        baton_put_bool(out, baton_random_u64(cx) != baton_random_u64(cx));
        baton_put_end(out);
        return true;
    }
    return supervise(what.at, cx);
}

static bool timer(void *self, const char *name, baton_cx *cx) {
    (void)self;
    baton_info(cx, "%s at %llu", name, (unsigned long long)baton_now_ms(cx));
    return strcmp(name, "tick") != 0 || baton_set_timer(cx, "tick", 30);
}

static const baton_plugin asking = {
    .name = "asking", .version = "0.1.0", .schema = 1, .init = init, .handle = handle, .timer = timer};

static baton_test *start(void) { return baton_test_start_plugin(&asking, "a/1", NULL); }

void what_an_actor_asks_is_recorded(void) {
    baton_test *test = start();
    CHECK_REPLY(test, "\"effects\"", "null");
    CHECK_TEXT(baton_test_effects(test), "cancel-timer old\nsave\nstop\ndemonitor b/1\nsend b/1 {\"say\":1}\n"
                                         "set-timer tick 10\nset-timer late 50\nmonitor b/1\n");
    CHECK_TEXT(baton_test_effects(test), "");
    CHECK_REPLY(test, "\"logs\"", "null");
    CHECK_TEXT(baton_test_logged(test),
               "warn delayed airport=BER minutes=12\ntrace 1\ndebug 2\ninfo 3\nwarn 4\nerror 5\n");
    baton_test_set_now_ms(test, 5), baton_test_set_remaining_ms(test, 9);
    CHECK_REPLY(test, "\"times\"", "[5,9,true]");
    baton_test_end(test);
}

void what_the_host_refuses_is_the_failure_of_the_turn(void) {
    baton_test *test = start();
    baton_test_refuse_effects(test, BATON_SEND_DENIED);
    CHECK_FAILURE(test, "\"effects\"", "send-denied");
    baton_test_refuse_effects(test, BATON_SEND_LIMIT);
    CHECK_FAILURE(test, "\"link\"", "send-limit");
    CHECK_TEXT(baton_test_message(test), "a limit of the host was reached: a test's");
    baton_test_refuse_effects(test, BATON_NO_PROBLEM);
    CHECK_REPLY(test, "\"link\"", "null");
    baton_test_end(test);
}

void calls_are_answered(void) {
    baton_test *test = start();
    CHECK_FAILURE(test, "\"call\"", "call-unknown-actor");
    baton_test_answer(test, "b/1", "[1]");
    CHECK_REPLY(test, "\"call\"", "[1]");
    baton_test_answer(test, "b/1", "[1");
    CHECK_FAILURE(test, "\"call\"", "bad-reply");
    baton_test_answer_failure(test, "b/1", "out-of-stock", "no more of these");
    CHECK_FAILURE(test, "\"call\"", "out-of-stock");
    CHECK_TEXT(baton_test_message(test), "no more of these");
    baton_test_answer_problem(test, "b/1", BATON_CALL_TIMEOUT);
    CHECK_FAILURE(test, "\"call\"", "call-timeout");
    baton_test_effects(test);
    CHECK_REPLY(test, "\"try\"", "\"timeout\"");
    CHECK_TEXT(baton_test_effects(test), "call b/1 1 100\n");
    baton_test_end(test);
}

void supervisors_are_asked(void) {
    static const char *const asks[] = {"\"start-child\"", "\"terminate-child\"", "\"restart-child\"",
                                       "\"delete-child\""};
    baton_test *test = start();
    for (size_t i = 0; i < 4; i++) CHECK_REPLY(test, asks[i], "null");
    CHECK_REPLY(test, "\"join\"", "null");
    CHECK_REPLY(test, "\"link\"", "null");
    CHECK_TEXT(baton_test_effects(test),
               "start-child w/1 worker sup\nterminate-child w/1\nrestart-child w/1\ndelete-child w/1\n"
               "join room\ndispatch room 1\nleave room\nset-attribute city BER\nset-attribute city\n"
               "link b/1\nunlink b/2\nexit b/3 killed\n");
    CHECK_REPLY(test, "\"members\"", "[]");
    baton_test_set_members(test, "room", "a/1 a/2");
    CHECK_REPLY(test, "\"members\"", "[\"a/1\",\"a/2\"]");
    baton_test_set_having(test, "city", "BER", "b/1");
    CHECK_REPLY(test, "\"having\"", "[\"b/1\"]");
    CHECK_REPLY(test, "\"attribute\"", "null");
    baton_test_set_attribute(test, "b/1", "city", "BER");
    CHECK_REPLY(test, "\"attribute\"", "\"BER\"");
    CHECK_REPLY(test, "\"whereis\"", "\"nobody\"");
    baton_test_set_phase(test, "b/1", BATON_HELD);
    CHECK_REPLY(test, "\"whereis\"", "\"held\"");
    baton_child_info child = {.name = "w/1", .state = BATON_CHILD_UP};
    baton_test_set_children(test, &child, 1);
    CHECK_REPLY(test, "\"which-children\"", "\"w/1\"");
    CHECK_REPLY(test, "\"count-children\"", "1");
    baton_test_refuse_supervision(test, BATON_SUPERVISION_MAX_CHILDREN);
    CHECK_FAILURE(test, "\"start-child\"", "max-children");
    baton_test_refuse_supervision(test, BATON_SUPERVISION_FAILED);
    CHECK_FAILURE(test, "\"start-child\"", "start-failed");
    CHECK_TEXT(baton_test_message(test), "a test's");
    baton_test_end(test);
}

void timers_come_due_in_their_order(void) {
    baton_test *test = start();
    baton_test_set_now_ms(test, 0);
    CHECK_REPLY(test, "\"effects\"", "null");
    CHECK_NUMBER(baton_test_timer_due(test, "late"), 50);
    CHECK(baton_test_advance_ms(test, 45));
    test = baton_test_handover(test);
    CHECK(baton_test_advance_ms(test, 30));
    CHECK_TEXT(baton_test_logged(test), "info tick at 10\ninfo tick at 40\ninfo late at 50\ninfo tick at 70\n");
    CHECK_NUMBER(baton_test_now_ms(test), 75);
    CHECK_NUMBER(baton_test_timer_due(test, "late"), 0);
    baton_test_end(test);
}
