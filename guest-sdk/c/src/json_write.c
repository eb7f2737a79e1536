/* Writing JSON. */
#include <string.h>

#include "float.h"
#include "internal.h"

struct baton_out {
    baton_buf buf;
    const char *error;
    size_t depth;
    bool comma; /* a value or key that comes now follows another one */
    bool after_key;
    bool whole;                              /* one value has been written, and nothing is open */
    uint64_t objects[BATON_JSON_DEPTH / 64]; /* bit n: what is open at depth n is an object */
};

baton_out *baton_json_out(baton_cx *cx) {
    baton_out *out = baton_alloc(cx, sizeof *out);
    out->buf.cx = cx;
    return out;
}

static void wrong(baton_out *out, const char *what) {
    if (!out->error) out->error = what;
}

static bool in_object(const baton_out *out) {
    return out->depth > 0 && out->objects[(out->depth - 1) / 64] >> (out->depth - 1) % 64 & 1;
}

/* Before each value: what separates it from the one before. */
static void value_begins(baton_out *out) {
    if (out->whole) wrong(out, "a second value follows the first");
    if (in_object(out) && !out->after_key) wrong(out, "a value in an object has no key");
    if (out->comma && !out->after_key) baton_buf_byte(&out->buf, ',');
    out->after_key = false;
}

static void value_ends(baton_out *out) {
    out->comma = true;
    out->whole = out->depth == 0;
}

static void put_literal(baton_out *out, const char *literal, size_t len) {
    value_begins(out);
    baton_buf_add(&out->buf, literal, len);
    value_ends(out);
}

void baton_put_null(baton_out *out) { put_literal(out, "null", 4); }

void baton_put_bool(baton_out *out, bool value) { put_literal(out, value ? "true" : "false", value ? 4 : 5); }

void baton_put_u64(baton_out *out, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    put_literal(out, digits + at, sizeof digits - at);
}

void baton_put_i64(baton_out *out, int64_t value) {
    if (value >= 0) {
        baton_put_u64(out, (uint64_t)value);
        return;
    }
    value_begins(out);
    baton_buf_format(&out->buf, "%lld", (long long)value);
    value_ends(out);
}

void baton_put_f64(baton_out *out, double value) {
    char digits[BATON_F64_ROOM];
    if (value - value != 0) baton_put_null(out);
    else put_literal(out, digits, baton_print_f64(digits, value));
}

/* An escape for a control character, a quote or a backslash. */
static void add_escape(baton_buf *buf, unsigned char c) {
    switch (c) {
    case '"': baton_buf_add(buf, "\\\"", 2); break;
    case '\\': baton_buf_add(buf, "\\\\", 2); break;
    case '\n': baton_buf_add(buf, "\\n", 2); break;
    case '\r': baton_buf_add(buf, "\\r", 2); break;
    case '\t': baton_buf_add(buf, "\\t", 2); break;
    default: baton_buf_format(buf, "\\u%04x", c);
    }
}

static void add_text(baton_out *out, baton_text text) {
    baton_buf *buf = &out->buf;
    baton_buf_reserve(buf, text.len + 2);
    baton_buf_byte(buf, '"');
    const char *at = text.at, *end = text.at + text.len, *plain = at;
    while (at < end) {
        unsigned char c = (unsigned char)*at;
        size_t step = baton_utf8_step(at, (size_t)(end - at));
        if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
            at += step;
            continue;
        }
        baton_buf_add(buf, plain, (size_t)(at - plain));
        if (step > 0) add_escape(buf, c);
        else baton_buf_add(buf, "\xef\xbf\xbd", 3);
        plain = ++at;
    }
    baton_buf_add(buf, plain, (size_t)(end - plain));
    baton_buf_byte(buf, '"');
}

void baton_put_text(baton_out *out, baton_text value) {
    value_begins(out);
    add_text(out, value.at ? value : (baton_text){"", 0});
    value_ends(out);
}

void baton_put_string(baton_out *out, const char *value) {
    if (value) baton_put_text(out, baton_text_of(value));
    else baton_put_null(out);
}

void baton_put_json(baton_out *out, baton_json value) {
    if (value.at) put_literal(out, value.at, (size_t)(value.end - value.at));
    else baton_put_null(out);
}

static void open_one(baton_out *out, bool object) {
    value_begins(out);
    out->comma = false;
    baton_buf_byte(&out->buf, object ? '{' : '[');
    if (out->depth == BATON_JSON_DEPTH) {
        wrong(out, "nested too deep");
        return;
    }
    uint64_t bit = UINT64_C(1) << out->depth % 64;
    if (object) out->objects[out->depth / 64] |= bit;
    else out->objects[out->depth / 64] &= ~bit;
    out->depth++;
}

void baton_put_array(baton_out *out) { open_one(out, false); }

void baton_put_object(baton_out *out) { open_one(out, true); }

void baton_put_key_text(baton_out *out, baton_text key) {
    if (!in_object(out)) wrong(out, "a key stands outside of an object");
    else if (out->after_key) wrong(out, "a key follows a key");
    if (out->comma) baton_buf_byte(&out->buf, ',');
    add_text(out, key);
    baton_buf_byte(&out->buf, ':');
    out->after_key = true;
}

void baton_put_key(baton_out *out, const char *key) { baton_put_key_text(out, baton_text_of(key)); }

void baton_put_end(baton_out *out) {
    if (out->depth == 0) {
        wrong(out, "nothing is open that could be closed");
        return;
    }
    if (out->after_key) wrong(out, "a key has no value");
    bool object = in_object(out);
    out->depth--;
    baton_buf_byte(&out->buf, object ? '}' : ']');
    out->after_key = false;
    value_ends(out);
}

const char *baton_out_error(const baton_out *out) {
    if (out->error) return out->error;
    if (out->depth > 0) return "an array or object is not closed";
    return out->whole ? NULL : "there is no value";
}

baton_bytes baton_out_bytes(baton_out *out) {
    const char *error = baton_out_error(out);
    if (error)
        baton_panic("this is no JSON: %s: %.*s", error, (int)(out->buf.len < 200 ? out->buf.len : 200), out->buf.at);
    return baton_buf_bytes(&out->buf);
}
