/* What an actor knows of itself, and what it can ask of its host. What is sent or set here leaves when the turn has
 * ended without a panic, whether it answers with a reply or a failure; `baton_call` acts at once. */
#ifndef BATON_CX_H
#define BATON_CX_H

#include "json.h"
#include "text.h"

/* Stands for "no limit" where a time is left or given. */
#define BATON_NO_LIMIT UINT64_MAX
/* How long `baton_call` waits. */
#define BATON_CALL_TIMEOUT_MS 5000

/* --- Failing. Each returns false, so that a callback ends with `return baton_fail(…);`. --- */

/* The actor's own error, told to the sender: a code for programs, such as "out-of-stock", a message for people. */
bool baton_fail(baton_cx *cx, const char *code, const char *format, ...) BATON_PRINTF(3, 4);
/* Failure `bad-message`, which says what was expected, such as `"get" or {"add": N}`, and what came. */
bool baton_bad_message(baton_cx *cx, const char *expected);
/* Failure `bad-args`, likewise, for `init`. */
bool baton_bad_args(baton_cx *cx, const char *expected);

/* Why a state is not taken over. */
typedef enum baton_refusal_kind {
    BATON_INCOMPATIBLE, /* this plugin cannot read that schema */
    BATON_CORRUPT,      /* the bytes do not decode, or break a rule */
    BATON_STALE,        /* too old to be of use */
    BATON_UNAVAILABLE,  /* something is out of reach; the host tries again */
    BATON_REFUSED,      /* anything else */
} baton_refusal_kind;

/* For `started` and `resumed`. */
bool baton_refuse(baton_cx *cx, baton_refusal_kind kind, const char *format, ...) BATON_PRINTF(3, 4);
/* For `validate` and `migrate`: what is broken. */
bool baton_invalid(baton_cx *cx, const char *format, ...) BATON_PRINTF(2, 3);

/* --- The reply to the message in hand; without one it is `null`, or no bytes at all where bodies are not JSON. Each
 *     returns true, so that `handle` ends with `return baton_reply_u64(…);`. --- */

/* The writer of the reply, for arrays and objects. */
baton_out *baton_reply(baton_cx *cx);
bool baton_reply_null(baton_cx *cx);
bool baton_reply_bool(baton_cx *cx, bool value);
bool baton_reply_u64(baton_cx *cx, uint64_t value);
bool baton_reply_i64(baton_cx *cx, int64_t value);
bool baton_reply_f64(baton_cx *cx, double value);
bool baton_reply_string(baton_cx *cx, const char *value);
bool baton_reply_text(baton_cx *cx, baton_text value);
/* A body as it is. The bytes must stay as they are until the turn has ended. */
bool baton_reply_bytes(baton_cx *cx, baton_bytes body);

/* --- What it knows. --- */

/* Name of the actor, unique in its host or cluster. */
const char *baton_actor(const baton_cx *cx);
/* What the actor was started with, for as long as it lives. */
baton_bytes baton_args(const baton_cx *cx);
/* The same as JSON. No arguments at all read as `null`. False, with the failure `bad-args`, where they are no JSON. */
bool baton_args_json(baton_cx *cx, baton_json *args);
/* Counts this actor's instances and always rises; 0 during `init`. */
uint64_t baton_generation(const baton_cx *cx);
/* Name of the actor that sent the message in hand; NULL: it came from outside. */
const char *baton_sender(const baton_cx *cx);
/* Id of the message in hand, the same when a sender tries again; "" outside of `handle`. */
const char *baton_request_id(const baton_cx *cx);
/* Whether someone waits for the reply. */
bool baton_expects_reply(const baton_cx *cx);

/* --- What it asks. --- */

typedef enum baton_level {
    BATON_TRACE,
    BATON_DEBUG,
    BATON_INFO,
    BATON_WARN,
    BATON_ERROR,
} baton_level;

/* A line of the host's log with fields: baton_log(cx, BATON_INFO, "delayed", "airport", code, "minutes", "12", NULL) */
void baton_log(baton_cx *cx, baton_level level, const char *message, ...) BATON_SENTINEL;
void baton_trace(baton_cx *cx, const char *format, ...) BATON_PRINTF(2, 3);
void baton_debug(baton_cx *cx, const char *format, ...) BATON_PRINTF(2, 3);
void baton_info(baton_cx *cx, const char *format, ...) BATON_PRINTF(2, 3);
void baton_warn(baton_cx *cx, const char *format, ...) BATON_PRINTF(2, 3);
void baton_error(baton_cx *cx, const char *format, ...) BATON_PRINTF(2, 3);

/* Milliseconds since the Unix epoch. */
uint64_t baton_now_ms(baton_cx *cx);
/* Fills `into` from the system's generator. */
void baton_random(baton_cx *cx, void *into, size_t count);
uint64_t baton_random_u64(baton_cx *cx);
/* What is left of this turn's time, or BATON_NO_LIMIT. */
uint64_t baton_remaining_ms(baton_cx *cx);
/* Saves the state at the end of this turn: durable before the reply and what was sent leave. */
void baton_save(baton_cx *cx);
/* Ends this actor normally after this turn. */
void baton_stop(baton_cx *cx);

/* Why the host did not do what it was asked. */
typedef enum baton_problem {
    BATON_NO_PROBLEM,
    BATON_SEND_DENIED,
    BATON_SEND_LIMIT,
    BATON_CALL_UNKNOWN_ACTOR,
    BATON_CALL_MAILBOX_FULL,
    BATON_CALL_DENIED,
    BATON_CALL_UNAVAILABLE, /* it has not seen the message: try again */
    BATON_CALL_TIMEOUT,     /* whether it was handled is not known */
    BATON_CALL_CRASHED,
    BATON_CALL_DEADLOCK,
    BATON_CALL_LIMIT,
    BATON_CALL_FAILED,    /* its own failure: `code` and `message` are its own */
    BATON_CALL_BAD_REPLY, /* it answered with what is no JSON */
    BATON_SUPERVISION_DENIED,
    BATON_SUPERVISION_UNKNOWN_SUPERVISOR,
    BATON_SUPERVISION_UNKNOWN_CHILD,
    BATON_SUPERVISION_ALREADY_STARTED,
    BATON_SUPERVISION_ALREADY_PRESENT,
    BATON_SUPERVISION_RUNNING,
    BATON_SUPERVISION_RESTARTING,
    BATON_SUPERVISION_MAX_CHILDREN,
    BATON_SUPERVISION_UNKNOWN_PLUGIN,
    BATON_SUPERVISION_BAD_SPEC,
    BATON_SUPERVISION_FAILED,
    BATON_SUPERVISION_SHUTTING_DOWN,
    BATON_SUPERVISION_LIMIT,
    BATON_SUPERVISION_OTHER,
} baton_problem;

/* All that follow, and those of supervision.h, are false where the host says no. Why is then in `baton_last_problem`,
 * and it is the failure of the turn, too: `if (!baton_send(…)) return false;` passes it on, with a code such as
 * `send-denied` or `call-timeout`; the failure of an actor that was called as it is. Whoever goes on need not do
 * anything. */
typedef struct baton_trouble {
    baton_problem problem;
    const char *code;
    const char *message;
} baton_trouble;

baton_trouble baton_last_problem(const baton_cx *cx);

/* Sends a body to another actor, expecting no reply. Whether it arrives shows later. */
bool baton_send(baton_cx *cx, const char *to, baton_bytes body);
/* Sends a text that is JSON already: baton_send_json(cx, "room/1", "{\"say\": \"hi\"}") */
bool baton_send_json(baton_cx *cx, const char *to, const char *json);
/* Calls another actor and waits for its reply, which is read as JSON; `reply` may be NULL. */
bool baton_call(baton_cx *cx, const char *to, baton_bytes body, baton_json *reply);
bool baton_call_within(baton_cx *cx, const char *to, baton_bytes body, uint64_t timeout_ms, baton_json *reply);
/* The same, the reply as it is. */
bool baton_call_bytes(baton_cx *cx, const char *to, baton_bytes body, uint64_t timeout_ms, baton_bytes *reply);

/* Asks for `timer` after so many milliseconds. The same name replaces. Timers are kept with the state. */
bool baton_set_timer(baton_cx *cx, const char *name, uint64_t after_ms);
void baton_cancel_timer(baton_cx *cx, const char *name);
/* Asks for `down` when that actor ends. Monitors are the instance's: set them again in `resumed`. */
bool baton_monitor(baton_cx *cx, const char *actor);
void baton_demonitor(baton_cx *cx, const char *actor);

#endif
