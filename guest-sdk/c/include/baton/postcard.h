/* postcard's bytes (https://postcard.jamesmunns.com/wire-format): values one after the other, without names. Numbers of
 * 16 bits and more are LEB128 varints, signed ones zigzag; f32 and f64 are little-endian; texts, bytes and lists begin
 * with a count; an option is a byte 0, or 1 and the value; an enum is its index as a varint, then what that variant
 * has. serde's derives write a Rust struct of the same fields in the same order as the same bytes. */
#ifndef BATON_POSTCARD_H
#define BATON_POSTCARD_H

#include "text.h"

/* Reads. The first thing that is wrong is kept in `error`, and from then on every read gives 0 or nothing: check once,
 * at the end. The SDK does that for `decode`, and that nothing is left over. */
typedef struct baton_reader {
    baton_cx *cx;
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *begin;
    const char *error;
} baton_reader;

baton_reader baton_reader_of(baton_cx *cx, baton_bytes bytes);
/* How many bytes are left. */
size_t baton_reader_left(const baton_reader *in);
/* Refuses what is read, and says why. The first reason counts. */
void baton_reader_refuse(baton_reader *in, const char *format, ...) BATON_PRINTF(2, 3);

bool baton_read_bool(baton_reader *in);
uint8_t baton_read_u8(baton_reader *in);
uint16_t baton_read_u16(baton_reader *in);
uint32_t baton_read_u32(baton_reader *in);
uint64_t baton_read_u64(baton_reader *in);
int8_t baton_read_i8(baton_reader *in);
int16_t baton_read_i16(baton_reader *in);
int32_t baton_read_i32(baton_reader *in);
int64_t baton_read_i64(baton_reader *in);
float baton_read_f32(baton_reader *in);
double baton_read_f64(baton_reader *in);
/* A text, checked to be UTF-8, copied into the turn's memory. */
baton_text baton_read_text(baton_reader *in);
/* The same where it stands: no copy, and no NUL after it. */
baton_text baton_view_text(baton_reader *in);
/* Bytes where they stand. */
baton_bytes baton_read_bytes(baton_reader *in);
/* So many bytes without a count before them. */
baton_bytes baton_read_raw(baton_reader *in, size_t len);
/* How many items follow. More than there are bytes left for, at `item` bytes each at the least, are refused: so a loop
 * over them ends, and `count * sizeof` is never more than what was handed over times that size. */
size_t baton_read_count(baton_reader *in, size_t item);
/* Whether a value follows. */
bool baton_read_option(baton_reader *in);
/* The index of an enum's variant, less than `variants`. */
uint32_t baton_read_variant(baton_reader *in, uint32_t variants);

/* Writes, into the turn's memory. */
typedef struct baton_writer {
    baton_buf buf;
    const char *error;
} baton_writer;

/* The state cannot be written, and why. The first reason counts. */
void baton_writer_refuse(baton_writer *out, const char *format, ...) BATON_PRINTF(2, 3);

void baton_write_bool(baton_writer *out, bool value);
void baton_write_u8(baton_writer *out, uint8_t value);
void baton_write_u16(baton_writer *out, uint16_t value);
void baton_write_u32(baton_writer *out, uint32_t value);
void baton_write_u64(baton_writer *out, uint64_t value);
void baton_write_i8(baton_writer *out, int8_t value);
void baton_write_i16(baton_writer *out, int16_t value);
void baton_write_i32(baton_writer *out, int32_t value);
void baton_write_i64(baton_writer *out, int64_t value);
void baton_write_f32(baton_writer *out, float value);
void baton_write_f64(baton_writer *out, double value);
/* The text must be UTF-8: what is none would not be read back, and is refused. */
void baton_write_text(baton_writer *out, baton_text value);
void baton_write_string(baton_writer *out, const char *value);
void baton_write_bytes(baton_writer *out, baton_bytes value);
void baton_write_raw(baton_writer *out, const void *bytes, size_t len);
void baton_write_count(baton_writer *out, size_t count);
/* Says that a value follows, or that none does. */
void baton_write_option(baton_writer *out, bool some);
void baton_write_variant(baton_writer *out, uint32_t variant);

#endif
