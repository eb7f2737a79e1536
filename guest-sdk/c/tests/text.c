#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests.h"
#include "../src/float.h"

void texts_are_compared_and_checked(void) {
    CHECK(baton_text_is((baton_text){"abc", 2}, "ab"));
    CHECK(!baton_text_is(baton_text_of("abc"), "ab"));
    CHECK(baton_text_is(baton_text_of(NULL), ""));
    static const char *const good[] = {"", "a", "é", "€", "𝄞", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5", "\xe2\x82", "a\xff"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK(baton_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!baton_is_utf8(bad[i], strlen(bad[i])));
}

/* The same as the C library's for all that is known. */
#define SAME(...)                                                                                                      \
    do {                                                                                                               \
        char should[256];                                                                                              \
        snprintf(should, sizeof should, __VA_ARGS__);                                                                  \
        CHECK_TEXT(baton_format(scratch(), __VA_ARGS__), should);                                                      \
    } while (0)

void formats_are_those_of_printf(void) {
    SAME("%s and %s", "a", "b");
    SAME("[%5s] [%-5s] [%.2s] [%.*s]", "abc", "abc", "abc", 1, "abc");
    SAME("%d %i %u %5d %-5d| %05d %.3d", -1, 7, 42u, -3, -3, -3, 3);
    SAME("%lld %llu %ld %lu %zu", LLONG_MIN, ULLONG_MAX, -1L, 1UL, (size_t)7);
    SAME("%hhd %hd %hhu %hu", 300, 70000, 300, 70000);
    SAME("%" PRIu64 " %" PRId64 " %" PRIx32, UINT64_MAX, INT64_MIN, UINT32_C(0xbeef));
    SAME("%x %X %08x %c %%", 0xbeefu, 0xbeefu, 0xbeefu, 'x');
    SAME("%jd %td", (intmax_t)-5, (ptrdiff_t)-6);
    const char *volatile nothing = NULL;
    CHECK_TEXT(baton_format(scratch(), "%s|", nothing), "(null)|");
    baton_cx *cx = scratch();
    CHECK_TEXT(baton_format(cx, "%s", baton_f64_text(cx, 0.1)), "0.1");
    scratch_end();
}

void memory_of_a_turn_grows_and_is_free_again(void) {
    baton_cx *cx = scratch();
    for (int turn = 0; turn < 3; turn++) {
        baton_buf buffers[4] = {{.cx = cx}, {.cx = cx}, {.cx = cx}, {.cx = cx}};
        for (unsigned i = 0; i < 40000; i++) {
            baton_buf_byte(&buffers[i % 3], (uint8_t)(i / 3));
            if (i % 1000 == 0) CHECK(*(uint8_t *)baton_alloc(cx, i + 1) == 0);
        }
        baton_buf_reserve(&buffers[3], 100000);
        baton_buf_add(&buffers[3], "x", 1);
        for (unsigned i = 0; i < 39999; i++)
            if (buffers[i % 3].at[i / 3] != (uint8_t)(i / 3)) CHECK(!"the bytes are as they were put");
        CHECK_TEXT(baton_buf_text(&buffers[3]).at, "x");
        CHECK(buffers[3].room >= 100000);
        baton_arena_reset(&cx->arena);
    }
    scratch_end();
}

static uint64_t next_random(void) {
    static uint64_t x = 88172645463325252;
    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

static void check_double(double number) {
    char is[BATON_F64_ROOM];
    size_t len = baton_print_f64(is, number);
    double back = baton_scan_f64(is, is + len), theirs = strtod(is, NULL);
    if (memcmp(&back, &number, sizeof back) != 0 || memcmp(&theirs, &number, sizeof theirs) != 0)
        baton_check(false, __FILE__, __LINE__, "%.17g is written as %s, which reads back as %.17g", number, is, back);
    char longer[40];
    snprintf(longer, sizeof longer, "%.17e", number);
    back = baton_scan_f64(longer, longer + strlen(longer));
    if (memcmp(&back, &number, sizeof back) != 0)
        baton_check(false, __FILE__, __LINE__, "%s is read as %.17g", longer, back);
}

void doubles_are_written_as_short_as_they_read_back(void) {
    static const struct {
        double number;
        const char *text;
    } known[] = {{0, "0"},
                 {-0.0, "-0"},
                 {3, "3"},
                 {-12.5, "-12.5"},
                 {0.1, "0.1"},
                 {1e21, "1e21"},
                 {1e20, "100000000000000000000"},
                 {0.000001, "0.000001"},
                 {1e-7, "1e-7"},
                 {5e-324, "5e-324"},
                 {DBL_MAX, "1.7976931348623157e308"},
                 {DBL_MIN, "2.2250738585072014e-308"},
                 {0.3, "0.3"},
                 {2.0 / 3, "0.6666666666666666"},
                 {9007199254740993.0, "9007199254740992"},
                 {INFINITY, "inf"},
                 {NAN, "NaN"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char is[BATON_F64_ROOM];
        baton_print_f64(is, known[i].number);
        CHECK_TEXT(is, known[i].text);
    }
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random();
        double number;
        memcpy(&number, &bits, sizeof number);
        if (isfinite(number)) check_double(number);
        check_double((double)(int64_t)bits);
        check_double((double)(bits % 1000000) / 1000);
        bits %= UINT64_C(1) << 53; /* near zero, where there are fewer bits */
        memcpy(&number, &bits, sizeof number);
        check_double(number);
        bits = next_random() % 2047 << 52; /* powers of two, and what is beside them */
        memcpy(&number, &bits, sizeof number);
        check_double(number);
        check_double(nextafter(number, 0));
    }
    static const char *const hard[] = {"2.4703282292062327e-324",
                                       "2.4703282292062328e-324",
                                       "2.225073858507201136057409796709131975934819546351645e-308",
                                       "9007199254740993",
                                       "9007199254740992.99999999999999999999",
                                       "9007199254740993.00000000000000000001",
                                       "1.7976931348623158e308",
                                       "1.7976931348623159e308",
                                       "1e400",
                                       "1e-400",
                                       "-1e-400",
                                       "1e99999999999",
                                       "0.000000000000000000000000000000000001e36",
                                       "100000000000000000000000000000000000000e-38"};
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
        double is = baton_scan_f64(hard[i], hard[i] + strlen(hard[i])), should = strtod(hard[i], NULL);
        if (memcmp(&is, &should, sizeof is) != 0)
            baton_check(false, __FILE__, __LINE__, "%s is read as %.17g", hard[i], is);
    }
    /* Half-way between two doubles, written out to the last digit, and then a digit more. */
    char halfway[1200];
    snprintf(halfway, sizeof halfway, "%.1100f", 4503599627370497.5 / 4503599627370496.0);
    for (int i = 0; i < 2; i++) {
        size_t len = strlen(halfway);
        double is = baton_scan_f64(halfway, halfway + len), should = strtod(halfway, NULL);
        CHECK(is == should);
        halfway[len - 1] = '1';
    }
}
