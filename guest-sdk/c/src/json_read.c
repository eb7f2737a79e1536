/* Reading JSON: a text is checked once, and from then on values are places in it. Nothing here recurses. */
#include <string.h>

#include "float.h"
#include "internal.h"

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
    return at;
}

/* --- Checking. Each takes the place where its part begins and gives the place after it, or NULL, and then `*wrong` is
 *     the place and `*what` what is wrong there. --- */

typedef struct check {
    const char *end;
    const char *wrong;
    const char *what;
} check;

static const char *bad(check *in, const char *at, const char *what) {
    in->wrong = at;
    in->what = what;
    return NULL;
}

static bool is_digit(const char *at, const char *end) { return at < end && *at >= '0' && *at <= '9'; }

static const char *check_number(check *in, const char *at) {
    if (*at == '-') at++;
    if (!is_digit(at, in->end)) return bad(in, at, "a digit was expected");
    if (*at == '0') at++;
    else
        while (is_digit(at, in->end)) at++;
    if (is_digit(at, in->end)) return bad(in, at, "a number must not begin with 0");
    if (at < in->end && *at == '.') {
        if (!is_digit(++at, in->end)) return bad(in, at, "a digit was expected after the point");
        while (is_digit(at, in->end)) at++;
    }
    if (at < in->end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < in->end && (*at == '+' || *at == '-')) at++;
        if (!is_digit(at, in->end)) return bad(in, at, "a digit was expected in the exponent");
        while (is_digit(at, in->end)) at++;
    }
    return at;
}

/* The code unit of four hexadecimal digits, or -1. */
static int32_t hex4(const char *at, const char *end) {
    if (end - at < 4) return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* The code point of the escape \uXXXX, or of a pair of them, whose first digit is at `*at`; -1 if it is none. */
static int32_t code_point(const char **at, const char *end) {
    int32_t unit = hex4(*at, end);
    if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000)) return -1;
    *at += 4;
    if (unit < 0xd800 || unit >= 0xe000) return unit;
    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return -1;
    int32_t low = hex4(*at + 2, end);
    if (low < 0xdc00 || low >= 0xe000) return -1;
    *at += 6;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static const char *check_text(check *in, const char *at) {
    for (at++; at < in->end;) {
        unsigned char c = (unsigned char)*at;
        if (c == '"') return at + 1;
        if (c < 0x20) return bad(in, at, "a control character in a text must be escaped");
        if (c != '\\') {
            at++;
            continue;
        }
        const char *escape = at++;
        if (at == in->end) break;
        if (*at == 'u') {
            at++;
            if (code_point(&at, in->end) < 0) return bad(in, escape, "an escape that is no character");
        } else if (strchr("\"\\/bfnrt", *at) && *at != '\0') {
            at++;
        } else {
            return bad(in, escape, "an escape that JSON does not have");
        }
    }
    return bad(in, in->end, "the text has no end");
}

static const char *check_scalar(check *in, const char *at) {
    static const char *const words[] = {"true", "false", "null"};
    if (*at == '"') return check_text(in, at);
    if (*at == '-' || is_digit(at, in->end)) return check_number(in, at);
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(in->end - at) >= len && memcmp(at, words[i], len) == 0) return at + len;
    }
    return bad(in, at, "a value was expected");
}

static const char *check_key(check *in, const char *at) {
    at = skip_space(at, in->end);
    if (at == in->end || *at != '"') return bad(in, at, "a key in quotes was expected");
    if (!(at = check_text(in, at))) return NULL;
    at = skip_space(at, in->end);
    if (at == in->end || *at != ':') return bad(in, at, "`:` was expected after a key");
    return at + 1;
}

static const char *check_value(check *in, const char *at) {
    char closes[BATON_JSON_DEPTH];
    size_t depth = 0;
    for (;;) {
        at = skip_space(at, in->end);
        if (at == in->end) return bad(in, at, "a value was expected, and the text ends");
        bool opened = false;
        if (*at == '[' || *at == '{') {
            if (depth == BATON_JSON_DEPTH) return bad(in, at, "nested too deep");
            closes[depth++] = *at == '[' ? ']' : '}';
            opened = true;
            at = skip_space(at + 1, in->end);
        } else if (!(at = check_scalar(in, at))) {
            return NULL;
        }
        /* After a value, or after what opens one. */
        while (depth > 0) {
            at = skip_space(at, in->end);
            if (at == in->end) return bad(in, at, "the text ends within an array or object");
            if (*at == closes[depth - 1]) {
                at++;
                depth--;
                opened = false;
                continue;
            }
            if (!opened) {
                if (*at != ',')
                    return bad(in, at,
                               closes[depth - 1] == ']' ? "`,` or `]` was expected" : "`,` or `}` was expected");
                at++;
            }
            if (closes[depth - 1] == '}' && !(at = check_key(in, at))) return NULL;
            break;
        }
        if (depth == 0) return at;
    }
}

bool baton_json_parse(baton_text text, baton_json *value, baton_json_error *error) {
    const char *begin = text.len > 0 ? text.at : "";
    check in = {begin + text.len, begin, NULL};
    const char *first = skip_space(begin, in.end), *last = NULL;
    if (!baton_is_utf8(begin, text.len)) bad(&in, begin, "the text is not UTF-8");
    else if ((last = check_value(&in, first)) && skip_space(last, in.end) != in.end)
        last = bad(&in, skip_space(last, in.end), "something follows the value");
    if (last) {
        *value = (baton_json){first, last};
        return true;
    }
    if (error) {
        *error = (baton_json_error){in.what, 1, 1};
        for (const char *at = begin; at < in.wrong; at++) {
            error->column++;
            if (*at == '\n') error->line++, error->column = 1;
        }
    }
    return false;
}

/* --- Values, all of them in texts that were checked. --- */

/* The place after the text that begins at `at`. */
static const char *skip_text(const char *at) {
    for (at++; *at != '"'; at++)
        if (*at == '\\') at++;
    return at + 1;
}

static const char *skip_value(const char *at, const char *end) {
    size_t depth = 0;
    do {
        if (*at == '"') {
            at = skip_text(at);
            continue;
        }
        if (*at == '[' || *at == '{') depth++;
        else if (*at == ']' || *at == '}') depth--;
        else if (depth == 0) {
            while (at < end && !strchr(",]} \n\t\r", *at)) at++;
            return at;
        }
        at++;
    } while (depth > 0);
    return at;
}

baton_json_kind baton_json_kind_of(baton_json value) {
    if (!value.at) return BATON_JSON_NOTHING;
    switch (*value.at) {
    case 'n': return BATON_JSON_NULL;
    case 't':
    case 'f': return BATON_JSON_BOOL;
    case '"': return BATON_JSON_TEXT;
    case '[': return BATON_JSON_ARRAY;
    case '{': return BATON_JSON_OBJECT;
    default: return BATON_JSON_NUMBER;
    }
}

/* Digits alone, up to `most`. */
static bool whole(const char *at, const char *end, uint64_t most, uint64_t *out) {
    uint64_t number = 0;
    if (at == end) return false;
    for (; at < end; at++) {
        if (!is_digit(at, end)) return false;
        unsigned digit = (unsigned)(*at - '0');
        if (number > most / 10 || number * 10 > most - digit) return false;
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

bool baton_json_u64(baton_json value, uint64_t *out) { return value.at && whole(value.at, value.end, UINT64_MAX, out); }

bool baton_json_i64(baton_json value, int64_t *out) {
    uint64_t number;
    if (!value.at) return false;
    if (*value.at != '-') {
        if (!whole(value.at, value.end, INT64_MAX, &number)) return false;
        *out = (int64_t)number;
        return true;
    }
    if (!whole(value.at + 1, value.end, (uint64_t)INT64_MAX + 1, &number)) return false;
    *out = number == (uint64_t)INT64_MAX + 1 ? INT64_MIN : -(int64_t)number;
    return true;
}

bool baton_json_f64(baton_json value, double *out) {
    if (baton_json_kind_of(value) != BATON_JSON_NUMBER) return false;
    double number = baton_scan_f64(value.at, value.end);
    if (number - number != 0) return false; /* infinite */
    *out = number;
    return true;
}

bool baton_json_bool(baton_json value, bool *out) {
    if (baton_json_kind_of(value) != BATON_JSON_BOOL) return false;
    *out = *value.at == 't';
    return true;
}

bool baton_json_is_null(baton_json value) { return baton_json_kind_of(value) == BATON_JSON_NULL; }

baton_text baton_json_raw(baton_json value) {
    return value.at ? (baton_text){value.at, (size_t)(value.end - value.at)} : (baton_text){"", 0};
}

/* The next character of a text as UTF-8, 1 to 4 bytes; moves `*at` on. */
static size_t next_character(const char **at, const char *end, char utf8[4]) {
    if (**at != '\\') {
        utf8[0] = *(*at)++;
        return 1;
    }
    char kind = (*at)[1];
    *at += 2;
    if (kind != 'u') {
        static const char plain[] = "bfnrt", control[] = "\b\f\n\r\t";
        const char *found = strchr(plain, kind);
        utf8[0] = found ? control[found - plain] : kind;
        return 1;
    }
    uint32_t code = (uint32_t)code_point(at, end);
    if (code < 0x80) {
        utf8[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; code >>= 6) utf8[i] = (char)(0x80 | (code & 0x3f));
    utf8[0] = (char)((len == 2 ? 0xc0 : len == 3 ? 0xe0 : 0xf0) | code);
    return len;
}

bool baton_json_text(baton_cx *cx, baton_json value, baton_text *out) {
    if (baton_json_kind_of(value) != BATON_JSON_TEXT) return false;
    const char *at = value.at + 1, *end = value.end - 1;
    /* Escapes are longer than what they stand for. */
    char *copy = (char *)(uintptr_t)baton_copy_text(cx, at, (size_t)(end - at)).at, *to = copy;
    if (memchr(at, '\\', (size_t)(end - at))) {
        while (at < end) {
            char utf8[4];
            size_t len = next_character(&at, end, utf8);
            memcpy(to, utf8, len);
            to += len;
        }
        *to = '\0';
    } else {
        to += end - at;
    }
    *out = (baton_text){copy, (size_t)(to - copy)};
    return true;
}

bool baton_json_is(baton_json value, const char *text) {
    if (baton_json_kind_of(value) != BATON_JSON_TEXT) return false;
    const char *at = value.at + 1, *end = value.end - 1;
    while (at < end) {
        char utf8[4];
        size_t len = next_character(&at, end, utf8);
        for (size_t i = 0; i < len; i++, text++)
            if (*text == '\0' || *text != utf8[i]) return false;
    }
    return *text == '\0';
}

baton_json_iter baton_json_each(baton_json value) {
    baton_json_iter iter = {0};
    baton_json_kind kind = baton_json_kind_of(value);
    if (kind == BATON_JSON_ARRAY || kind == BATON_JSON_OBJECT) {
        iter.at_ = value.at + 1;
        iter.end_ = value.end - 1;
        iter.object_ = kind == BATON_JSON_OBJECT;
    }
    return iter;
}

bool baton_json_next(baton_json_iter *iter) {
    if (!iter->at_) return false;
    const char *at = skip_space(iter->at_, iter->end_);
    if (at == iter->end_) return false;
    if (*at == ',') at = skip_space(at + 1, iter->end_);
    if (iter->object_) {
        iter->key = (baton_json){at, skip_text(at)};
        at = skip_space(iter->key.end, iter->end_);
        at = skip_space(at + 1, iter->end_);
    }
    iter->value = (baton_json){at, skip_value(at, iter->end_)};
    iter->at_ = iter->value.end;
    return true;
}

size_t baton_json_count(baton_json value) {
    baton_json_iter iter = baton_json_each(value);
    size_t count = 0;
    while (baton_json_next(&iter)) count++;
    return count;
}

baton_json baton_json_get(baton_json value, const char *key) {
    baton_json_iter iter = baton_json_each(value);
    while (iter.object_ && baton_json_next(&iter))
        if (baton_json_is(iter.key, key)) return iter.value;
    return (baton_json){NULL, NULL};
}

bool baton_json_case(baton_json value, const char *name, baton_json *arg) {
    if (!arg && baton_json_is(value, name)) return true;
    if (baton_json_kind_of(value) != BATON_JSON_OBJECT) return false;
    baton_json_iter iter = baton_json_each(value);
    if (!baton_json_next(&iter) || !baton_json_is(iter.key, name)) return false;
    baton_json only = iter.value;
    if (baton_json_next(&iter)) return false;
    if (!arg) return baton_json_is_null(only);
    *arg = only;
    return true;
}
