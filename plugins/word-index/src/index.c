/* The index in memory. Words know their documents, to be searched; documents know their words, to be removed. */
#include "index.h"

#include <stdlib.h>
#include <string.h>

uint32_t index_add_doc(struct index *index, baton_text id, bool counted) {
    uint32_t number = names_add(&index->docs, id);
    if (number >= index->doc_room) {
        index->doc_room = index->docs.room;
        index->doc = keep(index->doc, index->doc_room, sizeof *index->doc);
    }
    index->doc[number] = (struct doc){.counted = counted};
    index->uncounted += !counted;
    index->weight += DOC_WEIGHT + id.len;
    return number;
}

uint32_t index_add_word(struct index *index, baton_text word) {
    uint32_t number = names_add(&index->words, word);
    if (number >= index->word_room) {
        index->word_room = index->words.room;
        index->word = keep(index->word, index->word_room, sizeof *index->word);
    }
    index->word[number] = (struct word){0};
    index->weight += WORD_WEIGHT + word.len;
    return number;
}

/* The place of a document among a word's, or where it would be. */
static uint32_t place(const struct word *word, uint32_t doc) {
    uint32_t from = 0, to = word->count;
    /* Mostly the newest document is the last one. */
    if (to > 0 && word->at[to - 1].doc < doc) return to;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (word->at[middle].doc < doc) from = middle + 1;
        else to = middle;
    }
    return from;
}

void index_put(struct index *index, uint32_t number, uint32_t doc_number, uint32_t times) {
    struct word *word = &index->word[number];
    struct doc *doc = &index->doc[doc_number];
    if (word->count == word->room) {
        word->room = word->room < 2 ? word->room + 1 : word->room + word->room / 2;
        word->at = keep(word->at, word->room, sizeof *word->at);
    }
    uint32_t at = place(word, doc_number);
    memmove(word->at + at + 1, word->at + at, (word->count - at) * sizeof *word->at);
    word->at[at] = (struct posting){doc_number, times};
    word->count++;
    if (doc->count == doc->room) {
        doc->room = doc->room < 8 ? 8 : doc->room + doc->room / 2;
        doc->words = keep(doc->words, doc->room, sizeof *doc->words);
    }
    doc->words[doc->count++] = number;
    index->postings++;
    index->weight += POSTING_WEIGHT;
}

uint64_t index_weight_of(const struct index *index, baton_text id, const struct counted_word *words, size_t count) {
    uint64_t weight = DOC_WEIGHT + id.len + POSTING_WEIGHT * (uint64_t)count;
    for (size_t i = 0; i < count; i++)
        if (names_find(&index->words, words[i].text) == NO_NUMBER) weight += WORD_WEIGHT + words[i].text.len;
    return weight;
}

uint64_t index_weight_of_doc(const struct index *index, uint32_t number) {
    const struct doc *doc = &index->doc[number];
    return DOC_WEIGHT + index->docs.at[number].len + POSTING_WEIGHT * (uint64_t)doc->count;
}

void index_remove_doc(struct index *index, uint32_t number) {
    struct doc *doc = &index->doc[number];
    index->weight -= index_weight_of_doc(index, number);
    index->postings -= doc->count;
    index->uncounted -= !doc->counted;
    for (uint32_t i = 0; i < doc->count; i++) {
        struct word *word = &index->word[doc->words[i]];
        uint32_t at = place(word, number);
        word->count--;
        memmove(word->at + at, word->at + at + 1, (word->count - at) * sizeof *word->at);
        if (word->count > 0) continue;
        index->weight -= WORD_WEIGHT + index->words.at[doc->words[i]].len;
        free(word->at);
        *word = (struct word){0};
        names_remove(&index->words, doc->words[i]);
    }
    free(doc->words);
    *doc = (struct doc){0};
    names_remove(&index->docs, number);
}

bool index_times(const struct index *index, uint32_t number, uint32_t doc, uint32_t *times) {
    const struct word *word = &index->word[number];
    uint32_t at = place(word, doc);
    if (at == word->count || word->at[at].doc != doc) return false;
    *times = word->at[at].times;
    return true;
}

void index_drop(struct index *index) {
    for (uint32_t number = 0; number < index->docs.count; number++) free(index->doc[number].words);
    for (uint32_t number = 0; number < index->words.count; number++) free(index->word[number].at);
    free(index->doc);
    free(index->word);
    names_drop(&index->docs);
    names_drop(&index->words);
    *index = (struct index){0};
}
