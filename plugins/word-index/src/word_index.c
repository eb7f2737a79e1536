/* Which texts have which words. Takes {"index": {"doc": "id", "text": "…"}}, {"search": {"words": "a b", "limit": 10}},
 * {"remove": "id"} and "stats". */
#include "layout.h"
#include "words.h"

#include <string.h>

#define EXPECTED                                                                                                       \
    "{\"index\": {\"doc\": TEXT, \"text\": TEXT}}, {\"search\": {\"words\": TEXT, \"limit\": 1 to 100}}, "             \
    "{\"remove\": TEXT} or \"stats\""
enum { MOST_FOUND = 100, MOST_SEARCHED = 32 };

/* What it may weigh is no part of the state but of the arguments: who starts the actor says how large it may become. */
static bool read_limit(struct index *index, baton_cx *cx) {
    baton_json args, limit;
    if (!baton_args_json(cx, &args)) return false;
    index->limit = LIMIT_BYTES;
    if (baton_json_is_null(args)) return true;
    if (baton_json_case(args, "limit_bytes", &limit) && baton_json_u64(limit, &index->limit)
        && index->limit <= MOST_BYTES)
        return true;
    return baton_bad_args(cx, "nothing, null, or {\"limit_bytes\": N} with N up to 67108864");
}

static bool init(void *self, baton_cx *cx) { return read_limit(self, cx); }

/* The words of a text, each once, with how often it is there. */
static size_t count_words(baton_cx *cx, baton_text text, struct counted_word **words) {
    struct names seen = {0};
    baton_buf counts = {.cx = cx};
    const char *at = text.at, *end = text.at + text.len;
    char word[WORD_BYTES];
    for (size_t len; (len = next_word(&at, end, word)) > 0;) {
        uint32_t number = names_find(&seen, (baton_text){word, len});
        if (number == NO_NUMBER) {
            names_add(&seen, (baton_text){word, len});
            baton_buf_add(&counts, &(struct counted_word){baton_copy_text(cx, word, len), 1},
                          sizeof(struct counted_word));
        } else {
            ((struct counted_word *)(void *)counts.at)[number].times++;
        }
    }
    size_t count = seen.live;
    names_drop(&seen);
    *words = (struct counted_word *)(void *)counts.at;
    return count;
}

static bool reply_indexed(const struct index *index, size_t words, baton_cx *cx) {
    baton_out *out = baton_reply(cx);
    baton_put_object(out);
    baton_put_key(out, "words"), baton_put_u64(out, words);
    baton_put_key(out, "docs"), baton_put_u64(out, index->docs.live);
    baton_put_end(out);
    return true;
}

/* A document of that name takes the place of the one before. Either all of it is in the index then, or nothing changes.
 */
static bool index_text(struct index *index, baton_json arg, baton_cx *cx) {
    baton_text id, text;
    if (!baton_json_text(cx, baton_json_get(arg, "doc"), &id)
        || !baton_json_text(cx, baton_json_get(arg, "text"), &text))
        return baton_bad_message(cx, EXPECTED);
    if (id.len == 0 || id.len > DOC_BYTES)
        return baton_fail(cx, "bad-doc", "a document's name has 1 to %d bytes, and not %zu", DOC_BYTES, id.len);
    struct counted_word *words;
    size_t count = count_words(cx, text, &words);
    uint32_t before = names_find(&index->docs, id);
    uint64_t weight = index->weight + index_weight_of(index, id, words, count);
    if (before != NO_NUMBER) weight -= index_weight_of_doc(index, before);
    if (weight > index->limit)
        return baton_fail(cx, "full", "the index would weigh %llu bytes, and may weigh %llu: remove documents first",
                          (unsigned long long)weight, (unsigned long long)index->limit);
    if (before != NO_NUMBER) index_remove_doc(index, before);
    uint32_t doc = index_add_doc(index, id, true);
    for (size_t i = 0; i < count; i++) {
        uint32_t word = names_find(&index->words, words[i].text);
        if (word == NO_NUMBER) word = index_add_word(index, words[i].text);
        index_put(index, word, doc, words[i].times);
    }
    return reply_indexed(index, count, cx);
}

struct found {
    uint32_t doc;
    uint64_t hits;
};

/* More hits come first; among equals names are in order, so that the answer does not depend on numbers. */
static bool before(const struct index *index, struct found a, struct found b) {
    if (a.hits != b.hits) return a.hits > b.hits;
    baton_text left = names_text(&index->docs, a.doc), right = names_text(&index->docs, b.doc);
    int compared = memcmp(left.at, right.at, left.len < right.len ? left.len : right.len);
    return compared != 0 ? compared < 0 : left.len < right.len;
}

/* Puts one among the best, which are in order. */
static size_t insert(const struct index *index, struct found *best, size_t count, size_t limit, struct found one) {
    size_t at = count;
    while (at > 0 && before(index, one, best[at - 1])) at--;
    if (at == limit) return count;
    if (count < limit) count++;
    memmove(best + at + 1, best + at, (count - 1 - at) * sizeof *best);
    best[at] = one;
    return count;
}

/* Whether a document has all words, and how often they stand there together. */
static bool matches(const struct index *index, const uint32_t *words, size_t count, struct found *found) {
    for (size_t i = 0; i < count; i++) {
        uint32_t times;
        if (!index_times(index, words[i], found->doc, &times)) return false;
        found->hits += times > 0 ? times : 1;
    }
    return true;
}

static bool reply_found(const struct index *index, const struct found *best, size_t count, baton_cx *cx) {
    baton_out *out = baton_reply(cx);
    baton_put_array(out);
    for (size_t i = 0; i < count; i++) {
        baton_put_object(out);
        baton_put_key(out, "doc"), baton_put_text(out, names_text(&index->docs, best[i].doc));
        baton_put_key(out, "hits"), baton_put_u64(out, best[i].hits);
        baton_put_end(out);
    }
    baton_put_end(out);
    return true;
}

static bool search(const struct index *index, baton_json arg, baton_cx *cx) {
    baton_text text;
    uint64_t limit = 10;
    baton_json given = baton_json_get(arg, "limit");
    if (!baton_json_text(cx, baton_json_get(arg, "words"), &text)
        || (given.at && (!baton_json_u64(given, &limit) || limit < 1 || limit > MOST_FOUND)))
        return baton_bad_message(cx, EXPECTED);
    uint32_t words[MOST_SEARCHED];
    size_t count = 0, rarest = 0;
    const char *at = text.at, *end = text.at + text.len;
    char word[WORD_BYTES];
    for (size_t len; (len = next_word(&at, end, word)) > 0; count++) {
        if (count == MOST_SEARCHED)
            return baton_fail(cx, "bad-query", "at most %d words are searched for", MOST_SEARCHED);
        words[count] = names_find(&index->words, (baton_text){word, len});
        if (words[count] == NO_NUMBER) return reply_found(index, NULL, 0, cx);
        if (index->word[words[count]].count < index->word[words[rarest]].count) rarest = count;
    }
    if (count == 0) return baton_fail(cx, "bad-query", "there is no word to search for");
    struct found best[MOST_FOUND];
    size_t kept = 0;
    const struct word *first = &index->word[words[rarest]];
    for (uint32_t i = 0; i < first->count; i++) {
        struct found found = {first->at[i].doc, 0};
        if (matches(index, words, count, &found)) kept = insert(index, best, kept, (size_t)limit, found);
    }
    return reply_found(index, best, kept, cx);
}

static bool reply_stats(const struct index *index, baton_cx *cx) {
    baton_out *out = baton_reply(cx);
    baton_put_object(out);
    baton_put_key(out, "docs"), baton_put_u64(out, index->docs.live);
    baton_put_key(out, "words"), baton_put_u64(out, index->words.live);
    baton_put_key(out, "postings"), baton_put_u64(out, index->postings);
    baton_put_key(out, "uncounted"), baton_put_u64(out, index->uncounted);
    baton_put_key(out, "bytes"), baton_put_u64(out, index->weight);
    baton_put_key(out, "limit_bytes"), baton_put_u64(out, index->limit);
    baton_put_end(out);
    return true;
}

static bool handle(void *self, baton_json message, baton_cx *cx) {
    struct index *index = self;
    baton_json arg;
    baton_text id;
    if (baton_json_case(message, "index", &arg)) return index_text(index, arg, cx);
    if (baton_json_case(message, "search", &arg)) return search(index, arg, cx);
    if (baton_json_case(message, "remove", &arg) && baton_json_text(cx, arg, &id)) {
        uint32_t doc = names_find(&index->docs, id);
        if (doc != NO_NUMBER) index_remove_doc(index, doc);
        return baton_reply_bool(cx, doc != NO_NUMBER);
    }
    if (baton_json_case(message, "stats", NULL)) return reply_stats(index, cx);
    return baton_bad_message(cx, EXPECTED);
}

/* A state that weighs more than it may by now is taken over as it is, and takes no more. */
static bool resumed(void *self, const baton_predecessor *predecessor, baton_cx *cx) {
    struct index *index = self;
    if (index->uncounted > 0 && predecessor->schema == 1)
        baton_info(cx, "%u documents of schema 1: index them again, so that their words are counted",
                   (unsigned)index->uncounted);
    return read_limit(index, cx);
}

static void drop(void *self) { index_drop(self); }

BATON_PLUGIN(
    .name = "word-index",
    .version = "2.0.0",
    .description = "An inverted index over texts.",
    .license = "Apache-2.0",
    .schema = 2,
    .state_size = sizeof(struct index),
    .layouts = BATON_LAYOUTS({1, sizeof(struct index_v1), decode_v1, migrate_v1}),
    .init = init,
    .handle = handle,
    .encode = encode_index,
    .decode = decode_index,
    .resumed = resumed,
    .drop = drop,
);
