/* The interface `host`, by its imports. What a plugin does not call, its module does not import. */
#include "internal.h"

#ifdef __wasm__
#include <string.h>

#include "abi.h"

#define HOST(name) ABI_IMPORT("baton:actor/host@0.1.0", name)

/* list<tuple<string, string>> has the layout of pairs of baton_text. */
_Static_assert(sizeof(baton_text) == 8, "a text as the ABI has it");

HOST("log") void import_log(int32_t level, const char *at, size_t len, const baton_text *fields, size_t pairs);
HOST("now-ms") uint64_t import_now_ms(void);
HOST("random") void import_random(uint32_t count, abi_slice *bytes);
HOST("save") void import_save(void);
HOST("send") void import_send(const char *to, size_t to_len, const uint8_t *body, size_t len, abi_result *result);
HOST("set-timer") void import_set_timer(const char *name, size_t len, uint64_t after_ms, abi_result *result);
HOST("cancel-timer") void import_cancel_timer(const char *name, size_t len);
HOST("monitor") void import_monitor(const char *actor, size_t len, abi_result *result);
HOST("demonitor") void import_demonitor(const char *actor, size_t len);
HOST("stop") void import_stop(void);

typedef struct abi_option_u64 {
    uint8_t some;
    uint64_t value;
} abi_option_u64;

HOST("remaining-ms") void import_remaining_ms(abi_option_u64 *left);

/* result<list<u8>, call-error> */
typedef struct abi_called {
    uint8_t error;
    union {
        abi_slice reply;
        struct {
            uint8_t which;
            abi_slice texts[2]; /* limit: one; failed: code and message */
        } why;
    } is;
} abi_called;

_Static_assert(offsetof(abi_option_u64, value) == 8, "option<u64>");
_Static_assert(offsetof(abi_called, is) == 4 && offsetof(abi_called, is.why.texts) == 8 && sizeof(abi_called) == 24,
               "result<list<u8>, call-error>");

HOST("call")
void import_call(const char *to, size_t to_len, const uint8_t *body, size_t len, uint64_t timeout_ms,
                 abi_called *result);

void baton_host_log(baton_level level, baton_text message, const baton_text *fields, size_t pairs) {
    import_log((int32_t)level, message.at, message.len, fields, pairs);
}

void baton_host_random(baton_cx *cx, void *into, uint32_t count) {
    abi_slice bytes;
    (void)cx;
    import_random(count, &bytes);
    memcpy(into, bytes.at, count);
}

void baton_host_trap(void) { __builtin_trap(); }

uint64_t baton_now_ms(baton_cx *cx) {
    (void)cx;
    return import_now_ms();
}

uint64_t baton_remaining_ms(baton_cx *cx) {
    abi_option_u64 left;
    (void)cx;
    import_remaining_ms(&left);
    return left.some ? left.value : BATON_NO_LIMIT;
}

void baton_save(baton_cx *cx) {
    (void)cx;
    import_save();
}

void baton_stop(baton_cx *cx) {
    (void)cx;
    import_stop();
}

bool baton_send(baton_cx *cx, const char *to, baton_bytes body) {
    abi_result result;
    import_send(to, strlen(to), body.at, body.len, &result);
    return abi_sent(cx, &result);
}

bool baton_call_bytes(baton_cx *cx, const char *to, baton_bytes body, uint64_t timeout_ms, baton_bytes *reply) {
    static const baton_problem problems[] = {
        BATON_CALL_UNKNOWN_ACTOR, BATON_CALL_MAILBOX_FULL, BATON_CALL_DENIED,
        BATON_CALL_UNAVAILABLE,   BATON_CALL_TIMEOUT,      BATON_CALL_CRASHED,
        BATON_CALL_DEADLOCK,      BATON_CALL_LIMIT,        BATON_CALL_FAILED,
    };
    abi_called result;
    import_call(to, strlen(to), body.at, body.len, timeout_ms, &result);
    if (!result.error) {
        *reply = abi_bytes(result.is.reply);
        return true;
    }
    baton_problem problem = problems[result.is.why.which];
    const char *text = abi_string(result.is.why.texts[0]);
    if (problem != BATON_CALL_FAILED) return baton_note(cx, problem, problem == BATON_CALL_LIMIT ? text : NULL, NULL);
    baton_failure failure = {text, abi_string(result.is.why.texts[1])};
    return baton_note(cx, problem, NULL, &failure);
}

bool baton_set_timer(baton_cx *cx, const char *name, uint64_t after_ms) {
    abi_result result;
    import_set_timer(name, strlen(name), after_ms, &result);
    return abi_sent(cx, &result);
}

void baton_cancel_timer(baton_cx *cx, const char *name) {
    (void)cx;
    import_cancel_timer(name, strlen(name));
}

bool baton_monitor(baton_cx *cx, const char *actor) {
    abi_result result;
    import_monitor(actor, strlen(actor), &result);
    return abi_sent(cx, &result);
}

void baton_demonitor(baton_cx *cx, const char *actor) {
    (void)cx;
    import_demonitor(actor, strlen(actor));
}

#endif
