/* What went wrong: failures, refusals, and why the host said no. */
#include "internal.h"

bool baton_fail(baton_cx *cx, const char *code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    cx->failure = (baton_failure){code, baton_vformat(cx, format, args)};
    va_end(args);
    return false;
}

bool baton_refuse(baton_cx *cx, baton_refusal_kind kind, const char *format, ...) {
    va_list args;
    va_start(args, format);
    cx->refusal = (baton_refusal){kind, baton_vformat(cx, format, args)};
    va_end(args);
    return false;
}

bool baton_invalid(baton_cx *cx, const char *format, ...) {
    va_list args;
    va_start(args, format);
    cx->refusal = (baton_refusal){BATON_CORRUPT, baton_vformat(cx, format, args)};
    va_end(args);
    return false;
}

/* As much of what came as fits into a message, cut between two characters. */
static baton_text excerpt(baton_text text) {
    size_t len = 0, most = 100;
    while (len < text.len) {
        size_t step = baton_utf8_step(text.at + len, text.len - len);
        if (step == 0 || len + step > most) break;
        len += step;
    }
    return (baton_text){text.at, len};
}

bool baton_bad_message(baton_cx *cx, const char *what) {
    const baton_plugin *plugin = cx->plugin;
    if (!cx->message.at)
        return baton_fail(cx, "bad-message", "%s %s does not take this message: expected %s", plugin->name,
                          plugin->version, what);
    baton_text came = baton_json_raw(cx->message), begin = excerpt(came);
    return baton_fail(cx, "bad-message", "%s %s does not take this message: expected %s, not %.*s%s", plugin->name,
                      plugin->version, what, (int)begin.len, begin.at, begin.len < came.len ? "…" : "");
}

bool baton_bad_args(baton_cx *cx, const char *what) {
    baton_text came = {(const char *)cx->args, cx->args_len}, begin = excerpt(came);
    return baton_fail(cx, "bad-args", "the arguments: expected %s, not %.*s%s", what, (int)begin.len, begin.at,
                      begin.len < came.len ? "…" : "");
}

/* Codes and messages, in the order of `baton_problem`. `%s` is what the host said besides. */
static const struct {
    const char *code;
    const char *message;
} problems[] = {
    [BATON_NO_PROBLEM] = {NULL, NULL},
    [BATON_SEND_DENIED] = {"send-denied", "this actor is not allowed to send that"},
    [BATON_SEND_LIMIT] = {"send-limit", "a limit of the host was reached: "},
    [BATON_CALL_UNKNOWN_ACTOR] = {"call-unknown-actor", "there is no actor of that name"},
    [BATON_CALL_MAILBOX_FULL] = {"call-mailbox-full", "the mailbox of the actor called is full"},
    [BATON_CALL_DENIED] = {"call-denied", "this actor is not allowed to call that one"},
    [BATON_CALL_UNAVAILABLE] = {"call-unavailable",
                                "the actor called is stopping or parked; it has not seen the message"},
    [BATON_CALL_TIMEOUT] = {"call-timeout", "no answer in time; whether the message was handled is not known"},
    [BATON_CALL_CRASHED] = {"call-crashed", "the actor called crashed over the message"},
    [BATON_CALL_DEADLOCK] = {"call-deadlock", "the actor called waits for this one"},
    [BATON_CALL_LIMIT] = {"call-limit", "a limit of the host was reached: "},
    [BATON_CALL_FAILED] = {"failed", ""},
    [BATON_CALL_BAD_REPLY] = {"bad-reply", ""},
    [BATON_SUPERVISION_DENIED] = {"supervision-denied", "this actor is not allowed to do that"},
    [BATON_SUPERVISION_UNKNOWN_SUPERVISOR] = {"unknown-supervisor", "there is no supervisor of that name"},
    [BATON_SUPERVISION_UNKNOWN_CHILD] = {"unknown-child", "no supervisor has a child of that name"},
    [BATON_SUPERVISION_ALREADY_STARTED] = {"already-started", "an actor of that name runs already"},
    [BATON_SUPERVISION_ALREADY_PRESENT] = {"already-present", "a child of that name is there and does not run: restart "
                                                              "or delete it"},
    [BATON_SUPERVISION_RUNNING] = {"running", "the child runs"},
    [BATON_SUPERVISION_RESTARTING] = {"restarting", "the child is about to be started again"},
    [BATON_SUPERVISION_MAX_CHILDREN] = {"max-children", "the supervisor has as many children as it may have"},
    [BATON_SUPERVISION_UNKNOWN_PLUGIN] = {"unknown-plugin", "the host has no plugin of that name"},
    [BATON_SUPERVISION_BAD_SPEC] = {"bad-spec", ""},
    [BATON_SUPERVISION_FAILED] = {"start-failed", ""},
    [BATON_SUPERVISION_SHUTTING_DOWN] = {"shutting-down", "the host is going down"},
    [BATON_SUPERVISION_LIMIT] = {"supervision-limit", "a limit of the host was reached: "},
    [BATON_SUPERVISION_OTHER] = {"supervision-failed", ""},
};

bool baton_note(baton_cx *cx, baton_problem problem, const char *text, const baton_failure *failure) {
    if ((size_t)problem >= sizeof problems / sizeof *problems) problem = BATON_SUPERVISION_OTHER;
    if (failure) cx->trouble = (baton_trouble){problem, failure->code, failure->message};
    else
        cx->trouble = (baton_trouble){problem, problems[problem].code,
                                      baton_format(cx, "%s%s", problems[problem].message, text ? text : "")};
    cx->failure = (baton_failure){cx->trouble.code, cx->trouble.message};
    return false;
}

baton_trouble baton_last_problem(const baton_cx *cx) { return cx->trouble; }

baton_failure baton_told_failure(const baton_cx *cx) {
    if (cx->failure.code) return cx->failure;
    return (baton_failure){"failed", "the plugin gave no reason"};
}

baton_refusal baton_told_refusal(const baton_cx *cx) {
    if (cx->refusal.message) return cx->refusal;
    if (cx->failure.code) /* `baton_fail`, or what the host said no to */
        return (baton_refusal){BATON_REFUSED, cx->failure.message};
    return (baton_refusal){BATON_REFUSED, "the plugin gave no reason"};
}

const char *baton_phase_name(baton_phase phase) {
    static const char *const names[] = {"nobody",   "starting",   "continuing", "running", "suspended",
                                        "stopping", "restarting", "held",       "failed"};
    return (size_t)phase < sizeof names / sizeof *names ? names[phase] : "other";
}
