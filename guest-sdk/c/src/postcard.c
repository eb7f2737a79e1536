/* postcard's bytes. */
#include <string.h>

#include "internal.h"

/* --- Reading. --- */

baton_reader baton_reader_of(baton_cx *cx, baton_bytes bytes) {
    const uint8_t *at = bytes.len > 0 ? bytes.at : (const uint8_t *)"";
    return (baton_reader){cx, at, at + bytes.len, at, NULL};
}

size_t baton_reader_left(const baton_reader *in) { return (size_t)(in->end - in->at); }

void baton_reader_refuse(baton_reader *in, const char *format, ...) {
    if (in->error) return;
    va_list args;
    va_start(args, format);
    const char *why = baton_vformat(in->cx, format, args);
    va_end(args);
    in->error = baton_format(in->cx, "%s, at byte %zu of %zu", why, (size_t)(in->at - in->begin),
                             (size_t)(in->end - in->begin));
    in->at = in->end;
}

static const uint8_t *take(baton_reader *in, size_t len) {
    if (in->error) return NULL;
    if (baton_reader_left(in) < len) {
        baton_reader_refuse(in, "%zu bytes were expected, and there are %zu", len, baton_reader_left(in));
        return NULL;
    }
    const uint8_t *at = in->at;
    in->at += len;
    return at;
}

static uint64_t varint(baton_reader *in, unsigned bits) {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < bits; shift += 7) {
        const uint8_t *byte = take(in, 1);
        if (!byte) return 0;
        uint64_t part = *byte & 0x7f;
        if (bits - shift < 7 && part >> (bits - shift) != 0) break;
        number |= part << shift;
        if (*byte < 0x80) return number;
    }
    baton_reader_refuse(in, "a number has more than %u bits", bits);
    return 0;
}

static int64_t zigzag(uint64_t number) { return (int64_t)(number >> 1 ^ (0 - (number & 1))); }

uint8_t baton_read_u8(baton_reader *in) {
    const uint8_t *byte = take(in, 1);
    return byte ? *byte : 0;
}

static bool flag(baton_reader *in, const char *what) {
    uint8_t byte = baton_read_u8(in);
    if (byte > 1) baton_reader_refuse(in, "%s is 0 or 1, not %u", what, (unsigned)byte);
    return byte == 1;
}

bool baton_read_bool(baton_reader *in) { return flag(in, "a bool"); }
bool baton_read_option(baton_reader *in) { return flag(in, "the first byte of an option"); }
uint16_t baton_read_u16(baton_reader *in) { return (uint16_t)varint(in, 16); }
uint32_t baton_read_u32(baton_reader *in) { return (uint32_t)varint(in, 32); }
uint64_t baton_read_u64(baton_reader *in) { return varint(in, 64); }
int8_t baton_read_i8(baton_reader *in) { return (int8_t)baton_read_u8(in); }
int16_t baton_read_i16(baton_reader *in) { return (int16_t)zigzag(varint(in, 16)); }
int32_t baton_read_i32(baton_reader *in) { return (int32_t)zigzag(varint(in, 32)); }
int64_t baton_read_i64(baton_reader *in) { return zigzag(varint(in, 64)); }

static uint64_t little_endian(baton_reader *in, size_t len) {
    const uint8_t *bytes = take(in, len);
    uint64_t bits = 0;
    for (size_t i = 0; bytes && i < len; i++) bits |= (uint64_t)bytes[i] << 8 * i;
    return bits;
}

float baton_read_f32(baton_reader *in) {
    uint32_t bits = (uint32_t)little_endian(in, 4);
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

double baton_read_f64(baton_reader *in) {
    uint64_t bits = little_endian(in, 8);
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

size_t baton_read_count(baton_reader *in, size_t item) {
    uint64_t count = varint(in, 64);
    if (count > baton_reader_left(in) / (item > 0 ? item : 1)) {
        baton_reader_refuse(in, "%llu items cannot be in the %zu bytes that are left", (unsigned long long)count,
                            baton_reader_left(in));
        return 0;
    }
    return (size_t)count;
}

baton_bytes baton_read_raw(baton_reader *in, size_t len) {
    const uint8_t *at = take(in, len);
    return at ? (baton_bytes){at, len} : (baton_bytes){(const uint8_t *)"", 0};
}

baton_bytes baton_read_bytes(baton_reader *in) { return baton_read_raw(in, baton_read_count(in, 1)); }

baton_text baton_view_text(baton_reader *in) {
    baton_bytes bytes = baton_read_bytes(in);
    if (!baton_is_utf8(bytes.at, bytes.len)) {
        baton_reader_refuse(in, "a text is not UTF-8");
        return (baton_text){"", 0};
    }
    return (baton_text){(const char *)bytes.at, bytes.len};
}

baton_text baton_read_text(baton_reader *in) {
    baton_text text = baton_view_text(in);
    return baton_copy_text(in->cx, text.at, text.len);
}

uint32_t baton_read_variant(baton_reader *in, uint32_t variants) {
    uint32_t variant = baton_read_u32(in);
    if (variant < variants) return variant;
    baton_reader_refuse(in, "there are %u variants, and this is number %u", (unsigned)variants, (unsigned)variant);
    return 0;
}

/* --- Writing. --- */

void baton_writer_refuse(baton_writer *out, const char *format, ...) {
    if (out->error) return;
    va_list args;
    va_start(args, format);
    out->error = baton_vformat(out->buf.cx, format, args);
    va_end(args);
}

void baton_write_u8(baton_writer *out, uint8_t value) { baton_buf_byte(&out->buf, value); }
void baton_write_bool(baton_writer *out, bool value) { baton_buf_byte(&out->buf, value); }
void baton_write_option(baton_writer *out, bool some) { baton_buf_byte(&out->buf, some); }
void baton_write_i8(baton_writer *out, int8_t value) { baton_buf_byte(&out->buf, (uint8_t)value); }

void baton_write_u64(baton_writer *out, uint64_t value) {
    uint8_t bytes[10];
    size_t len = 0;
    for (; value >= 0x80; value >>= 7) bytes[len++] = (uint8_t)(value | 0x80);
    bytes[len++] = (uint8_t)value;
    baton_buf_add(&out->buf, bytes, len);
}

void baton_write_u16(baton_writer *out, uint16_t value) { baton_write_u64(out, value); }
void baton_write_u32(baton_writer *out, uint32_t value) { baton_write_u64(out, value); }
void baton_write_count(baton_writer *out, size_t count) { baton_write_u64(out, count); }
void baton_write_variant(baton_writer *out, uint32_t variant) { baton_write_u64(out, variant); }

void baton_write_i64(baton_writer *out, int64_t value) {
    baton_write_u64(out, (uint64_t)value << 1 ^ (0 - (uint64_t)(value < 0)));
}

void baton_write_i16(baton_writer *out, int16_t value) { baton_write_i64(out, value); }
void baton_write_i32(baton_writer *out, int32_t value) { baton_write_i64(out, value); }

static void write_little_endian(baton_writer *out, uint64_t bits, size_t len) {
    for (size_t i = 0; i < len; i++) baton_buf_byte(&out->buf, (uint8_t)(bits >> 8 * i));
}

void baton_write_f32(baton_writer *out, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    write_little_endian(out, bits, 4);
}

void baton_write_f64(baton_writer *out, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    write_little_endian(out, bits, 8);
}

void baton_write_raw(baton_writer *out, const void *bytes, size_t len) { baton_buf_add(&out->buf, bytes, len); }

void baton_write_bytes(baton_writer *out, baton_bytes value) {
    baton_write_count(out, value.len);
    baton_write_raw(out, value.at, value.len);
}

void baton_write_text(baton_writer *out, baton_text value) {
    if (!baton_is_utf8(value.at, value.len)) baton_writer_refuse(out, "a text is not UTF-8");
    baton_write_bytes(out, (baton_bytes){(const uint8_t *)value.at, value.len});
}

void baton_write_string(baton_writer *out, const char *value) { baton_write_text(out, baton_text_of(value)); }
