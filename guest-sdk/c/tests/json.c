#include <stdlib.h>
#include <string.h>

#include "tests.h"

static baton_json parsed(const char *text) {
    baton_json value = {NULL, NULL};
    baton_json_error error = {0};
    if (!baton_json_parse(baton_text_of(text), &value, &error))
        baton_check(false, __FILE__, __LINE__, "%s: %s at %zu:%zu", text, error.what, error.line, error.column);
    return value;
}

void json_is_read_where_it_stands(void) {
    baton_json value = parsed(" { \"a\" : [1, {\"b\": []}, \"]}\" ] , \"c\":{}, \"d\": null,\"\\u0065\":true } \n");
    CHECK(baton_json_kind_of(value) == BATON_JSON_OBJECT);
    CHECK_NUMBER(baton_json_count(value), 4);
    baton_json list = baton_json_get(value, "a");
    CHECK_NUMBER(baton_json_count(list), 3);
    baton_json_iter iter = baton_json_each(list);
    static const baton_json_kind kinds[] = {BATON_JSON_NUMBER, BATON_JSON_OBJECT, BATON_JSON_TEXT};
    for (size_t i = 0; i < 3; i++) {
        CHECK(baton_json_next(&iter));
        CHECK(baton_json_kind_of(iter.value) == kinds[i]);
    }
    CHECK(!baton_json_next(&iter));
    CHECK(baton_json_is(iter.value, "]}"));
    CHECK_NUMBER(baton_json_count(baton_json_get(value, "c")), 0);
    CHECK(baton_json_is_null(baton_json_get(value, "d")));
    bool flag = false;
    CHECK(baton_json_bool(baton_json_get(value, "e"), &flag) && flag);
    CHECK(baton_json_kind_of(baton_json_get(value, "f")) == BATON_JSON_NOTHING);
    CHECK(baton_text_is(baton_json_raw(baton_json_get(parsed("{\"x\":[1, 2]}"), "x")), "[1, 2]"));

    baton_json arg;
    CHECK(baton_json_case(parsed("\"get\""), "get", NULL));
    CHECK(baton_json_case(parsed("{\"get\":null}"), "get", NULL));
    CHECK(!baton_json_case(parsed("{\"get\":1}"), "get", NULL));
    CHECK(!baton_json_case(parsed("\"add\""), "add", &arg));
    CHECK(baton_json_case(parsed("{\"add\": 3 }"), "add", &arg) && baton_text_is(baton_json_raw(arg), "3"));
    CHECK(!baton_json_case(parsed("{\"add\":3,\"b\":4}"), "add", &arg));
    CHECK(!baton_json_case(parsed("[]"), "add", &arg));

    baton_json nothing = {NULL, NULL};
    baton_text text;
    CHECK(!baton_json_text(scratch(), nothing, &text) && !baton_json_bool(nothing, &flag));
    CHECK_NUMBER(baton_json_count(nothing), 0);
    CHECK(!baton_json_case(nothing, "x", NULL) && !baton_json_is(nothing, ""));
    scratch_end();
}

void what_is_no_json_is_told_with_its_place(void) {
    static const struct {
        const char *text;
        const char *what;
        size_t line, column;
    } cases[] = {
        {"", "a value was expected, and the text ends", 1, 1},
        {"get", "a value was expected", 1, 1},
        {"\"get\" \"get\"", "something follows the value", 1, 7},
        {"{\"add\":\n -}", "a digit was expected", 2, 3},
        {"[1,]", "a value was expected", 1, 4},
        {"{\"a\":1,}", "a key in quotes was expected", 1, 8},
        {"{\"a\" 1}", "`:` was expected after a key", 1, 6},
        {"[1 2]", "`,` or `]` was expected", 1, 4},
        {"{\"a\":1 \"b\"}", "`,` or `}` was expected", 1, 8},
        {"[1", "the text ends within an array or object", 1, 3},
        {"\"abc", "the text has no end", 1, 5},
        {"\"a\nb\"", "a control character in a text must be escaped", 1, 3},
        {"\"\\x\"", "an escape that JSON does not have", 1, 2},
        {"\"\\ud800\"", "an escape that is no character", 1, 2},
        {"\"\\udc00\\ud800\"", "an escape that is no character", 1, 2},
        {"\"\\u12\"", "an escape that is no character", 1, 2},
        {"01", "a number must not begin with 0", 1, 2},
        {"1.", "a digit was expected after the point", 1, 3},
        {"1e+", "a digit was expected in the exponent", 1, 4},
        {"tru", "a value was expected", 1, 1},
        {"\"\xff\"", "the text is not UTF-8", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        baton_json value;
        baton_json_error error;
        if (!CHECK(!baton_json_parse(baton_text_of(cases[i].text), &value, &error))) continue;
        CHECK_TEXT(error.what, cases[i].what);
        baton_check(error.line == cases[i].line && error.column == cases[i].column, __FILE__, __LINE__,
                    "%s: %s at %zu:%zu", cases[i].text, error.what, error.line, error.column);
    }
}

void numbers_keep_every_digit(void) {
    uint64_t u = 7;
    int64_t i = 7;
    double f = 7;
    CHECK(baton_json_u64(parsed("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(baton_json_i64(parsed("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(baton_json_i64(parsed("9223372036854775807"), &i) && i == INT64_MAX);
    CHECK(baton_json_f64(parsed("-1.25e2"), &f) && f == -125);
    CHECK(baton_json_f64(parsed("18446744073709551615"), &f) && f == 18446744073709551616.0);
    static const char *const no_u64[] = {
        "18446744073709551616", "99999999999999999999", "-1", "-0", "1.0", "1e0", "\"1\"", "null"};
    for (size_t n = 0; n < sizeof no_u64 / sizeof *no_u64; n++) CHECK(!baton_json_u64(parsed(no_u64[n]), &u));
    static const char *const no_i64[] = {"9223372036854775808", "-9223372036854775809", "1.0"};
    for (size_t n = 0; n < sizeof no_i64 / sizeof *no_i64; n++) CHECK(!baton_json_i64(parsed(no_i64[n]), &i));
    CHECK(!baton_json_f64(parsed("1e999"), &f));
    CHECK(!baton_json_f64(parsed("true"), &f));
    CHECK(u == UINT64_MAX);
}

void texts_have_their_escapes_resolved(void) {
    baton_text text;
    CHECK(baton_json_text(scratch(), parsed("\"a\\n\\u00e9\\u20ac\\ud834\\udd1e\\\"\\\\\\/\\b\\f\\r\\t\""), &text));
    CHECK_TEXT(text.at, "a\né€𝄞\"\\/\b\f\r\t");
    CHECK_NUMBER(text.len, strlen(text.at));
    CHECK(baton_json_text(scratch(), parsed("\"a\\u0000b\""), &text));
    CHECK_NUMBER(text.len, 3);
    CHECK(baton_json_is(parsed("\"\\u0067et\""), "get"));
    CHECK(!baton_json_is(parsed("\"get\""), "gets") && !baton_json_is(parsed("\"get\""), "ge"));
    CHECK(!baton_json_text(scratch(), parsed("1"), &text));
    scratch_end();
}

void nesting_is_bounded(void) {
    enum { DEPTH = BATON_JSON_DEPTH };
    char text[2 * DEPTH + 3];
    for (size_t depth = DEPTH; depth <= DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        baton_json value;
        baton_json_error error;
        bool ok = baton_json_parse(baton_text_of(text), &value, &error);
        CHECK(ok == (depth == DEPTH));
        if (!ok) CHECK_TEXT(error.what, "nested too deep");
    }
}

void json_is_written_with_its_commas(void) {
    baton_out *out = baton_json_out(scratch());
    baton_put_object(out);
    baton_put_key(out, "a"), baton_put_array(out);
    baton_put_u64(out, UINT64_MAX), baton_put_i64(out, INT64_MIN), baton_put_f64(out, 0.1), baton_put_bool(out, true);
    baton_put_null(out), baton_put_f64(out, 1 / 0.0 - 1 / 0.0), baton_put_array(out), baton_put_end(out);
    baton_put_end(out);
    baton_put_key(out, "b\n"), baton_put_object(out), baton_put_end(out);
    baton_put_key(out, "c"), baton_put_string(out, "\"\\\x01\xff"
                                                   "é\xe2\x82"
                                                   "x");
    baton_put_key(out, "d"), baton_put_string(out, NULL);
    baton_put_key(out, "e"), baton_put_json(out, parsed(" [1] "));
    CHECK(baton_out_error(out) != NULL);
    baton_put_end(out);
    CHECK(baton_out_error(out) == NULL);
    baton_bytes bytes = baton_out_bytes(out);
    CHECK(baton_text_is((baton_text){(const char *)bytes.at, bytes.len},
                        "{\"a\":[18446744073709551615,-9223372036854775808,0.1,true,null,null,[]],\"b\\n\":{},"
                        "\"c\":\"\\\"\\\\\\u0001\xef\xbf\xbd"
                        "é\xef\xbf\xbd\xef\xbf\xbdx\",\"d\":null,\"e\":[1]}"));
    baton_json value;
    CHECK(baton_json_parse((baton_text){(const char *)bytes.at, bytes.len}, &value, NULL));
    scratch_end();
}

void what_is_put_wrongly_is_told(void) {
    baton_out *two = baton_json_out(scratch());
    baton_put_null(two), baton_put_null(two);
    CHECK_TEXT(baton_out_error(two), "a second value follows the first");
    baton_out *open = baton_json_out(scratch());
    baton_put_array(open);
    CHECK_TEXT(baton_out_error(open), "an array or object is not closed");
    baton_out *keyless = baton_json_out(scratch());
    baton_put_object(keyless), baton_put_null(keyless), baton_put_end(keyless);
    CHECK_TEXT(baton_out_error(keyless), "a value in an object has no key");
    baton_out *key = baton_json_out(scratch());
    baton_put_array(key), baton_put_key(key, "x");
    CHECK_TEXT(baton_out_error(key), "a key stands outside of an object");
    baton_out *unopened = baton_json_out(scratch());
    baton_put_end(unopened);
    CHECK_TEXT(baton_out_error(unopened), "nothing is open that could be closed");
    CHECK_TEXT(baton_out_error(baton_json_out(scratch())), "there is no value");
    scratch_end();
}

/* Texts on the heap, exactly as long as they are, so that the sanitizer sees every byte too far. */
void rubbish_is_never_read_beyond_its_end(void) {
    static const char *const seeds[] = {"{\"add\":3,\"x\":[1.5e3,true,null,\"\\u00e9\\ud834\\udd1e\"]}",
                                        "[[],{},\"\",-0]"};
    srand(1);
    unsigned read = 0;
    for (int i = 0; i < 20000; i++) {
        const char *seed = seeds[i % 2];
        size_t len = (size_t)rand() % (strlen(seed) + 1);
        char *text = malloc(len > 0 ? len : 1);
        if (!text) abort();
        memcpy(text, seed, len);
        if (i % 3 == 0) len = len > 0 ? len : 0;
        for (int flips = rand() % 3; flips > 0 && len > 0; flips--) text[(size_t)rand() % len] = (char)(rand() % 256);
        baton_json value;
        if (baton_json_parse((baton_text){text, len}, &value, NULL)) {
            baton_json_iter iter = baton_json_each(value);
            baton_text found;
            double number;
            while (baton_json_next(&iter)) {
                baton_json_text(scratch(), iter.value, &found);
                baton_json_f64(iter.value, &number);
            }
            baton_json_get(value, "x");
            read++;
        }
        free(text);
    }
    CHECK(read > 0);
    scratch_end();
}
