/* Native tests: the same sources, with a recorder in place of the host. `make test` runs them. */
#include <baton/testing.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/words.h"

static void check_words(const char *text, const char *words) {
    char found[256] = "", word[WORD_BYTES];
    const char *at = text, *end = text + strlen(text);
    for (size_t len; (len = next_word(&at, end, word)) > 0;) {
        strncat(found, word, len);
        strcat(found, "|");
    }
    CHECK_TEXT(found, words);
}

static void words_are_folded(void) {
    check_words("", "");
    check_words("  Hello, World! it's 2026", "hello|world|it|s|2026|");
    check_words("ÉTÉ über ŠKODA Žižek", "été|über|škoda|žižek|");
    check_words("ΌΣΟΣ ΣΊΣΥΦΟΣ — Москва…Ёлка", "Όσοσ|σΊσυφοσ|москва|ёлка|");
    check_words("東京「日本」→ok", "東京|日本|ok|");
    char longer[200];
    memset(longer, 'A', sizeof longer - 1), longer[sizeof longer - 1] = '\0';
    char word[WORD_BYTES];
    const char *at = longer;
    CHECK_NUMBER(next_word(&at, longer + sizeof longer - 1, word), WORD_BYTES - 3);
    CHECK_NUMBER(next_word(&at, longer + sizeof longer - 1, word), 0);
}

static void documents_are_found_by_their_words(void) {
    baton_test *index = baton_test_start("index/1", NULL);
    CHECK_REPLY(index, "{\"search\": {\"words\": \"fox\"}}", "[]");
    CHECK_REPLY(index, "{\"index\": {\"doc\": \"a\", \"text\": \"The fox, the FOX and the dog\"}}",
                "{\"words\":4,\"docs\":1}");
    CHECK_REPLY(index, "{\"index\": {\"doc\": \"b\", \"text\": \"A fox\"}}", "{\"words\":2,\"docs\":2}");
    CHECK_REPLY(index, "{\"search\": {\"words\": \"Fox\"}}", "[{\"doc\":\"a\",\"hits\":2},{\"doc\":\"b\",\"hits\":1}]");
    CHECK_REPLY(index, "{\"search\": {\"words\": \"fox\", \"limit\": 1}}", "[{\"doc\":\"a\",\"hits\":2}]");
    CHECK_REPLY(index, "{\"search\": {\"words\": \"dog the\"}}", "[{\"doc\":\"a\",\"hits\":4}]");
    CHECK_REPLY(index, "{\"search\": {\"words\": \"a dog\"}}", "[]");
    CHECK_REPLY(index, "{\"index\": {\"doc\": \"a\", \"text\": \"cat\"}}", "{\"words\":1,\"docs\":2}");
    CHECK_REPLY(index, "{\"search\": {\"words\": \"fox\"}}", "[{\"doc\":\"b\",\"hits\":1}]");
    CHECK_REPLY(index, "{\"remove\": \"b\"}", "true");
    CHECK_REPLY(index, "{\"remove\": \"b\"}", "false");
    CHECK_REPLY(index, "\"stats\"",
                "{\"docs\":1,\"words\":1,\"postings\":1,\"uncounted\":0,\"bytes\":88,\"limit_bytes\":33554432}");
    baton_test_end(index);
}

static void what_is_not_understood_changes_nothing(void) {
    baton_test *index = baton_test_start("index/1", NULL);
    CHECK_FAILURE(index, "{\"index\": {\"doc\": \"a\"}}", "bad-message");
    CHECK_FAILURE(index, "{\"index\": {\"doc\": \"\", \"text\": \"x\"}}", "bad-doc");
    CHECK_FAILURE(index, "{\"search\": {\"words\": \"a\", \"limit\": 0}}", "bad-message");
    CHECK_FAILURE(index, "{\"search\": {\"words\": \"a\", \"limit\": 101}}", "bad-message");
    CHECK_FAILURE(index, "{\"search\": {\"words\": \"?!\"}}", "bad-query");
    CHECK_FAILURE(index, "\"index\"", "bad-message");
    CHECK_FAILURE(index, "{\"remove\": 1}", "bad-message");
    CHECK_REPLY(index, "\"stats\"",
                "{\"docs\":0,\"words\":0,\"postings\":0,\"uncounted\":0,\"bytes\":0,\"limit_bytes\":33554432}");
    baton_test_end(index);
}

static void a_full_index_says_so_and_stays_as_it_is(void) {
    baton_test *index = baton_test_start("index/1", "{\"limit_bytes\": 200}");
    CHECK_REPLY(index, "{\"index\": {\"doc\": \"a\", \"text\": \"one two\"}}", "{\"words\":2,\"docs\":1}");
    CHECK_FAILURE(index, "{\"index\": {\"doc\": \"b\", \"text\": \"three\"}}", "full");
    CHECK_TEXT(baton_test_message(index), "the index would weigh 233 bytes, and may weigh 200: remove documents first");
    CHECK_FAILURE(index, "{\"index\": {\"doc\": \"a\", \"text\": \"one two three four\"}}", "full");
    index = baton_test_handover(index); /* the limit comes of the arguments again */
    CHECK_FAILURE(index, "{\"index\": {\"doc\": \"b\", \"text\": \"three\"}}", "full");
    CHECK_REPLY(index, "{\"search\": {\"words\": \"two\"}}", "[{\"doc\":\"a\",\"hits\":1}]");
    CHECK_REPLY(index, "{\"remove\": \"a\"}", "true");
    CHECK_REPLY(index, "{\"index\": {\"doc\": \"b\", \"text\": \"three\"}}", "{\"words\":1,\"docs\":1}");
    baton_test_end(index);
    index = baton_test_start("index/1", "{\"limit_bytes\": 99999999999}");
    CHECK_REFUSED(index, "bad-args: ");
    baton_test_end(index);
}

static void schema_1_is_read_and_written_as_2(void) {
    baton_bytes old = baton_test_file("fixtures/states/1-three.bin");
    baton_test *index = baton_test_resume("index/1", NULL, 1, old.at, old.len);
    CHECK(!baton_test_refused(index));
    CHECK_TEXT(baton_test_logged(index),
               "info 3 documents of schema 1: index them again, so that their words are counted\n");
    CHECK_REPLY(index, "{\"search\": {\"words\": \"the fox\"}}",
                "[{\"doc\":\"a\",\"hits\":2},{\"doc\":\"é\",\"hits\":2}]");
    index = baton_test_handover(index);
    CHECK_TEXT(baton_test_logged(index), "");
    CHECK_REPLY(index, "{\"index\": {\"doc\": \"a\", \"text\": \"the the fox\"}}", "{\"words\":2,\"docs\":3}");
    CHECK_REPLY(index, "{\"search\": {\"words\": \"the fox\"}}",
                "[{\"doc\":\"a\",\"hits\":3},{\"doc\":\"é\",\"hits\":2}]");
    baton_test_end(index);
}

/* What 2.0.0 wrote: it must be read for ever. */
static void the_bytes_of_schema_2_are_known(void) {
    baton_bytes known = baton_test_file("fixtures/states/2-three.bin");
    baton_test *index = baton_test_resume("index/1", NULL, 2, known.at, known.len);
    CHECK(!baton_test_refused(index));
    CHECK_REPLY(index, "{\"search\": {\"words\": \"the\"}}", "[{\"doc\":\"a\",\"hits\":3},{\"doc\":\"é\",\"hits\":1}]");
    baton_bytes again = baton_test_snapshot(index);
    CHECK(again.len == known.len && memcmp(again.at, known.at, known.len) == 0);
    baton_test_end(index);
}

static void check_corrupt(uint32_t schema, const char *bytes, size_t len, const char *why) {
    char begin[200];
    snprintf(begin, sizeof begin, "corrupt: state of schema %u%s", (unsigned)schema, why);
    baton_test *index = baton_test_resume("index/1", NULL, schema, bytes, len);
    CHECK_REFUSED(index, begin);
    baton_test_end(index);
}

#define CORRUPT(schema, bytes, why) check_corrupt(schema, bytes, sizeof bytes - 1, why)

static void what_never_was_a_state_is_refused(void) {
    CORRUPT(2, "", ": 1 bytes were expected");
    CORRUPT(2,
            "\x02\x01"
            "a\x01\x01"
            "a\x01\x00",
            ": a document's name stands there twice");
    CORRUPT(2, "\x01\x00\x01\x00", ": a document's name has 1 to 256 bytes, and not 0");
    CORRUPT(2,
            "\x01\x01"
            "a\x01\x01\x01x\x00\x00",
            ": a word is in no document");
    CORRUPT(2,
            "\x01\x01"
            "a\x01\x01\x01x\x01\x01\x01",
            ": there are 1 documents, and this is number 1");
    CORRUPT(2,
            "\x01\x01"
            "a\x01\x01\x01x\x01\x00\x00",
            ": document 0 was counted, and stands 0 times under a word");
    CORRUPT(2,
            "\x02\x01"
            "a\x01\x01"
            "b\x01\x01\x01x\x02\x00\x01\x00\x01",
            ": a word has the same document twice");
    CORRUPT(1,
            "\x02\x01"
            "a\x01"
            "a\x00",
            " does not migrate: document 1 has no name of its own");
    CORRUPT(1,
            "\x01\x01"
            "a\x02\x01x\x01\x00\x01x\x01\x00",
            " does not migrate: word 1 is none, or not the first");
    /* Bytes flipped and cut: whatever is taken for a state behaves as one. */
    baton_bytes good = baton_test_file("fixtures/states/2-three.bin");
    char bytes[256];
    srand(1);
    for (int i = 0; i < 3000; i++) {
        size_t len = (size_t)rand() % (good.len + 1);
        memcpy(bytes, good.at, len);
        if (len > 0) bytes[(size_t)rand() % len] = (char)(rand() % 256);
        baton_test *index = baton_test_resume("index/1", NULL, 1 + i % 2, bytes, len);
        if (!baton_test_refused(index)) baton_test_snapshot(index);
        baton_test_end(index);
    }
}

/* --- Many documents, beside a list that is searched from end to end. --- */

enum { DOCS = 60, WORDS = 8, VOCABULARY = 40 };

static unsigned model[DOCS][VOCABULARY]; /* how often each word stands in each document */
static bool there[DOCS];

static void index_one(baton_test *index, int doc) {
    char body[512], text[256] = "";
    memset(model[doc], 0, sizeof model[doc]);
    for (int i = rand() % WORDS; i >= 0; i--) {
        int word = rand() % VOCABULARY;
        model[doc][word]++;
        snprintf(text + strlen(text), sizeof text - strlen(text), "W%d ", word);
    }
    snprintf(body, sizeof body, "{\"index\": {\"doc\": \"d%02d\", \"text\": \"%s\"}}", doc, text);
    there[doc] = true;
    CHECK(baton_test_call(index, body) != NULL);
}

static void check_search(baton_test *index, int first, int second) {
    char body[128], should[8192] = "[";
    snprintf(body, sizeof body, "{\"search\": {\"words\": \"w%d w%d\", \"limit\": 100}}", first, second);
    for (unsigned hits = 2 * WORDS; hits > 0; hits--)
        for (int doc = 0; doc < DOCS; doc++) {
            if (!there[doc] || model[doc][first] == 0 || model[doc][second] == 0) continue;
            if (model[doc][first] + model[doc][second] == hits)
                snprintf(should + strlen(should), sizeof should - strlen(should), "%s{\"doc\":\"d%02d\",\"hits\":%u}",
                         should[1] ? "," : "", doc, hits);
        }
    strcat(should, "]");
    CHECK_REPLY(index, body, should);
}

static void it_finds_what_a_search_from_end_to_end_finds(void) {
    srand(2);
    baton_test *index = baton_test_start("index/1", NULL);
    for (int round = 0; round < 3000; round++) {
        int doc = rand() % DOCS;
        if (rand() % 3 > 0) {
            index_one(index, doc);
        } else {
            char body[64];
            snprintf(body, sizeof body, "{\"remove\": \"d%02d\"}", doc);
            CHECK_REPLY(index, body, there[doc] ? "true" : "false");
            there[doc] = false;
        }
        check_search(index, rand() % VOCABULARY, rand() % VOCABULARY);
        if (round % 50 == 0) index = baton_test_handover(index);
    }
    for (int doc = 0; doc < DOCS; doc++) {
        char body[64];
        snprintf(body, sizeof body, "{\"remove\": \"d%02d\"}", doc);
        baton_test_call(index, body);
    }
    CHECK_REPLY(index, "\"stats\"",
                "{\"docs\":0,\"words\":0,\"postings\":0,\"uncounted\":0,\"bytes\":0,\"limit_bytes\":33554432}");
    baton_test_end(index);
}

/* 5,000 documents of 100 words: a state of megabytes. */
static void thousands_of_documents_are_handed_over(void) {
    srand(3);
    baton_test *index = baton_test_start("index/1", NULL);
    static char body[4096];
    for (int doc = 0; doc < 5000; doc++) {
        int len = snprintf(body, sizeof body, "{\"index\": {\"doc\": \"doc-%d\", \"text\": \"", doc);
        for (int i = 0; i < 100; i++)
            len += snprintf(body + len, sizeof body - (size_t)len, "word%d ", rand() % 100 * (rand() % 300));
        snprintf(body + len, sizeof body - (size_t)len, "\"}}");
        if (!baton_test_call(index, body)) CHECK(!"there is room");
    }
    static char before[4096];
    snprintf(before, sizeof before, "%s", baton_test_call(index, "{\"search\": {\"words\": \"word0 word200\"}}"));
    size_t len = baton_test_snapshot(index).len;
    CHECK(len > 1000000 && len < 4000000);
    index = baton_test_handover(index);
    CHECK_TEXT(baton_test_call(index, "{\"search\": {\"words\": \"word0 word200\"}}"), before);
    baton_test_end(index);
}

int main(void) {
    return baton_test_run(words_are_folded, documents_are_found_by_their_words, what_is_not_understood_changes_nothing,
                          a_full_index_says_so_and_stays_as_it_is, schema_1_is_read_and_written_as_2,
                          the_bytes_of_schema_2_are_known, what_never_was_a_state_is_refused,
                          it_finds_what_a_search_from_end_to_end_finds, thousands_of_documents_are_handed_over);
}
