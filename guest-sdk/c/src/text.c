/* Texts, and buffers that grow. */
#include <string.h>

#include "internal.h"

baton_text baton_text_of(const char *string) {
    return string ? (baton_text){string, strlen(string)} : (baton_text){"", 0};
}

baton_bytes baton_bytes_of(const char *string) {
    baton_text text = baton_text_of(string);
    return (baton_bytes){(const uint8_t *)text.at, text.len};
}

bool baton_text_is(baton_text text, const char *string) {
    size_t len = strlen(string);
    return text.len == len && (len == 0 || memcmp(text.at, string, len) == 0);
}

/* Neither overlong forms nor surrogates are well-formed. */
size_t baton_utf8_step(const char *bytes, size_t left) {
    const uint8_t *at = (const uint8_t *)bytes;
    uint8_t first = at[0];
    if (first < 0x80) return 1;
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || left < len) return 0;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    return len;
}

bool baton_is_utf8(const void *bytes, size_t len) {
    const char *at = bytes;
    while (len > 0) {
        size_t step = baton_utf8_step(at, len);
        if (step == 0) return false;
        at += step;
        len -= step;
    }
    return true;
}

void *baton_alloc(baton_cx *cx, size_t size) {
    void *memory = baton_arena_alloc(&cx->arena, size);
    if (!memory) baton_panic("out of memory: %zu bytes", size);
    return memset(memory, 0, size);
}

baton_text baton_copy_text(baton_cx *cx, const char *at, size_t len) {
    if (len == SIZE_MAX) baton_panic("out of memory");
    char *copy = baton_arena_alloc(&cx->arena, len + 1);
    if (!copy) baton_panic("out of memory: %zu bytes", len);
    if (len > 0) memcpy(copy, at, len);
    copy[len] = '\0';
    return (baton_text){copy, len};
}

void baton_buf_reserve(baton_buf *buf, size_t more) {
    if (more <= buf->room - buf->len) return;
    if (more > SIZE_MAX / 2 - buf->len) baton_panic("out of memory: %zu bytes more", more);
    size_t room = buf->room < 32 ? 64 : buf->room + buf->room / 2;
    if (room < buf->len + more) room = buf->len + more;
    uint8_t *at = baton_arena_grow(&buf->cx->arena, buf->at, buf->room, room);
    /* Perhaps there is enough for what is needed, if not for half as much again. */
    if (!at) at = baton_arena_grow(&buf->cx->arena, buf->at, buf->room, room = buf->len + more);
    if (!at) baton_panic("out of memory: %zu bytes", room);
    buf->at = at;
    buf->room = room;
}

void baton_buf_add(baton_buf *buf, const void *bytes, size_t len) {
    if (len == 0) return;
    baton_buf_reserve(buf, len);
    memcpy(buf->at + buf->len, bytes, len);
    buf->len += len;
}

void baton_buf_byte(baton_buf *buf, uint8_t byte) {
    if (buf->len == buf->room) baton_buf_reserve(buf, 1);
    buf->at[buf->len++] = byte;
}

baton_bytes baton_buf_bytes(const baton_buf *buf) {
    return (baton_bytes){buf->at ? buf->at : (const uint8_t *)"", buf->len};
}

baton_text baton_buf_text(baton_buf *buf) {
    baton_buf_byte(buf, '\0');
    buf->len--;
    return (baton_text){(const char *)buf->at, buf->len};
}
