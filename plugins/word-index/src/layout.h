/* The index as bytes: schema 2, and schema 1, which is still read. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "index.h"

/* Schema 1 (1.0.0), as it is read: never to be changed. It did not count how often a word stands in a document. */
struct index_v1 {
    baton_text *docs;
    size_t doc_count;
    baton_text *words;
    uint32_t **word_docs; /* of each word, in ascending order */
    size_t *word_doc_counts;
    size_t word_count;
};

void encode_index(const void *self, baton_writer *out);
void decode_index(void *self, baton_reader *in);
void decode_v1(void *state, baton_reader *in);
bool migrate_v1(const void *state, void *next, baton_cx *cx);

#endif
