/* Bytes, texts, and memory that lives as long as a turn.
 *
 * A turn is one call of the host: a message, `init`, a snapshot. Whatever the SDK hands out (message bodies, texts,
 * replies of others, what `baton_alloc` gives) lives until the turn has ended, and nobody frees it. What an actor wants
 * to keep it copies into its state, with `malloc` where that has no fixed size. */
#ifndef BATON_TEXT_H
#define BATON_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define BATON_PRINTF(at, first) __attribute__((__format__(__printf__, at, first)))
#define BATON_SENTINEL __attribute__((__sentinel__))
#else
#define BATON_PRINTF(at, first)
#define BATON_SENTINEL
#endif

/* What an actor knows of itself and of its turn; every function that needs memory or the host takes it. */
typedef struct baton_cx baton_cx;

typedef struct baton_bytes {
    const uint8_t *at;
    size_t len;
} baton_bytes;

/* UTF-8. A NUL follows what the SDK hands out, so that `at` is a C string too (one that a NUL inside cuts short). */
typedef struct baton_text {
    const char *at;
    size_t len;
} baton_text;

baton_text baton_text_of(const char *string);
baton_bytes baton_bytes_of(const char *string);
bool baton_text_is(baton_text text, const char *string);
bool baton_is_utf8(const void *bytes, size_t len);

/* Zeroed memory until the end of the turn. Never NULL: where there is none left, the actor ends. */
void *baton_alloc(baton_cx *cx, size_t size);
/* A copy with a NUL after it, until the end of the turn. */
baton_text baton_copy_text(baton_cx *cx, const char *at, size_t len);

/* printf into the turn's memory. Knows %s %.*s %c %d %i %u %x %X %p %%, with flags 0 and -, a width, and the lengths
 * hh h l ll z j t, so PRIu64 and its like too. No floating point: `"%s", baton_f64_text(cx, x)`. */
const char *baton_format(baton_cx *cx, const char *format, ...) BATON_PRINTF(2, 3);
const char *baton_vformat(baton_cx *cx, const char *format, va_list args) BATON_PRINTF(2, 0);
/* The shortest decimal digits that read back as the same number; `NaN`, `inf`, `-inf`. */
const char *baton_f64_text(baton_cx *cx, double number);

/* Bytes that grow, in the turn's memory: `baton_buf b = {.cx = cx};` is an empty one. */
typedef struct baton_buf {
    baton_cx *cx;
    uint8_t *at;
    size_t len;
    size_t room;
} baton_buf;

/* Makes room for so many more bytes at once. */
void baton_buf_reserve(baton_buf *buf, size_t more);
void baton_buf_add(baton_buf *buf, const void *bytes, size_t len);
void baton_buf_byte(baton_buf *buf, uint8_t byte);
void baton_buf_format(baton_buf *buf, const char *format, ...) BATON_PRINTF(2, 3);
void baton_buf_vformat(baton_buf *buf, const char *format, va_list args) BATON_PRINTF(2, 0);
baton_bytes baton_buf_bytes(const baton_buf *buf);
/* With a NUL after it. */
baton_text baton_buf_text(baton_buf *buf);

/* Ends the instance: the message goes to the host's log at level error with the place, then the plugin traps. Nothing
 * of the turn leaves, and the supervisor decides. `assert` of <assert.h>, which the SDK has for itself, does the same.
 */
#define baton_panic(...) baton_panic_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void baton_panic_at(const char *file, int line, const char *format, ...) BATON_PRINTF(3, 4);

#endif
