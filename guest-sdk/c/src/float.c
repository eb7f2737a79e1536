/* Doubles and their decimal digits, by whole numbers of any size: slow beside what a C library does, and small.
 *
 * Printing is the free-format algorithm of Steele and White in the form of Burger and Dybvig; reading divides two whole
 * numbers and rounds once. */
#include "float.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "internal.h"

/* A whole number of at most 32 * LIMBS bits. The largest one that comes up is 10^1,140 with 56 bits more. */
#define LIMBS 124
typedef struct big {
    size_t len;
    uint32_t limbs[LIMBS];
} big;

static void big_set(big *a, uint64_t value) {
    a->limbs[0] = (uint32_t)value;
    a->limbs[1] = (uint32_t)(value >> 32);
    a->len = a->limbs[1] ? 2 : a->limbs[0] ? 1 : 0;
}

static void big_mul_add(big *a, uint32_t factor, uint32_t add) {
    uint64_t carry = add;
    for (size_t i = 0; i < a->len; i++) {
        carry += (uint64_t)a->limbs[i] * factor;
        a->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry > 0) a->limbs[a->len++] = (uint32_t)carry;
}

static void big_mul_pow10(big *a, unsigned power) {
    for (; power >= 9; power -= 9) big_mul_add(a, 1000000000, 0);
    for (; power > 0; power--) big_mul_add(a, 10, 0);
}

static void big_shift(big *a, unsigned bits) {
    if (a->len == 0) return;
    size_t words = bits / 32;
    if (bits % 32 > 0) big_mul_add(a, UINT32_C(1) << bits % 32, 0);
    memmove(a->limbs + words, a->limbs, a->len * sizeof *a->limbs);
    memset(a->limbs, 0, words * sizeof *a->limbs);
    a->len += words;
}

static int big_compare(const big *a, const big *b) {
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    for (size_t i = a->len; i-- > 0;)
        if (a->limbs[i] != b->limbs[i]) return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

/* a -= b, which is not more. */
static void big_sub(big *a, const big *b) {
    uint64_t borrow = 0;
    for (size_t i = 0; i < a->len; i++) {
        uint64_t less = borrow + (i < b->len ? b->limbs[i] : 0);
        borrow = a->limbs[i] < less;
        a->limbs[i] -= (uint32_t)less;
    }
    while (a->len > 0 && a->limbs[a->len - 1] == 0) a->len--;
}

static void big_add(big *a, const big *b) {
    uint64_t carry = 0;
    size_t len = a->len > b->len ? a->len : b->len;
    for (size_t i = 0; i < len; i++) {
        carry += (uint64_t)(i < a->len ? a->limbs[i] : 0) + (i < b->len ? b->limbs[i] : 0);
        a->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    a->len = len;
    if (carry > 0) a->limbs[a->len++] = (uint32_t)carry;
}

static unsigned big_bits(const big *a) {
    if (a->len == 0) return 0;
    unsigned bits = (unsigned)(a->len - 1) * 32;
    for (uint32_t top = a->limbs[a->len - 1]; top > 0; top >>= 1) bits++;
    return bits;
}

/* --- Printing. --- */

/* Digits of a positive number; it is 0.d1d2d3… * 10^point. Gives how many there are, at most 17. */
static size_t shortest(double number, char digits[17], int *point) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int field = (int)(bits >> 52 & 0x7ff);
    uint64_t f = field > 0 ? fraction | UINT64_C(1) << 52 : fraction;
    int e = (field > 0 ? field : 1) - 1075;
    bool even = f % 2 == 0;
    /* Below a power of two the next number is half as far away as above it. */
    bool edge = fraction == 0 && field > 1;

    /* number = r / s; all between (r - below) / s and (r + above) / s reads back as it. */
    big r, s, above, below;
    big_set(&r, f);
    big_set(&s, 1);
    big_set(&above, 1);
    big_set(&below, 1);
    big_shift(&r, (unsigned)((e > 0 ? e : 0) + 1 + edge));
    big_shift(&s, (unsigned)((e < 0 ? -e : 0) + 1 + edge));
    big_shift(&above, (unsigned)((e > 0 ? e : 0) + edge));
    big_shift(&below, (unsigned)(e > 0 ? e : 0));

    /* ceil(log10(number)), or one less: from its highest bit, by a fraction just below log10(2). */
    int high = e - 1;
    for (uint64_t rest = f; rest > 0; rest >>= 1) high++;
    int64_t scaled = (int64_t)high * 1292913986 - 1; /* in units of 2^-32 */
    int k = (int)(scaled >> 32) + 1;
    if (k >= 0) {
        big_mul_pow10(&s, (unsigned)k);
    } else {
        big_mul_pow10(&r, (unsigned)-k);
        big_mul_pow10(&above, (unsigned)-k);
        big_mul_pow10(&below, (unsigned)-k);
    }
    big top = r;
    big_add(&top, &above);
    int compared = big_compare(&top, &s);
    if (compared > 0 || (even && compared == 0)) {
        k++;
    } else {
        big_mul_add(&r, 10, 0);
        big_mul_add(&above, 10, 0);
        big_mul_add(&below, 10, 0);
    }
    *point = k;

    for (size_t len = 0;;) {
        char digit = '0';
        while (big_compare(&r, &s) >= 0) {
            big_sub(&r, &s);
            digit++;
        }
        int low = big_compare(&r, &below);
        top = r;
        big_add(&top, &above);
        int up = big_compare(&top, &s);
        bool may_stop = low < 0 || (even && low == 0);
        bool may_round = up > 0 || (even && up == 0);
        if (may_stop && may_round) {
            big_shift(&r, 1);
            may_round = big_compare(&r, &s) >= 0;
        }
        if (may_stop || may_round) {
            digits[len++] = (char)(digit + may_round);
            return len;
        }
        digits[len++] = digit;
        big_mul_add(&r, 10, 0);
        big_mul_add(&above, 10, 0);
        big_mul_add(&below, 10, 0);
    }
}

static char *repeat(char *to, char letter, int count) {
    for (; count > 0; count--) *to++ = letter;
    return to;
}

static char *append(char *to, const char *from, size_t len) {
    memcpy(to, from, len);
    return to + len;
}

size_t baton_print_f64(char *at, double number) {
    char *to = at;
    if (number != number) {
        to = append(to, "NaN", 3);
    } else {
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        if (bits >> 63) *to++ = '-', number = -number;
        char digits[17];
        int point = 1;
        size_t len = 1;
        if (number > 1.7976931348623157e308) {
            to = append(to, "inf", 3);
            len = 0;
        } else if (number == 0) {
            digits[0] = '0';
        } else {
            len = shortest(number, digits, &point);
        }
        int count = (int)len;
        if (count == 0) {
        } else if (point > 21 || point < -5) { /* 1.25e30 */
            *to++ = digits[0];
            if (count > 1) *to++ = '.';
            to = append(to, digits + 1, len - 1);
            int power = point - 1;
            *to++ = 'e';
            if (power < 0) *to++ = '-', power = -power;
            if (power >= 100) *to++ = (char)('0' + power / 100);
            if (power >= 10) *to++ = (char)('0' + power / 10 % 10);
            *to++ = (char)('0' + power % 10);
        } else if (point <= 0) { /* 0.00125 */
            to = repeat(append(to, "0.", 2), '0', -point);
            to = append(to, digits, len);
        } else if (point >= count) { /* 12500 */
            to = repeat(append(to, digits, len), '0', point - count);
        } else { /* 12.5 */
            to = append(to, digits, (size_t)point);
            *to++ = '.';
            to = append(to, digits + point, len - (size_t)point);
        }
    }
    *to = '\0';
    return (size_t)(to - at);
}

const char *baton_f64_text(baton_cx *cx, double number) {
    char at[BATON_F64_ROOM];
    size_t len = baton_print_f64(at, number);
    return baton_copy_text(cx, at, len).at;
}

/* --- Reading. --- */

/* No double lies between two numbers that agree in so many digits, but for one that says whether there are more. */
#define DIGITS 780

double baton_scan_f64(const char *at, const char *end) {
    big n, m;
    big_set(&n, 0);
    bool negative = at < end && *at == '-';
    if (negative) at++;
    int point = 0; /* by how many digits the point is left of the last one that was kept */
    size_t kept = 0;
    bool more = false, after = false;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            after = true;
            continue;
        }
        uint32_t digit = (uint32_t)(*at - '0');
        if (kept == DIGITS) {
            more |= digit > 0;
            if (!after && point > -100000) point--;
            continue;
        }
        if (n.len == 0) big_set(&n, digit);
        else big_mul_add(&n, 10, digit);
        kept += n.len > 0;
        if (after && point < 100000) point++;
    }
    int power = 0;
    if (at < end) {
        at++;
        bool minus = *at == '-';
        if (*at == '-' || *at == '+') at++;
        for (; at < end; at++)
            if (power < 1000000) power = power * 10 + (*at - '0');
        if (minus) power = -power;
    }
    power -= point;
    uint64_t bits = negative ? UINT64_C(1) << 63 : 0;
    double number;
    if (n.len == 0 || (int)kept + power < -330) goto done; /* zero, or rounded to it */
    if ((int)kept + power > 310) {
        bits |= UINT64_C(0x7ff) << 52;
        goto done;
    }

    /* The number is n / m; what was cut off makes it a little more, which can only matter at a tie. */
    if (more) {
        big_mul_add(&n, 10, 1);
        power--;
    }
    big_set(&m, 1);
    big_mul_pow10(power > 0 ? &n : &m, (unsigned)(power > 0 ? power : -power));
    /* Shifted so that the quotient has 55 or 56 bits: 53, and some to round by. */
    int shift = 55 - ((int)big_bits(&n) - (int)big_bits(&m));
    if (shift > 0) big_shift(&n, (unsigned)shift);
    else big_shift(&m, (unsigned)-shift);
    uint64_t q = 0;
    big_shift(&m, 56);
    for (int i = 0; i <= 56; i++) { /* one bit of the quotient after the other */
        q <<= 1;
        if (big_compare(&n, &m) >= 0) {
            big_sub(&n, &m);
            q |= 1;
        }
        big_shift(&n, 1);
    }
    bool rest = n.len > 0;
    int e = -shift; /* the number is q * 2^e, and a bit */
    int drop = q >> 55 ? 3 : 2;
    if (e + drop < -1074) drop = -1074 - e; /* fewer bits near zero */
    if (drop > 60) goto done;
    uint64_t half = UINT64_C(1) << (drop - 1), low = q & ((half << 1) - 1);
    uint64_t f = q >> drop;
    e += drop;
    if (low > half || (low == half && (rest || f % 2 == 1))) f++;
    if (f >> 53) f >>= 1, e++;
    if (e > 971) bits |= UINT64_C(0x7ff) << 52;
    else if (f >> 52) bits |= (uint64_t)(e + 1075) << 52 | (f & ((UINT64_C(1) << 52) - 1));
    else bits |= f;
done:
    memcpy(&number, &bits, sizeof number);
    return number;
}
