/* Words are runs of letters and digits, and their case does not matter. "Letters" are all characters beyond ASCII but
 * for signs and punctuation; case is folded for Latin, Greek and Cyrillic. That is simple, and not what Unicode says.
 */
#include "words.h"

struct range {
    uint32_t from, to;
};

static bool among(uint32_t c, const struct range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].from && c <= ranges[i].to) return true;
    return false;
}

static bool in_word(uint32_t c) {
    static const struct range ascii[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}};
    /* Signs of Latin-1, punctuation, arrows and symbols, CJK punctuation, halfwidth punctuation, emoji. */
    static const struct range signs[] = {
        {0x80, 0xa9},     {0xab, 0xb4},     {0xb6, 0xb9},     {0xbb, 0xbf},     {0xd7, 0xd7},       {0xf7, 0xf7},
        {0x2000, 0x206f}, {0x20a0, 0x20cf}, {0x2100, 0x2bff}, {0x3000, 0x303f}, {0xfe10, 0xfe6f},   {0xff00, 0xff0f},
        {0xff1a, 0xff20}, {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0xfffd, 0xfffd}, {0x1f000, 0x1faff},
    };
    if (c < 0x80) return among(c, ascii, sizeof ascii / sizeof *ascii);
    return !among(c, signs, sizeof signs / sizeof *signs);
}

static uint32_t fold(uint32_t c) {
    static const struct range by_32[] = {{'A', 'Z'}, {0xc0, 0xd6}, {0xd8, 0xde}, {0x391, 0x3a9}, {0x410, 0x42f}};
    /* Large and small take turns: the large ones are even, or odd. */
    static const struct range even[] = {{0x100, 0x12f}, {0x132, 0x137}, {0x14a, 0x177},
                                        {0x460, 0x481}, {0x48a, 0x4bf}, {0x1e00, 0x1eff}};
    static const struct range odd[] = {{0x139, 0x148}, {0x179, 0x17e}};
    if (among(c, by_32, sizeof by_32 / sizeof *by_32)) return c + 32;
    if (among(c, even, sizeof even / sizeof *even)) return c | 1;
    if (among(c, odd, sizeof odd / sizeof *odd)) return c + (c & 1);
    if (c >= 0x400 && c <= 0x40f) return c + 80;
    if (c == 0x3c2) return 0x3c3; /* the sigma at the end of a word */
    if (c == 0x178) return 0xff;
    return c;
}

/* The character at `*at`, of a text that is UTF-8. */
static uint32_t character(const char **at) {
    const uint8_t *bytes = (const uint8_t *)*at;
    uint32_t c = bytes[0];
    int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (more > 0) c &= 0x3fu >> more;
    for (int i = 1; i <= more; i++) c = c << 6 | (bytes[i] & 0x3f);
    *at += 1 + more;
    return c;
}

static size_t put_character(char *to, uint32_t c) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; c >>= 6) to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)((len == 2 ? 0xc0 : len == 3 ? 0xe0 : 0xf0) | c);
    return len;
}

size_t next_word(const char **at, const char *end, char word[WORD_BYTES]) {
    size_t len = 0;
    bool full = false;
    while (*at < end) {
        uint32_t c = character(at);
        if (in_word(c)) {
            full = full || len + 4 > WORD_BYTES;
            if (!full) len += put_character(word + len, fold(c));
        } else if (len > 0) {
            break;
        }
    }
    return len;
}
