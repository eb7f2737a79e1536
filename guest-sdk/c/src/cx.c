/* What an actor knows, how it replies, and what it asks that takes more than passing it on. */
#include <string.h>

#include "internal.h"

const char *baton_actor(const baton_cx *cx) { return cx->actor; }

baton_bytes baton_args(const baton_cx *cx) { return (baton_bytes){cx->args, cx->args_len}; }

bool baton_args_json(baton_cx *cx, baton_json *args) {
    baton_text text = cx->args_len > 0 ? (baton_text){(const char *)cx->args, cx->args_len} : baton_text_of("null");
    baton_json_error error;
    if (baton_json_parse(text, args, &error)) return true;
    return baton_fail(cx, "bad-args", "the arguments: %s at line %zu column %zu", error.what, error.line, error.column);
}

uint64_t baton_generation(const baton_cx *cx) { return cx->generation; }

const baton_predecessor *baton_predecessor_of(const baton_cx *cx) {
    return cx->has_predecessor ? &cx->predecessor : NULL;
}

const char *baton_sender(const baton_cx *cx) { return cx->sender; }

const char *baton_request_id(const baton_cx *cx) { return cx->request_id ? cx->request_id : ""; }

bool baton_expects_reply(const baton_cx *cx) { return cx->expects_reply; }

/* --- Replies. The last one counts. --- */

baton_out *baton_reply(baton_cx *cx) {
    cx->has_raw_reply = false;
    return cx->reply = baton_json_out(cx);
}

bool baton_reply_null(baton_cx *cx) {
    baton_put_null(baton_reply(cx));
    return true;
}

bool baton_reply_bool(baton_cx *cx, bool value) {
    baton_put_bool(baton_reply(cx), value);
    return true;
}

bool baton_reply_u64(baton_cx *cx, uint64_t value) {
    baton_put_u64(baton_reply(cx), value);
    return true;
}

bool baton_reply_i64(baton_cx *cx, int64_t value) {
    baton_put_i64(baton_reply(cx), value);
    return true;
}

bool baton_reply_f64(baton_cx *cx, double value) {
    baton_put_f64(baton_reply(cx), value);
    return true;
}

bool baton_reply_string(baton_cx *cx, const char *value) {
    baton_put_string(baton_reply(cx), value);
    return true;
}

bool baton_reply_text(baton_cx *cx, baton_text value) {
    baton_put_text(baton_reply(cx), value);
    return true;
}

bool baton_reply_bytes(baton_cx *cx, baton_bytes body) {
    cx->reply = NULL;
    cx->has_raw_reply = true;
    cx->raw_reply = body;
    return true;
}

/* --- The log. --- */

void baton_log(baton_cx *cx, baton_level level, const char *message, ...) {
    va_list args;
    va_start(args, message);
    size_t count = 0;
    while (va_arg(args, const char *)) count++;
    va_end(args);
    baton_text *fields = baton_alloc(cx, (count + 1) * sizeof *fields);
    va_start(args, message);
    for (size_t i = 0; i < count; i++) fields[i] = baton_text_of(va_arg(args, const char *));
    va_end(args);
    baton_host_log(level, baton_text_of(message), fields, count / 2);
}

static void log_formatted(baton_cx *cx, baton_level level, const char *format, va_list args) {
    baton_host_log(level, baton_text_of(baton_vformat(cx, format, args)), NULL, 0);
}

#define LOG_AT(function, level)                                                                                        \
    void function(baton_cx *cx, const char *format, ...) {                                                             \
        va_list args;                                                                                                  \
        va_start(args, format);                                                                                        \
        log_formatted(cx, level, format, args);                                                                        \
        va_end(args);                                                                                                  \
    }

LOG_AT(baton_trace, BATON_TRACE)
LOG_AT(baton_debug, BATON_DEBUG)
LOG_AT(baton_info, BATON_INFO)
LOG_AT(baton_warn, BATON_WARN)
LOG_AT(baton_error, BATON_ERROR)

/* --- Randomness, sending, calling. --- */

void baton_random(baton_cx *cx, void *into, size_t count) {
    for (uint8_t *at = into; count > 0;) {
        uint32_t step = count < BATON_RANDOM_BYTES ? (uint32_t)count : BATON_RANDOM_BYTES;
        baton_host_random(cx, at, step);
        at += step;
        count -= step;
    }
}

uint64_t baton_random_u64(baton_cx *cx) {
    uint8_t bytes[8];
    uint64_t number = 0;
    baton_random(cx, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

bool baton_send_json(baton_cx *cx, const char *to, const char *json) {
    return baton_send(cx, to, baton_bytes_of(json));
}

bool baton_call_within(baton_cx *cx, const char *to, baton_bytes body, uint64_t timeout_ms, baton_json *reply) {
    baton_bytes bytes;
    baton_json ignored;
    baton_json_error error;
    if (!baton_call_bytes(cx, to, body, timeout_ms, &bytes)) return false;
    if (baton_json_parse((baton_text){(const char *)bytes.at, bytes.len}, reply ? reply : &ignored, &error))
        return true;
    return baton_note(cx, BATON_CALL_BAD_REPLY,
                      baton_format(cx, "%s: %s at line %zu column %zu", to, error.what, error.line, error.column),
                      NULL);
}

bool baton_call(baton_cx *cx, const char *to, baton_bytes body, baton_json *reply) {
    return baton_call_within(cx, to, body, BATON_CALL_TIMEOUT_MS, reply);
}
