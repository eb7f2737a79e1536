/* A printf of its own: that of a C library for Wasm brings in files, and with them imports of WASI. */
#include <string.h>

#include "internal.h"

/* Where it is written: into a buffer that grows, or into a piece of fixed size, cut where that is full. */
typedef struct sink {
    baton_buf *buf;
    char *at;
    size_t room;
    size_t len;
} sink;

static void put(sink *out, const char *at, size_t len) {
    if (out->buf) {
        baton_buf_add(out->buf, at, len);
        return;
    }
    size_t left = out->room - out->len;
    if (len > left) len = left;
    memcpy(out->at + out->len, at, len);
    out->len += len;
}

static void pad(sink *out, char with, size_t width, size_t len) {
    for (; len < width; len++) put(out, &with, 1);
}

typedef struct spec {
    bool left;
    bool zero;
    size_t width;
    bool has_precision;
    size_t precision;
    char length; /* h, l, z, j, t; H and L stand for hh and ll */
} spec;

static void put_padded(sink *out, const spec *how, const char *at, size_t len) {
    if (!how->left) pad(out, ' ', how->width, len);
    put(out, at, len);
    if (how->left) pad(out, ' ', how->width, len);
}

static void put_number(sink *out, const spec *how, bool negative, uint64_t number, unsigned base, char ten) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        unsigned digit = (unsigned)(number % base);
        digits[--at] = (char)(digit < 10 ? '0' + (int)digit : ten + (int)digit - 10);
        number /= base;
    } while (number > 0);
    size_t len = sizeof digits - at;
    size_t least = how->has_precision ? how->precision : 0;
    size_t zeros = least > len ? least - len : 0;
    size_t whole = len + zeros + negative;
    if (how->zero && !how->left && !how->has_precision && whole < how->width) {
        zeros += how->width - whole;
        whole = how->width;
    }
    if (!how->left) pad(out, ' ', how->width, whole);
    if (negative) put(out, "-", 1);
    pad(out, '0', zeros, 0);
    put(out, digits + at, len);
    if (how->left) pad(out, ' ', how->width, whole);
}

static int64_t signed_arg(char length, va_list *args) {
    switch (length) {
    case 'l': return va_arg(*args, long);
    case 'L': return va_arg(*args, long long);
    case 'j': return va_arg(*args, intmax_t);
    case 'z':
    case 't': return va_arg(*args, ptrdiff_t);
    case 'h': return (short)va_arg(*args, int);
    case 'H': return (signed char)va_arg(*args, int);
    default: return va_arg(*args, int);
    }
}

static uint64_t unsigned_arg(char length, va_list *args) {
    switch (length) {
    case 'l': return va_arg(*args, unsigned long);
    case 'L': return va_arg(*args, unsigned long long);
    case 'j': return va_arg(*args, uintmax_t);
    case 'z':
    case 't': return va_arg(*args, size_t);
    case 'h': return (unsigned short)va_arg(*args, unsigned);
    case 'H': return (unsigned char)va_arg(*args, unsigned);
    default: return va_arg(*args, unsigned);
    }
}

static const char *read_number(const char *at, size_t *number, va_list *args) {
    *number = 0;
    if (*at == '*') {
        int given = va_arg(*args, int);
        *number = given > 0 ? (size_t)given : 0;
        return at + 1;
    }
    for (; *at >= '0' && *at <= '9'; at++) *number = *number * 10 + (size_t)(*at - '0');
    return at;
}

static const char *read_spec(const char *at, spec *how, va_list *args) {
    *how = (spec){0};
    for (; *at == '-' || *at == '0'; at++) {
        how->left |= *at == '-';
        how->zero |= *at == '0';
    }
    at = read_number(at, &how->width, args);
    if (*at == '.') {
        how->has_precision = true;
        at = read_number(at + 1, &how->precision, args);
    }
    if (*at != '\0' && strchr("hlzjt", *at)) {
        how->length = *at++;
        if (*at == how->length && *at == 'h') how->length = 'H', at++;
        else if (*at == how->length && *at == 'l') how->length = 'L', at++;
    }
    return at;
}

/* False: a conversion that is not known. What follows it cannot be read, and is written as it stands. */
static bool convert(sink *out, char conversion, const spec *how, va_list *args) {
    switch (conversion) {
    case 'd':
    case 'i': {
        int64_t number = signed_arg(how->length, args);
        put_number(out, how, number < 0, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10, 'a');
        return true;
    }
    case 'u': put_number(out, how, false, unsigned_arg(how->length, args), 10, 'a'); return true;
    case 'x': put_number(out, how, false, unsigned_arg(how->length, args), 16, 'a'); return true;
    case 'X': put_number(out, how, false, unsigned_arg(how->length, args), 16, 'A'); return true;
    case 'p': put_number(out, how, false, (uintptr_t)va_arg(*args, void *), 16, 'a'); return true;
    case 'c': {
        char letter = (char)va_arg(*args, int);
        put_padded(out, how, &letter, 1);
        return true;
    }
    case 's': {
        const char *string = va_arg(*args, const char *);
        if (!string) string = "(null)";
        size_t len = 0;
        while ((!how->has_precision || len < how->precision) && string[len] != '\0') len++;
        put_padded(out, how, string, len);
        return true;
    }
    case '%': put(out, "%", 1); return true;
    default: return false;
    }
}

static void print(sink *out, const char *format, va_list given) {
    va_list args;
    va_copy(args, given);
    for (;;) {
        const char *from = format;
        while (*format != '\0' && *format != '%') format++;
        put(out, from, (size_t)(format - from));
        if (*format == '\0') break;
        spec how;
        const char *conversion = read_spec(format + 1, &how, &args);
        if (!convert(out, *conversion, &how, &args)) {
            put(out, format, strlen(format));
            break;
        }
        format = conversion + 1;
    }
    va_end(args);
}

void baton_print_fixed(char *at, size_t room, const char *format, va_list args) {
    sink out = {.at = at, .room = room - 1};
    print(&out, format, args);
    at[out.len] = '\0';
}

void baton_buf_vformat(baton_buf *buf, const char *format, va_list args) { print(&(sink){.buf = buf}, format, args); }

void baton_buf_format(baton_buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    baton_buf_vformat(buf, format, args);
    va_end(args);
}

const char *baton_vformat(baton_cx *cx, const char *format, va_list args) {
    baton_buf buf = {.cx = cx};
    baton_buf_vformat(&buf, format, args);
    return baton_buf_text(&buf).at;
}

const char *baton_format(baton_cx *cx, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = baton_vformat(cx, format, args);
    va_end(args);
    return text;
}
