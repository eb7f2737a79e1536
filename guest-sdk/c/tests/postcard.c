#include <math.h>
#include <string.h>

#include "tests.h"

static void check_bytes(baton_writer *out, const char *bytes, size_t len) {
    baton_check(out->buf.len == len && memcmp(out->buf.at, bytes, len) == 0, __FILE__, __LINE__,
                "%zu bytes, beginning with %02x, and not %zu with %02x", out->buf.len, out->buf.at[0], len,
                (unsigned char)bytes[0]);
    *out = (baton_writer){.buf = {.cx = scratch()}};
}

#define BYTES(out, literal) check_bytes((out), literal, sizeof literal - 1)

/* As the page on its wire format has them. */
void bytes_are_those_of_postcard(void) {
    baton_writer out = {.buf = {.cx = scratch()}};
    baton_write_u64(&out, 300), BYTES(&out, "\xac\x02");
    baton_write_u16(&out, 65535), BYTES(&out, "\xff\xff\x03");
    baton_write_u64(&out, UINT64_MAX), BYTES(&out, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    baton_write_i16(&out, -1), BYTES(&out, "\x01");
    baton_write_i32(&out, 63), BYTES(&out, "\x7e");
    baton_write_i64(&out, -64), BYTES(&out, "\x7f");
    baton_write_i64(&out, INT64_MIN), BYTES(&out, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    baton_write_u8(&out, 200), baton_write_i8(&out, -2), BYTES(&out, "\xc8\xfe");
    baton_write_bool(&out, true), baton_write_option(&out, false), BYTES(&out, "\x01\x00");
    baton_write_f32(&out, -32.005859375f), BYTES(&out, "\x00\x06\x00\xc2");
    baton_write_f64(&out, -32.005859375), BYTES(&out, "\x00\x00\x00\x00\xc0\x00\x40\xc0");
    baton_write_string(&out, "é"), BYTES(&out, "\x02\xc3\xa9");
    baton_write_variant(&out, 128), BYTES(&out, "\x80\x01");
    scratch_end();
}

void what_is_written_reads_back(void) {
    baton_writer out = {.buf = {.cx = scratch()}};
    baton_write_u8(&out, 255), baton_write_u16(&out, 40000), baton_write_u32(&out, UINT32_MAX),
        baton_write_u64(&out, 1);
    baton_write_i8(&out, -128), baton_write_i16(&out, INT16_MIN), baton_write_i32(&out, INT32_MIN),
        baton_write_i64(&out, -5);
    baton_write_f32(&out, 1.5f), baton_write_f64(&out, -0.1), baton_write_bool(&out, true),
        baton_write_option(&out, true);
    baton_write_string(&out, "text"), baton_write_bytes(&out, baton_bytes_of("bytes")), baton_write_count(&out, 2);
    baton_write_variant(&out, 1), baton_write_raw(&out, "raw", 3);
    baton_reader in = baton_reader_of(scratch(), baton_buf_bytes(&out.buf));
    CHECK(baton_read_u8(&in) == 255 && baton_read_u16(&in) == 40000 && baton_read_u32(&in) == UINT32_MAX);
    CHECK(baton_read_u64(&in) == 1 && baton_read_i8(&in) == -128 && baton_read_i16(&in) == INT16_MIN);
    CHECK(baton_read_i32(&in) == INT32_MIN && baton_read_i64(&in) == -5 && baton_read_f32(&in) == 1.5f);
    CHECK(baton_read_f64(&in) == -0.1 && baton_read_bool(&in) && baton_read_option(&in));
    CHECK_TEXT(baton_read_text(&in).at, "text");
    CHECK(baton_read_bytes(&in).len == 5 && baton_read_count(&in, 2) == 2 && baton_read_variant(&in, 2) == 1);
    CHECK(baton_read_raw(&in, 3).len == 3 && baton_reader_left(&in) == 0 && !in.error);
    scratch_end();
}

#define REFUSED(literal, read, why)                                                                                    \
    do {                                                                                                               \
        baton_reader in = baton_reader_of(scratch(), (baton_bytes){(const uint8_t *)literal, sizeof literal - 1});     \
        read;                                                                                                          \
        CHECK_TEXT(in.error, why);                                                                                     \
        CHECK(baton_reader_left(&in) == 0 && baton_read_u64(&in) == 0);                                                \
    } while (0)

void what_does_not_decode_is_told(void) {
    REFUSED("", CHECK(baton_read_u8(&in) == 0), "1 bytes were expected, and there are 0, at byte 0 of 0");
    REFUSED("\x80", baton_read_u64(&in), "1 bytes were expected, and there are 0, at byte 1 of 1");
    REFUSED("\xff\xff\x04", baton_read_u16(&in), "a number has more than 16 bits, at byte 3 of 3");
    REFUSED("\xff\xff\xff\xff\x10", baton_read_u32(&in), "a number has more than 32 bits, at byte 5 of 5");
    REFUSED("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", baton_read_u64(&in),
            "a number has more than 64 bits, at byte 10 of 10");
    REFUSED("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", baton_read_u64(&in),
            "a number has more than 64 bits, at byte 10 of 11");
    REFUSED("\x02", baton_read_bool(&in), "a bool is 0 or 1, not 2, at byte 1 of 1");
    REFUSED("\x03\xe2\x82", baton_read_text(&in), "3 items cannot be in the 2 bytes that are left, at byte 1 of 3");
    REFUSED("\x02\xe2\x82", baton_read_text(&in), "a text is not UTF-8, at byte 3 of 3");
    REFUSED("\xff\xff\xff\xff\x0f", CHECK(baton_read_count(&in, 8) == 0),
            "4294967295 items cannot be in the 0 bytes that are left, at byte 5 of 5");
    REFUSED("\x05", CHECK(baton_read_variant(&in, 3) == 0),
            "there are 3 variants, and this is number 5, at byte 1 of 1");
    REFUSED("\x05", baton_reader_refuse(&in, "no %s", "way"), "no way, at byte 0 of 1");
    baton_writer out = {.buf = {.cx = scratch()}};
    baton_write_string(&out, "\xff");
    CHECK_TEXT(out.error, "a text is not UTF-8");
    scratch_end();
}
