/* JSON: values are read where they stand in a text, and written into a buffer. There is no tree, so a body of a
 * megabyte takes a megabyte. Numbers keep every digit: u64 and i64 are exact. */
#ifndef BATON_JSON_H
#define BATON_JSON_H

#include "text.h"

/* How deep arrays and objects may be nested. */
#define BATON_JSON_DEPTH 128

/* A value in a text that was found to be JSON, or nothing (`at` is NULL): every function takes nothing, too, and then
 * says no. */
typedef struct baton_json {
    const char *at;
    const char *end;
} baton_json;

typedef enum baton_json_kind {
    BATON_JSON_NOTHING,
    BATON_JSON_NULL,
    BATON_JSON_BOOL,
    BATON_JSON_NUMBER,
    BATON_JSON_TEXT,
    BATON_JSON_ARRAY,
    BATON_JSON_OBJECT,
} baton_json_kind;

/* What is wrong with a text, and where; lines and columns (in bytes) from 1. */
typedef struct baton_json_error {
    const char *what;
    size_t line;
    size_t column;
} baton_json_error;

/* The whole text must be one value. `error` may be NULL. The value lives as long as the text. */
bool baton_json_parse(baton_text text, baton_json *value, baton_json_error *error);

baton_json_kind baton_json_kind_of(baton_json value);
/* Each is false, and leaves `*out` alone, where the value is of another kind or does not fit. */
bool baton_json_u64(baton_json value, uint64_t *out); /* digits alone: neither 3.0 nor 3e0 */
bool baton_json_i64(baton_json value, int64_t *out);
bool baton_json_f64(baton_json value, double *out); /* any number that a double can hold */
bool baton_json_bool(baton_json value, bool *out);
/* The text with its escapes resolved, copied into the turn's memory. */
bool baton_json_text(baton_cx *cx, baton_json value, baton_text *out);
/* Whether the value is this text. */
bool baton_json_is(baton_json value, const char *text);
bool baton_json_is_null(baton_json value);
/* The value as it is written. */
baton_text baton_json_raw(baton_json value);

/* The member of an object; the first one of that name. Nothing if there is none, or this is no object. */
baton_json baton_json_get(baton_json value, const char *key);

/* A message as a person types it. With `arg` NULL: is it "get" (or {"get": null})? Else: is it {"add": …} with that one
 * member, which `*arg` becomes? */
bool baton_json_case(baton_json value, const char *name, baton_json *arg);

/* `baton_json_iter it = baton_json_each(value); while (baton_json_next(&it)) { … it.key … it.value … }` goes through
 * the items of an array (without a key) or the members of an object; through nothing else. */
typedef struct baton_json_iter {
    baton_json key;
    baton_json value;
    /* Private. */
    const char *at_, *end_;
    bool object_;
} baton_json_iter;

baton_json_iter baton_json_each(baton_json value);
bool baton_json_next(baton_json_iter *iter);
/* How many items or members. */
size_t baton_json_count(baton_json value);

/* Writing. Commas are put where they belong; in an object each value follows its key:
 *
 *     baton_out *out = baton_json_out(cx);
 *     baton_put_object(out);
 *     baton_put_key(out, "count"), baton_put_u64(out, 3);
 *     baton_put_end(out);
 *     baton_send(cx, "log/1", baton_out_bytes(out));
 */
typedef struct baton_out baton_out;

baton_out *baton_json_out(baton_cx *cx);
void baton_put_null(baton_out *out);
void baton_put_bool(baton_out *out, bool value);
void baton_put_u64(baton_out *out, uint64_t value);
void baton_put_i64(baton_out *out, int64_t value);
void baton_put_f64(baton_out *out, double value); /* null for NaN and the infinities */
/* Bytes that are no UTF-8 become U+FFFD. */
void baton_put_text(baton_out *out, baton_text value);
void baton_put_string(baton_out *out, const char *value);
/* A value that is JSON already. */
void baton_put_json(baton_out *out, baton_json value);
void baton_put_array(baton_out *out);
void baton_put_object(baton_out *out);
void baton_put_key(baton_out *out, const char *key);
void baton_put_key_text(baton_out *out, baton_text key);
/* Closes the innermost array or object. */
void baton_put_end(baton_out *out);
/* What is wrong with what was put so far; NULL: it is one whole value. */
const char *baton_out_error(const baton_out *out);
baton_bytes baton_out_bytes(baton_out *out);

#endif
