/* An inverted index: for each word the documents that it stands in, and how often. */
#ifndef INDEX_H
#define INDEX_H

#include "names.h"

/* What an index may weigh, if its arguments say nothing else, and at the most. */
#define LIMIT_BYTES (UINT64_C(32) << 20)
#define MOST_BYTES (UINT64_C(64) << 20)
/* What a document weighs, a word, and a word in a document, beside their names. */
enum { DOC_WEIGHT = 32, WORD_WEIGHT = 40, POSTING_WEIGHT = 12 };

/* A document's name has at most so many bytes. */
#define DOC_BYTES 256

struct posting {
    uint32_t doc;
    uint32_t times; /* 0: at least once, but it was never counted */
};

struct word {
    struct posting *at; /* in the order of their documents' numbers */
    uint32_t count;
    uint32_t room;
};

struct doc {
    uint32_t *words; /* the numbers of its words */
    uint32_t count;
    uint32_t room;
    bool counted;
};

struct index {
    struct names docs, words;
    struct doc *doc; /* by number */
    uint32_t doc_room;
    struct word *word; /* likewise */
    uint32_t word_room;
    uint32_t uncounted; /* documents whose words were never counted */
    uint64_t postings;
    /* What it weighs: bytes by what is in it alone, so that it is the same after a handover, whatever was allocated. */
    uint64_t weight;
    uint64_t limit;
};

/* Makes documents and words, and puts a word into a document, where the caller knows that it is not there yet. */
uint32_t index_add_doc(struct index *index, baton_text id, bool counted);
uint32_t index_add_word(struct index *index, baton_text word);
void index_put(struct index *index, uint32_t word, uint32_t doc, uint32_t times);

/* What a text's words would add to the weight; `words` are as many as `count`. */
struct counted_word {
    baton_text text;
    uint32_t times;
};
uint64_t index_weight_of(const struct index *index, baton_text id, const struct counted_word *words, size_t count);
/* By how much it would become lighter without this document. */
uint64_t index_weight_of_doc(const struct index *index, uint32_t doc);

void index_remove_doc(struct index *index, uint32_t doc);
/* How often a word stands in a document; false: not at all. */
bool index_times(const struct index *index, uint32_t word, uint32_t doc, uint32_t *times);
void index_drop(struct index *index);

#endif
