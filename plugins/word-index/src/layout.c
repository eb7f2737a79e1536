/* States are written and read in one pass. In postcard's terms:
 *
 *   1:  docs: [string], words: [(string, [u32])]
 *   2:  docs: [(string, bool)], words: [(string, [(u32, u32)])]
 *
 * The documents of a word are numbers in `docs`, in ascending order, each written as what it is more than the one
 * before; in schema 2 with how often the word stands there. The bool says whether that was ever counted. */
#include "layout.h"

#include "words.h"

void encode_index(const void *self, baton_writer *out) {
    const struct index *index = self;
    /* Numbers that are free again are left out, so those after them become less. */
    uint32_t *renumbered = baton_alloc(out->buf.cx, index->docs.count * sizeof *renumbered);
    uint32_t next = 0;
    baton_buf_reserve(&out->buf, (size_t)(index->weight / 4));
    baton_write_count(out, index->docs.live);
    for (uint32_t doc = 0; doc < index->docs.count; doc++) {
        if (!names_has(&index->docs, doc)) continue;
        renumbered[doc] = next++;
        baton_write_text(out, names_text(&index->docs, doc));
        baton_write_bool(out, index->doc[doc].counted);
    }
    baton_write_count(out, index->words.live);
    for (uint32_t number = 0; number < index->words.count; number++) {
        if (!names_has(&index->words, number)) continue;
        const struct word *word = &index->word[number];
        baton_write_text(out, names_text(&index->words, number));
        baton_write_count(out, word->count);
        uint32_t before = 0;
        for (uint32_t i = 0; i < word->count; i++) {
            uint32_t doc = renumbered[word->at[i].doc];
            baton_write_u32(out, doc - before);
            baton_write_u32(out, word->at[i].times);
            before = doc;
        }
    }
}

/* A name that is not too long, and that `names` does not have yet. */
static baton_text new_name(baton_reader *in, const struct names *names, size_t most, const char *what) {
    baton_text name = baton_view_text(in);
    if (in->error) return name;
    if (name.len == 0 || name.len > most)
        baton_reader_refuse(in, "%s has 1 to %zu bytes, and not %zu", what, most, name.len);
    else if (names_find(names, name) != NO_NUMBER) baton_reader_refuse(in, "%s stands there twice", what);
    return name;
}

/* The number of a document that comes after `before` (or is the first, where that is NO_NUMBER). */
static uint32_t next_doc(baton_reader *in, uint32_t before, size_t count) {
    uint64_t doc = baton_read_u32(in);
    if (before != NO_NUMBER) {
        if (doc == 0) baton_reader_refuse(in, "a word has the same document twice");
        doc += before;
    }
    if (doc >= count)
        baton_reader_refuse(in, "there are %zu documents, and this is number %llu", count, (unsigned long long)doc);
    return (uint32_t)doc;
}

/* Not more than what would weigh too much: so no bytes make it ask for more memory than there is. */
static size_t read_count(baton_reader *in, size_t item, size_t weight) {
    size_t count = baton_read_count(in, item);
    if (count <= MOST_BYTES / weight) return count;
    baton_reader_refuse(in, "it weighs more than %llu bytes", (unsigned long long)MOST_BYTES);
    return 0;
}

static void check_weight(baton_reader *in, const struct index *index) {
    if (index->weight > MOST_BYTES)
        baton_reader_refuse(in, "it weighs more than %llu bytes", (unsigned long long)MOST_BYTES);
}

static size_t read_postings(baton_reader *in, size_t item) {
    size_t count = read_count(in, item, POSTING_WEIGHT);
    if (count == 0) baton_reader_refuse(in, "a word is in no document");
    return count;
}

void decode_index(void *self, baton_reader *in) {
    struct index *index = self;
    size_t docs = read_count(in, 2, DOC_WEIGHT);
    for (size_t i = 0; i < docs && !in->error; i++) {
        baton_text id = new_name(in, &index->docs, DOC_BYTES, "a document's name");
        bool counted = baton_read_bool(in);
        if (!in->error) index_add_doc(index, id, counted);
        check_weight(in, index);
    }
    size_t words = read_count(in, 4, WORD_WEIGHT);
    for (size_t i = 0; i < words && !in->error; i++) {
        baton_text text = new_name(in, &index->words, WORD_BYTES, "a word");
        size_t count = read_postings(in, 2);
        if (in->error) return;
        uint32_t word = index_add_word(index, text), doc = NO_NUMBER;
        for (size_t n = 0; n < count; n++) {
            doc = next_doc(in, doc, docs);
            uint32_t times = baton_read_u32(in);
            if (in->error) return;
            if ((times > 0) != index->doc[doc].counted)
                baton_reader_refuse(in, "document %u was %scounted, and stands %u times under a word", (unsigned)doc,
                                    index->doc[doc].counted ? "" : "not ", (unsigned)times);
            index_put(index, word, doc, times);
            check_weight(in, index);
        }
    }
}

/* --- Schema 1. --- */

void decode_v1(void *state, baton_reader *in) {
    struct index_v1 *old = state;
    size_t postings = 0;
    old->doc_count = read_count(in, 1, DOC_WEIGHT);
    old->docs = baton_alloc(in->cx, old->doc_count * sizeof *old->docs);
    for (size_t i = 0; i < old->doc_count; i++) old->docs[i] = baton_view_text(in);
    old->word_count = read_count(in, 3, WORD_WEIGHT);
    old->words = baton_alloc(in->cx, old->word_count * sizeof *old->words);
    old->word_docs = baton_alloc(in->cx, old->word_count * sizeof *old->word_docs);
    old->word_doc_counts = baton_alloc(in->cx, old->word_count * sizeof *old->word_doc_counts);
    for (size_t i = 0; i < old->word_count && !in->error; i++) {
        old->words[i] = baton_view_text(in);
        size_t count = old->word_doc_counts[i] = read_postings(in, 1);
        postings += count;
        if (postings > MOST_BYTES / POSTING_WEIGHT) baton_reader_refuse(in, "it weighs too much");
        if (in->error) return;
        old->word_docs[i] = baton_alloc(in->cx, count * sizeof **old->word_docs);
        uint32_t doc = NO_NUMBER;
        for (size_t n = 0; n < count && !in->error; n++) old->word_docs[i][n] = doc = next_doc(in, doc, old->doc_count);
    }
}

static bool fits(const struct names *names, baton_text name, size_t most) {
    return name.len > 0 && name.len <= most && names_find(names, name) == NO_NUMBER;
}

/* How often the words stand in the documents is not known, and is not made up: they are to be indexed again. */
bool migrate_v1(const void *state, void *next, baton_cx *cx) {
    const struct index_v1 *old = state;
    struct index *index = next;
    for (size_t i = 0; i < old->doc_count; i++) {
        if (!fits(&index->docs, old->docs[i], DOC_BYTES))
            return baton_invalid(cx, "document %zu has no name of its own", i);
        index_add_doc(index, old->docs[i], false);
        if (index->weight > MOST_BYTES) return baton_invalid(cx, "it weighs too much");
    }
    for (size_t i = 0; i < old->word_count; i++) {
        if (!fits(&index->words, old->words[i], WORD_BYTES))
            return baton_invalid(cx, "word %zu is none, or not the first", i);
        uint32_t word = index_add_word(index, old->words[i]);
        for (size_t n = 0; n < old->word_doc_counts[i]; n++) index_put(index, word, old->word_docs[i][n], 0);
        if (index->weight > MOST_BYTES) return baton_invalid(cx, "it weighs too much");
    }
    return true;
}
